//! What a hub was told when it was opened, as far as its partitions have to know.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::Limits;
use crate::protocol::{RuntimeStatus, Tags};

#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// Whether every episode is replayed from scratch and compared.
    pub(crate) verify: bool,
    pub(crate) retention: Retention,
    /// What orchestrators of new instances are told.
    pub(crate) properties: Arc<Tags>,
}

/// How long finished instances are kept: for ever, if nothing else is said.
///
/// Counted from the end of an instance, by its status. An instance keeps the time that was set when
/// it ended.
///
/// ```
/// use std::time::Duration;
/// use durable::client::Retention;
///
/// let day = Duration::from_hours(24);
/// let retention = Retention::forever().completed(7 * day).terminated(7 * day);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    completed: Option<Duration>,
    failed: Option<Duration>,
    terminated: Option<Duration>,
}

impl Retention {
    /// Keeps everything.
    pub fn forever() -> Self {
        Self::default()
    }

    /// Keeps what has finished, however it has, for this long.
    pub fn all(time: Duration) -> Self {
        Self { completed: Some(time), failed: Some(time), terminated: Some(time) }
    }

    /// Keeps what has completed for this long.
    #[must_use]
    pub fn completed(self, time: Duration) -> Self {
        Self { completed: Some(time), ..self }
    }

    /// Keeps what has failed for this long.
    #[must_use]
    pub fn failed(self, time: Duration) -> Self {
        Self { failed: Some(time), ..self }
    }

    /// Keeps what was terminated for this long.
    #[must_use]
    pub fn terminated(self, time: Duration) -> Self {
        Self { terminated: Some(time), ..self }
    }

    pub(crate) fn of(&self, status: RuntimeStatus) -> Option<Duration> {
        match status {
            RuntimeStatus::Completed => self.completed,
            RuntimeStatus::Failed => self.failed,
            RuntimeStatus::Terminated => self.terminated,
            RuntimeStatus::Running | RuntimeStatus::Pending | RuntimeStatus::Suspended => None,
        }
    }
}
