//! How much of a thing there may be.

use std::fmt;

use crate::protocol::{FailureDetails, Json};

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
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            payload: 16 * 1024 * 1024,
            custom_status: 16 * 1024,
            actions: 1_000_000,
            unread_events: 1_000_000,
        }
    }
}

impl Limits {
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
