//! The `source()` of a failure: only causes that the text of the error does not already contain.
//!
//! The text of a failed call ends with the text of the failure itself, and is recorded in this
//! form, because a status page or a log shows only the first line of a failure. An error-chain
//! printer, such as `anyhow`'s, would print it again for every level. Therefore `source()` skips
//! every cause whose text already ends the text of the level above. The recorded failure keeps
//! every link, because a skipped link has the type and the value of the user's error.

use std::cell::Cell;
use std::error::Error as StdError;

use super::names;
use crate::protocol::FailureDetails;

thread_local! {
    /// Whether a chain is being recorded, so that no link may be skipped.
    static RECORDS: Cell<bool> = const { Cell::new(false) };
}

/// A guard: an error is being recorded until it is dropped.
struct Recording {
    before: bool,
}

impl Drop for Recording {
    fn drop(&mut self) {
        RECORDS.set(self.before);
    }
}

/// Runs a closure that records an error. While it runs, `source()` returns every cause.
pub(super) fn recording<R>(record: impl FnOnce() -> R) -> R {
    let _recording = Recording { before: RECORDS.replace(true) };
    record()
}

/// Whether `source()` returns every cause: while an error is recorded, and in an execution that
/// release 0.1 started, whose replays must give the same result.
pub(super) fn gives_all() -> bool {
    RECORDS.get() || names::are_those_of_before()
}

/// The `source()` of a failure.
pub(crate) fn cause_of(failure: &FailureDetails) -> Option<&FailureDetails> {
    if gives_all() { failure.inner.as_deref() } else { next_cause(failure) }
}

/// The next cause of a failure that its own text does not contain.
pub(super) fn next_cause(failure: &FailureDetails) -> Option<&FailureDetails> {
    // A text that was shortened on its way up may end with one from before it was shortened again.
    let says = |above: &FailureDetails, cause: &FailureDetails| {
        ends_with(&above.message, &cause.message) || ends_with(&failure.message, &cause.message)
    };
    let mut links = failure.chain().zip(failure.chain().skip(1));
    links.find(|(above, cause)| !says(above, cause)).map(|(_, cause)| cause)
}

/// Whether a text ends with the text of a cause.
fn ends_with(text: &str, cause: &str) -> bool {
    let before = text.strip_suffix(cause);
    before.is_some_and(|before| cause.is_empty() || !before.ends_with(char::is_alphanumeric))
}

/// The source is the next cause that the message does not contain: the message of a failed call
/// ends with the text of the failure, which would otherwise be printed twice.
/// [`chain`](FailureDetails::chain) has every cause.
impl StdError for FailureDetails {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        cause_of(self).map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(messages: &[&str]) -> Vec<String> {
        let links = messages.iter().rev().map(|message| FailureDetails::new("", *message));
        let chain = links.reduce(|cause, failure| failure.caused_by(cause)).unwrap();
        let shown = std::iter::successors(Some(&chain), |failure| cause_of(failure));
        shown.map(|failure| failure.message.clone()).collect()
    }

    #[test]
    fn a_cause_that_the_text_above_contains_is_skipped() {
        assert_eq!(
            shown(&["a failed: b failed: c", "b failed: c", "c"]),
            ["a failed: b failed: c"]
        );
        assert_eq!(shown(&["a failed: b", "b", "c"]), ["a failed: b", "c"]);
        assert_eq!(shown(&["a", "", "a"]), ["a"]);
        assert_eq!(shown(&["it failed", "d"]), ["it failed", "d"]);
        assert_eq!(shown(&["cannot save", "no room", "no room"]), ["cannot save", "no room"]);
    }

    #[test]
    fn no_cause_is_skipped_while_an_error_is_recorded() {
        assert_eq!(recording(|| shown(&["a: b", "b"])), ["a: b", "b"]);
        let panicked = crate::panics::catch(|| recording(|| panic!("in a user's `source()`")));
        assert!(panicked.unwrap_err().message.ends_with("in a user's `source()`"));
        assert_eq!(shown(&["a: b", "b"]), ["a: b"]);
    }
}
