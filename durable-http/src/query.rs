//! The query of a request: names without regard to case, as Durable Functions reads them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// The parameters after the `?`, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: Option<&str>) -> Self {
        let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        };
        Self(pairs.map(pair).collect())
    }

    /// The first value of this name. An empty value counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|pair| is_given(pair, name)).map(|(_, value)| value.as_str())
    }

    /// All values of this name that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| is_given(pair, name)).map(|(_, value)| value.as_str())
    }

    /// The values of this name, which may be repeated, separated by commas, or both.
    pub(crate) fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim).filter(|it| !it.is_empty())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A boolean as .NET reads it. Any other text counts as none.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?.trim();
        match value {
            _ if value.eq_ignore_ascii_case("true") => Some(true),
            _ if value.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

fn is_given((given, value): &(String, String), name: &str) -> bool {
    given.eq_ignore_ascii_case(name) && !value.is_empty()
}

/// A `+` is a space in a query, though not in a path.
fn decode(text: &str) -> String {
    let spaced: Cow<'_, str> =
        if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_values_are_decoded() {
        let query =
            Query::parse(Some("Reason=a+b%2B&runtimeStatus=A,B&runtimestatus=C&empty=&=x&z"));
        assert_eq!(query.get("reason"), Some("a b+"));
        assert_eq!(query.list("RuntimeStatus").collect::<Vec<_>>(), ["A", "B", "C"]);
        assert_eq!((query.get("empty"), query.get("z")), (None, None));
    }

    #[test]
    fn an_invalid_boolean_flag_is_none() {
        let query = Query::parse(Some("a=TRUE&b=False&c=1"));
        assert_eq!(
            [query.flag("a"), query.flag("b"), query.flag("c")],
            [Some(true), Some(false), None]
        );
    }
}
