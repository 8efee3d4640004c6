//! How much of a thing there may be.

use std::fmt;

use crate::protocol::{ExecutionLimits, FailureDetails, Json};

/// How large what a hub keeps may become. Whatever is larger is an error where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a single input, result or event, as JSON.
    pub(crate) payload: usize,
    /// Bytes of a custom status, as JSON. Durable Functions has 16 KB of UTF-16.
    pub(crate) custom_status: usize,
    /// What one execution may ask for: activities, timers, events sent and so on.
    pub(crate) actions: u32,
    /// Events that came in for one execution and were not waited for.
    pub(crate) unread_events: usize,
    /// Bytes of all that an execution hands over in one episode. It is written at once, in a frame of
    /// at most 4 GiB, in which it stands twice: in the history and in a message.
    pub(crate) episode: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 16 * 1024 * 1024,
            custom_status: 16 * 1024,
            actions: 1_000_000,
            unread_events: 1_000_000,
            episode: 1024 * 1024 * 1024,
        }
    }
}

impl Limits {
    /// These limits as an execution records them that begins under them.
    pub(crate) fn recorded(&self) -> ExecutionLimits {
        ExecutionLimits {
            payload: self.payload as u64,
            custom_status: self.custom_status as u64,
            actions: self.actions,
            unread_events: self.unread_events as u64,
        }
    }

    /// The limits of an execution that has recorded these.
    pub(crate) fn of(recorded: ExecutionLimits) -> Self {
        let size = |size: u64| usize::try_from(size).unwrap_or(usize::MAX);
        Self {
            payload: size(recorded.payload),
            custom_status: size(recorded.custom_status),
            actions: recorded.actions,
            unread_events: size(recorded.unread_events),
            ..Self::default()
        }
    }

    /// Of each limit the wider one.
    pub(crate) fn or_wider(self, other: Self) -> Self {
        Self {
            payload: self.payload.max(other.payload),
            custom_status: self.custom_status.max(other.custom_status),
            actions: self.actions.max(other.actions),
            unread_events: self.unread_events.max(other.unread_events),
            episode: self.episode.max(other.episode),
        }
    }

    /// The value, or the failure of whoever made it if it is too large.
    pub(crate) fn fitting(
        &self,
        what: impl fmt::Display,
        value: Json,
    ) -> Result<Json, FailureDetails> {
        let checked = self.check_payload(what, value.as_str().len());
        checked.map(|()| value).map_err(|message| {
            FailureDetails::new(FailureDetails::PAYLOAD_TOO_LARGE, message).non_retriable()
        })
    }

    /// What is wrong with a value of this size, if it is too large.
    pub(crate) fn check_payload(&self, what: impl fmt::Display, size: usize) -> Result<(), String> {
        if size <= self.payload {
            return Ok(());
        }
        Err(format!(
            "{what} has {size} bytes, and a value may have {}; keep the bulk elsewhere and pass a \
             reference, or raise `TaskHub::builder().max_payload(..)`",
            self.payload
        ))
    }
}
