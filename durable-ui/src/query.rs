//! The query of a URL, which is the state of a page. Links to other states are edits of the query.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters that stay readable in a query and in a segment of a path.
const READABLE: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':').remove(b',');

/// A text as a segment of a path, or as a value in a query.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, READABLE).to_string()
}

/// A segment of a path as text. Bytes that are not UTF-8 become the replacement character.
pub(crate) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Names and values in the order of the URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))
        };
        Self(pairs.map(pair).collect())
    }

    /// The first value of this name that is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of this name that are not empty.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.pairs()
            .filter(move |(given, value)| *given == name && !value.is_empty())
            .map(|it| it.1)
    }

    /// The values of this name, which may be given several times or separated by commas.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        self.all(name).flat_map(|it| it.split(',')).filter(|it| !it.is_empty()).collect()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Without all values of this name.
    pub(crate) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(given, _)| given != name).cloned().collect())
    }

    /// With this as the only value of the name.
    pub(crate) fn with(&self, name: &str, value: impl fmt::Display) -> Self {
        self.without(name).and(name, value)
    }

    /// With one more value.
    pub(crate) fn and(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.to_owned(), value.to_string()));
        self
    }
}

/// With `?`, if it is not empty.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.pairs().enumerate() {
            let separator = if index == 0 { '?' } else { '&' };
            write!(f, "{separator}{}={}", encode(name), encode(value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_edited_and_written() {
        let query = Query::parse(Some("status=failed,running&tag=a:b&tag=c+d&x=&name=%26%3D"));
        assert_eq!(query.list("status"), ["failed", "running"]);
        assert_eq!(query.all("tag").collect::<Vec<_>>(), ["a:b", "c d"]);
        assert_eq!(query.get("x"), None);
        let edited = query.without("tag").without("x").with("status", "failed");
        assert_eq!(edited.to_string(), "?name=%26%3D&status=failed");
        assert_eq!(Query::parse(Some(&edited.to_string()[1..])), edited);
        assert_eq!(Query::default().to_string(), "");
    }
}
