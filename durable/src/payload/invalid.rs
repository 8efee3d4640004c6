//! Why a value cannot be stored.

use std::sync::Arc;

/// The error returned when a value cannot be stored: an input, an event, a state.
///
/// See [`Payload`](crate::Payload) for what JSON cannot hold.
///
/// ```
/// use durable::client::{InvalidPayload, StartError};
///
/// /// Whether an input is too large, so that it should be stored elsewhere.
/// fn is_too_large(error: &StartError) -> bool {
///     let StartError::InvalidInput { reason, .. } = error else { return false };
///     matches!(**reason, InvalidPayload::TooLarge { .. })
/// }
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPayload {
    /// It cannot be written as JSON.
    #[error("{what} has no JSON form")]
    NoJson {
        /// What the value is.
        what: String,
        /// Why it cannot be written.
        source: Arc<serde_json::Error>,
    },
    /// It was written as JSON that cannot be read again.
    #[error(
        "{what} was written as JSON that cannot be read as `{type_name}` again; JSON has no NaN and no \
         infinity, and is read up to 127 levels deep"
    )]
    NotReadable {
        /// What the value is.
        what: String,
        /// The type of the value.
        type_name: &'static str,
        /// Why it cannot be read.
        source: Arc<serde_json::Error>,
    },
    /// Its arrays and objects are nested too deeply to be read again.
    #[error("{what} is nested {depth} levels deep; JSON can be read up to {max} levels deep")]
    TooDeep {
        /// What the value is.
        what: String,
        /// How deep it is.
        depth: usize,
        /// How deep it may be.
        max: usize,
    },
    /// It is larger than the hub allows.
    #[error(
        "{what} has {size} bytes, and a value may have {max}; keep the bulk elsewhere and pass a \
         reference, or raise `TaskHub::builder().max_payload(..)`"
    )]
    TooLarge {
        /// What the value is.
        what: String,
        /// Its size as JSON, in bytes.
        size: usize,
        /// The maximum number of bytes.
        max: usize,
    },
}

impl InvalidPayload {
    #[expect(clippy::unnecessary_box_returns, reason = "results have it boxed, to be small")]
    pub(crate) fn no_json(what: impl Into<String>, error: serde_json::Error) -> Box<Self> {
        Box::new(Self::NoJson { what: what.into(), source: Arc::new(error) })
    }

    /// The text with its cause, as it is recorded in a history. Replays must find the same text, so
    /// it must not change.
    pub(crate) fn recorded(&self) -> String {
        match self {
            Self::NoJson { source, .. } => format!("{self}: {source}"),
            Self::NotReadable { what, type_name, source } => format!(
                "{what} was written as JSON that cannot be read as `{type_name}` again: {source}; \
                 JSON has no NaN and no infinity, and is read up to 127 levels deep"
            ),
            Self::TooDeep { .. } | Self::TooLarge { .. } => self.to_string(),
        }
    }
}
