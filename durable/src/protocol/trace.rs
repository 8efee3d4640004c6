//! The position of an instance in a distributed trace.

use serde::{Deserialize, Serialize};

use super::ExecutionId;

/// A position in a distributed trace, in the form of the [W3C] headers.
///
/// [`parse`](Self::parse) reads and checks a header. A value that was deserialized is checked when an
/// instance is started with it.
///
/// ```
/// use durable::protocol::TraceContext;
///
/// let context = TraceContext::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")?;
/// assert_eq!(context.span_id(), "b7ad6b7169203331");
/// # Ok::<(), durable::Error>(())
/// ```
///
/// [W3C]: https://www.w3.org/TR/trace-context/
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    pub(crate) traceparent: String,
    #[serde(default)]
    pub(crate) tracestate: Option<String>,
}

/// An invalid `traceparent`.
///
/// ```
/// use durable::protocol::{InvalidTraceContext, TraceContext};
///
/// /// The context of an HTTP header, or none if the header is malformed.
/// fn context(header: &str) -> Option<TraceContext> {
///     let parsed: Result<TraceContext, InvalidTraceContext> = TraceContext::parse(header);
///     parsed.inspect_err(|error| eprintln!("{error}")).ok()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "invalid traceparent `{given}`: {reason}; expected \
     `00-<trace id, 32 hex digits>-<span id, 16 hex digits>-<flags, 2 hex digits>`, in lower case"
)]
pub struct InvalidTraceContext {
    given: String,
    reason: &'static str,
}

impl TraceContext {
    /// Reads the header `traceparent`. Additions of versions later than 00 are dropped, as the
    /// standard requires.
    ///
    /// ```
    /// use durable::protocol::TraceContext;
    ///
    /// let header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    /// assert_eq!(TraceContext::parse(header)?.traceparent(), header);
    /// assert!(TraceContext::parse("0af7651916cd43dd8448eb211c80319c").is_err());
    /// # Ok::<(), durable::protocol::InvalidTraceContext>(())
    /// ```
    ///
    /// # Errors
    /// The header is invalid.
    pub fn parse(traceparent: &str) -> Result<Self, InvalidTraceContext> {
        let invalid = |reason| InvalidTraceContext { given: traceparent.to_owned(), reason };
        let mut parts = traceparent.split('-');
        let (Some(version), Some(trace), Some(span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(invalid("it does not have four parts"));
        };
        let lengths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
        if !lengths.iter().all(|(part, length)| is_hex(part, *length)) {
            return Err(invalid("a part is too long, too short, or not hexadecimal"));
        }
        if version == "ff" || (version == "00" && parts.next().is_some()) {
            return Err(invalid("its version is unknown"));
        }
        if is_zero(trace) || is_zero(span) {
            return Err(invalid("an id is all zeros"));
        }
        Ok(Self { traceparent: format!("00-{trace}-{span}-{flags}"), tracestate: None })
    }

    /// Adds the header `tracestate`.
    #[must_use]
    pub fn with_tracestate(self, tracestate: impl Into<String>) -> Self {
        Self { tracestate: Some(tracestate.into()), ..self }
    }

    /// Returns the header `traceparent`: `00-<trace id>-<span id>-<flags>`.
    pub fn traceparent(&self) -> &str {
        &self.traceparent
    }

    /// Returns the header `tracestate`, if there is one.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    /// Returns the id of the trace: 32 hex digits. Empty if the context was deserialized and is
    /// invalid.
    pub fn trace_id(&self) -> &str {
        self.traceparent.split('-').nth(1).unwrap_or_default()
    }

    /// Returns the id of the span: 16 hex digits. Empty if the context was deserialized and is
    /// invalid.
    pub fn span_id(&self) -> &str {
        self.traceparent.split('-').nth(2).unwrap_or_default()
    }

    /// The same context, if it is valid.
    pub(crate) fn checked(self) -> Result<Self, InvalidTraceContext> {
        let Self { traceparent, tracestate } = self;
        Ok(Self { tracestate, ..Self::parse(&traceparent)? })
    }

    /// The context of a call made here: the same trace, and a span id derived from the caller. It
    /// is the same in every replay, run and attempt.
    pub(crate) fn child(&self, execution: ExecutionId, task: i32) -> Self {
        let mut parts = self.traceparent.split('-');
        let (Some(version), Some(trace), Some(_span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return self.clone();
        };
        let span = ExecutionId::of_child(execution, task, 0).to_string();
        let traceparent = format!("{version}-{trace}-{}-{flags}", &span[..16]);
        Self { traceparent, tracestate: self.tracestate.clone() }
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|it| it == b'0')
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    #[track_caller]
    fn refused(traceparent: &str, reason: &str) {
        let error = TraceContext::parse(traceparent).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn an_invalid_traceparent_is_refused_with_a_reason() {
        refused("", "four parts");
        refused("00-0af7651916cd43dd8448eb211c80319c-01", "four parts");
        refused("00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333-01", "too short");
        refused("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", "not hexadecimal");
        refused("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-1", "version is unknown");
        refused("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "version is unknown");
        refused("00-00000000000000000000000000000000-b7ad6b7169203331-01", "all zeros");
        refused("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", "all zeros");
    }

    #[test]
    fn a_later_version_is_read_as_far_as_known() {
        let later = "01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more";
        let known = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(TraceContext::parse(later).unwrap().traceparent, known);
    }
}
