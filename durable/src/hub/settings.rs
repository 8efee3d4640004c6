//! What was chosen when a hub was opened.

#[cfg(feature = "sled")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::time::virtual_time::VirtualTime;
use crate::activity::States;
use crate::definition::Entry;
use crate::limits::Limits;
use crate::protocol::{RuntimeStatus, Tags};
use crate::registry::{Interceptor, VersionMatch};
use crate::store::{Durability, Store};

/// All that a [`TaskHubBuilder`](super::TaskHubBuilder) was told. `None` leaves the default to
/// `opening.rs`.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) place: Place,
    pub(crate) durability: Option<Durability>,
    /// Whether annotated functions are registered by themselves.
    pub(crate) collect: bool,
    /// Functions registered by hand.
    pub(crate) registered: Vec<Entry>,
    pub(crate) states: States,
    pub(crate) activity_concurrency: Option<usize>,
    pub(crate) activity_grace: Option<Duration>,
    pub(crate) entity_concurrency: Option<usize>,
    pub(crate) live_instances: Option<usize>,
    pub(crate) live_bytes: Option<usize>,
    pub(crate) waiting_requests: Option<usize>,
    pub(crate) partitions: Option<u16>,
    pub(crate) version_match: VersionMatch,
    pub(crate) settings: Settings,
    pub(crate) verify_on_open: bool,
    /// The time of a test, which passes only when nothing is left to do.
    pub(crate) time: Option<Arc<VirtualTime>>,
    /// What replaces functions in a test.
    pub(crate) interceptor: Option<Arc<dyn Interceptor>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            place: Place::Nowhere,
            durability: None,
            collect: true,
            registered: Vec::new(),
            states: States::default(),
            activity_concurrency: None,
            activity_grace: None,
            entity_concurrency: None,
            live_instances: None,
            live_bytes: None,
            waiting_requests: None,
            partitions: None,
            version_match: VersionMatch::default(),
            settings: Settings::default(),
            verify_on_open: false,
            time: None,
            interceptor: None,
        }
    }
}

/// Where a hub keeps its data.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Nothing was chosen.
    Nowhere,
    #[cfg(feature = "sled")]
    Path(PathBuf),
    Store(Arc<dyn Store>),
}

/// The choices that partitions have to know.
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
