//! Limits on sizes and counts.

use std::fmt;

use crate::payload::InvalidPayload;
use crate::protocol::{ExecutionLimits, FailureDetails, Json};

/// The largest values that a hub accepts. A larger value causes an error where it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Bytes of a single input, result or event, as JSON.
    pub(crate) payload: usize,
    /// Bytes of a custom status, as JSON. Durable Functions has 16 KB of UTF-16.
    pub(crate) custom_status: usize,
    /// Requests of one execution: activities, timers, sent events and so on.
    pub(crate) actions: u32,
    /// Unread external events of one execution.
    pub(crate) unread_events: usize,
    /// Bytes that an execution may produce in one episode. They are written in one frame of at most
    /// 4 GiB, which contains them twice: in the history and in a message.
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
    /// These limits, as a new execution records them.
    pub(crate) fn recorded(&self) -> ExecutionLimits {
        ExecutionLimits {
            payload: self.payload as u64,
            custom_status: self.custom_status as u64,
            actions: self.actions,
            unread_events: self.unread_events as u64,
        }
    }

    /// The limits that an execution has recorded.
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

    /// The larger value of each limit.
    pub(crate) fn or_wider(self, other: Self) -> Self {
        Self {
            payload: self.payload.max(other.payload),
            custom_status: self.custom_status.max(other.custom_status),
            actions: self.actions.max(other.actions),
            unread_events: self.unread_events.max(other.unread_events),
            episode: self.episode.max(other.episode),
        }
    }

    /// The value, or a failure if it is too large.
    pub(crate) fn fitting(
        &self,
        what: impl fmt::Display,
        value: Json,
    ) -> Result<Json, FailureDetails> {
        let checked = self.check_payload(what, value.as_str().len());
        checked.map(|()| value).map_err(|invalid| {
            let message = invalid.recorded();
            FailureDetails::new(FailureDetails::PAYLOAD_TOO_LARGE, message).non_retriable()
        })
    }

    /// An error if a value of this size is too large.
    pub(crate) fn check_payload(
        &self,
        what: impl fmt::Display,
        size: usize,
    ) -> Result<(), Box<InvalidPayload>> {
        if size <= self.payload {
            return Ok(());
        }
        let (what, max) = (what.to_string(), self.payload);
        Err(Box::new(InvalidPayload::TooLarge { what, size, max }))
    }
}
