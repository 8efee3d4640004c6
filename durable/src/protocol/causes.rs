//! Chains of causes: limits on length and size, and all code that walks along one.
//!
//! **Invariant:** no function here recurses over a chain, and no stored chain is longer than
//! [`LINKS_MAX`]. A failure grows by one link at each level of sub-orchestrations, and an error of
//! the user may have any number of causes.

use std::error::Error as StdError;
use std::fmt::{self, Write};

use super::FailureDetails;
use super::failure::LINKS_MAX;

/// The maximum number of counted causes of a user's error. The chain may be infinite: an error can
/// be its own source.
const COUNT_MAX: usize = 10_000;

/// Begins the message of a link that represents causes that were not all counted.
const AT_LEAST: &str = "at least ";

/// The maximum length in bytes of a text from a user's error, whose `Display` may be unbounded.
const TEXT_MAX: usize = 1024 * 1024;

/// The minimum limit in bytes on the message of a failure, even if payloads must be smaller, so
/// that the message remains useful.
const TEXT_MIN: usize = 256;

impl FailureDetails {
    /// The causes of `error`, link by link; a link that is itself a recorded failure is kept whole.
    pub(crate) fn from_source(error: Option<&(dyn StdError + 'static)>) -> Option<Box<Self>> {
        let (mut links, mut next, mut left_out) = (Vec::new(), error, 0);
        while let Some(error) = next {
            if let Some(details) = error.downcast_ref::<Self>() {
                links.extend(details.chain().map(Self::link));
                break;
            }
            if let Some(error) = error.downcast_ref::<crate::Error>() {
                links.extend(error.details().chain().map(Self::link));
                break;
            }
            if links.len() < LINKS_MAX {
                links.push(Self::new("", text(error)));
            } else {
                left_out += 1;
            }
            if left_out == COUNT_MAX {
                break;
            }
            next = error.source();
        }
        let chain = *Self::linked(links)?;
        // The error itself is the first link.
        Some(Box::new(chain.cut(LINKS_MAX - 1, left_out)))
    }

    /// A failure whose type and message are those of a user's error.
    pub(crate) fn of_error(
        error_type: impl Into<String>,
        error: &(impl fmt::Display + ?Sized),
    ) -> Self {
        Self::new(error_type, text(error))
    }

    /// The same failure with at most as many causes as are kept.
    pub(crate) fn shortened(self) -> Self {
        self.cut(LINKS_MAX, 0)
    }

    /// The same failure, cut so that the texts of all links together, and the values of all links
    /// together, have at most `payload` bytes each. The message says what is missing.
    pub(crate) fn bounded(mut self, payload: usize) -> Self {
        self = self.shortened();
        let (mut texts, mut values) = (payload.max(TEXT_MIN), payload);
        let mut next = Some(&mut self);
        while let Some(link) = next {
            if let Some(value) = link.value.take_if(|value| value.as_str().len() > values) {
                let _ = write!(
                    link.message,
                    " (its value of {} bytes is left out, because a value may have {payload})",
                    value.as_str().len()
                );
            }
            values -= link.value.as_ref().map_or(0, |value| value.as_str().len());
            cut_text(&mut link.error_type, texts);
            texts -= texts.min(link.error_type.len());
            cut_text(&mut link.message, texts);
            texts -= texts.min(link.message.len());
            next = link.inner.as_deref_mut();
        }
        self
    }

    /// The first `links_max` links. The last one says how many are left out, if any; `left_out`
    /// links were left out before.
    pub(super) fn cut(mut self, links_max: usize, left_out: usize) -> Self {
        if left_out == 0 && self.chain().nth(links_max).is_none() {
            return self;
        }
        let mut last = &mut self;
        // The last link that is kept is the one before that which counts.
        for _ in 2..links_max {
            match &mut last.inner {
                Some(inner) => last = inner,
                None => return self,
            }
        }
        let (mut count, mut at_least) = (left_out, left_out >= COUNT_MAX);
        let mut rest = last.inner.take();
        while let Some(mut link) = rest {
            count += link.left_out().unwrap_or(1);
            at_least |= link.left_out().is_some() && link.message.starts_with(AT_LEAST);
            rest = link.inner.take();
        }
        let at_least = if at_least { AT_LEAST } else { "" };
        let message = format!("{at_least}{count} more causes are left out");
        last.inner = Some(Box::new(Self::new(Self::CAUSES_LEFT_OUT, message)));
        self
    }

    /// The number of causes that this link represents, if it is the last of a chain that was cut.
    fn left_out(&self) -> Option<usize> {
        let says = self.error_type == Self::CAUSES_LEFT_OUT;
        let count = self.message.trim_start_matches(AT_LEAST).split(' ').next();
        count.filter(|_| says)?.parse().ok()
    }

    /// A copy of this link without its causes.
    fn link(&self) -> Self {
        Self {
            error_type: self.error_type.clone(),
            message: self.message.clone(),
            inner: None,
            non_retriable: self.non_retriable,
            value: self.value.clone(),
        }
    }

    /// Joins links, each without a cause, to a chain.
    fn linked(links: Vec<Self>) -> Option<Box<Self>> {
        links.into_iter().rev().fold(None, |inner, link| Some(Box::new(Self { inner, ..link })))
    }

    /// Drops the causes of this failure, link by link, because the drop that the compiler generates
    /// would recurse.
    pub(crate) fn drop_causes(&mut self) {
        let mut rest = self.inner.take();
        while let Some(mut link) = rest {
            rest = link.inner.take();
        }
    }

    fn is_same_link(&self, other: &Self) -> bool {
        let Self { error_type, message, inner: _, non_retriable, value } = self;
        *error_type == other.error_type
            && *message == other.message
            && *non_retriable == other.non_retriable
            && *value == other.value
    }
}

impl Clone for FailureDetails {
    fn clone(&self) -> Self {
        let links = self.chain().skip(1).map(Self::link).collect();
        Self { inner: Self::linked(links), ..self.link() }
    }
}

impl PartialEq for FailureDetails {
    fn eq(&self, other: &Self) -> bool {
        let (mut ours, mut theirs) = (self.chain(), other.chain());
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return true,
                (Some(our), Some(their)) if our.is_same_link(their) => {}
                _ => return false,
            }
        }
    }
}

impl Eq for FailureDetails {}

/// Prints the links as a list, without nesting.
impl fmt::Debug for FailureDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Link<'a>(&'a FailureDetails);
        impl fmt::Debug for Link<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let FailureDetails { error_type, message, inner: _, non_retriable, value } = self.0;
                f.debug_struct("FailureDetails")
                    .field("error_type", error_type)
                    .field("message", message)
                    .field("non_retriable", non_retriable)
                    .field("value", value)
                    .finish()
            }
        }
        fmt::Debug::fmt(&Link(self), f)?;
        self.chain().skip(1).try_for_each(|link| write!(f, " caused by {:?}", Link(link)))
    }
}

/// The display of `said`, cut at [`TEXT_MAX`].
fn text(said: &(impl fmt::Display + ?Sized)) -> String {
    struct Sink(String);
    impl Write for Sink {
        fn write_str(&mut self, part: &str) -> fmt::Result {
            self.0.push_str(part);
            if self.0.len() > TEXT_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut sink = Sink(String::new());
    let complete = write!(sink, "{said}").is_ok();
    let Sink(mut text) = sink;
    if !complete && text.len() > TEXT_MAX {
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        text.push_str(" .. (cut off)");
    }
    text
}

/// Cuts a text to about `bytes_max`; the result says how much is missing.
fn cut_text(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let kept = text.floor_char_boundary(bytes_max);
        let left_out = text.len() - kept;
        text.truncate(kept);
        text.shrink_to_fit();
        let _ = write!(text, " .. ({left_out} more bytes are left out)");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Json;
    use crate::protocol::codec::{read_value, written};

    fn nested(depth: usize) -> FailureDetails {
        let bottom = FailureDetails::new("Bottom", "0");
        (1..depth).fold(bottom, |cause, place| {
            let mut failure = FailureDetails::new("Outer", place.to_string());
            // Not by `caused_by`, which shortens the chain.
            failure.inner = Some(Box::new(cause));
            failure
        })
    }

    /// Is dropped without recursion, also by an assertion that fails.
    struct Deep(FailureDetails);

    impl Drop for Deep {
        fn drop(&mut self) {
            self.0.drop_causes();
        }
    }

    /// An error with this many sources below it, or one that is its own source.
    #[derive(Debug)]
    struct Chain(Vec<Chain>, bool);

    impl fmt::Display for Chain {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("no room")
        }
    }

    impl StdError for Chain {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            if self.1 { Some(self) } else { self.0.first().map(|source| source as _) }
        }
    }

    fn last_of(failure: &FailureDetails) -> (usize, &str) {
        (failure.chain().count(), failure.chain().last().map_or("", |last| &last.message))
    }

    #[test]
    fn a_chain_of_a_hundred_thousand_causes_does_not_overflow_the_stack() {
        let deep = Deep(nested(100_000));
        let clone = Deep(deep.0.clone());
        assert!(deep.0 == clone.0);
        assert_eq!(clone.0.chain().count(), 100_000);
        assert!(format!("{:?}", deep.0).ends_with(&format!("{:?}", nested(1))));
        let stored = read_value::<FailureDetails>(&written(&deep.0)).unwrap();
        assert_eq!(last_of(&stored), (64, "99937 more causes are left out"));
        let json = serde_json::to_string(&deep.0).unwrap();
        assert_eq!(serde_json::from_str::<FailureDetails>(&json).unwrap(), stored);
        assert_eq!(deep.0.clone().bounded(usize::MAX), stored);
        let error = crate::Error::from(deep.0.clone());
        assert_eq!(error.details(), &stored);
    }

    #[test]
    fn a_long_chain_keeps_the_first_links_and_counts_the_rest() {
        let bottom = FailureDetails::new("Bottom", "0");
        let put = (1..100_000).fold(bottom, |cause, place| {
            FailureDetails::new("Outer", place.to_string()).caused_by(cause)
        });
        assert_eq!(last_of(&put), (64, "99937 more causes are left out"));
        assert_eq!(put.chain().nth(62).unwrap().message, "99937");
        let whole = nested(63).cut(64, 0);
        assert_eq!(
            FailureDetails::new("", "").caused_by(whole).chain().last().unwrap().message,
            "0"
        );
    }

    #[test]
    fn an_error_with_many_or_endless_sources_is_recorded() {
        for (sources, endless, recorded) in [
            (0, false, (1, "no room")),
            (63, false, (64, "no room")),
            (64, false, (64, "2 more causes are left out")),
            (1_200, false, (64, "1138 more causes are left out")),
            (0, true, (64, "at least 10002 more causes are left out")),
        ] {
            let chain = (0..sources)
                .fold(Chain(Vec::new(), endless), |source, _| Chain(vec![source], false));
            let error = crate::Error::from(chain);
            assert_eq!(last_of(error.details()), recorded);
        }
    }

    #[test]
    fn an_endless_message_is_cut() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("again and ")?;
                }
            }
        }
        let error = crate::Error::msg(Endless);
        assert_eq!(error.details().message.len(), TEXT_MAX + " .. (cut off)".len());
    }

    #[test]
    fn the_total_size_of_texts_and_values_is_bounded() {
        let json =
            |bytes: usize| Some(Json::parse(&format!("{:?}", "v".repeat(bytes - 2))).unwrap());
        let mut inner = FailureDetails::new("Inner", "\u{e4}".repeat(600));
        inner.value = json(300);
        let mut outer = FailureDetails::new("Outer", "o".repeat(500));
        outer.value = json(800);
        let bounded = outer.caused_by(inner).bounded(1000);
        let inner = bounded.inner.as_ref().unwrap();
        assert_eq!((bounded.message.len(), &bounded.value), (500, &json(800)));
        assert!(inner.message.ends_with(" more bytes are left out)"), "{}", inner.message);
        assert!(inner.message.len() < 560);
        assert_eq!(inner.value, None);

        let large = FailureDetails { value: json(2000), ..FailureDetails::new("Large", "no") };
        assert_eq!(
            large.bounded(1000).message,
            "no (its value of 2000 bytes is left out, because a value may have 1000)"
        );
    }
}
