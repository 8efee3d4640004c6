//! The settings with which a hub is opened.

#[cfg(feature = "sled")]
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::sizes::Sizes;
use super::telemetry::hooks::Hooks;
use super::time::clock::Clock;
use super::time::virtual_time::VirtualTime;
use crate::activity::{Now, States};
use crate::definition::Entry;
#[cfg(feature = "http")]
use crate::http::{HttpClient, HttpOptions};
use crate::limits::Limits;
use crate::protocol::{RuntimeStatus, Tags};
use crate::registry::{Interceptor, VersionMatch};
use crate::store::{Durability, Store};

/// Every setting of a [`TaskHubBuilder`](super::TaskHubBuilder). `None` means the default, which
/// `opening.rs` sets.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) place: Place,
    pub(crate) durability: Option<Durability>,
    /// Whether annotated functions are registered automatically.
    pub(crate) collect: bool,
    /// Functions registered by hand.
    pub(crate) registered: Vec<Entry>,
    pub(crate) states: States,
    #[cfg(feature = "http")]
    pub(crate) http: HttpOptions,
    pub(crate) activity_concurrency: Option<usize>,
    pub(crate) activity_grace: Option<Duration>,
    pub(crate) entity_concurrency: Option<usize>,
    pub(crate) live_instances: Option<usize>,
    pub(crate) live_bytes: Option<usize>,
    pub(crate) waiting_requests: Option<usize>,
    pub(crate) partitions: Option<u16>,
    /// The name of this process among those that share the hub.
    pub(crate) node_name: Option<String>,
    /// Whether this process owns no partitions.
    pub(crate) is_client: bool,
    pub(crate) version_match: VersionMatch,
    pub(crate) settings: Settings,
    pub(crate) verify_on_open: bool,
    /// The virtual time of a test, which advances only when the hub is idle.
    pub(crate) time: Option<Arc<VirtualTime>>,
    /// Replaces functions by mocks in a test.
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
            #[cfg(feature = "http")]
            http: HttpOptions::default(),
            activity_concurrency: None,
            activity_grace: None,
            entity_concurrency: None,
            live_instances: None,
            live_bytes: None,
            waiting_requests: None,
            partitions: None,
            node_name: None,
            is_client: false,
            version_match: VersionMatch::default(),
            settings: Settings::default(),
            verify_on_open: false,
            time: None,
            interceptor: None,
        }
    }
}

impl Options {
    /// Adds the states that activities use through their context.
    pub(crate) fn with_built_in_states(mut self) -> Self {
        let clock = Clock::new(self.time.clone());
        self.states.insert(Now(Box::new(move || clock.now())));
        #[cfg(feature = "http")]
        self.states.insert(HttpClient::new(std::mem::take(&mut self.http)));
        self
    }
}

/// Where a hub stores its data.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Not set.
    Nowhere,
    #[cfg(feature = "sled")]
    Path(PathBuf),
    Store(Arc<dyn Store>),
}

/// The settings that partitions need.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    /// How much is done at once.
    pub(crate) sizes: Sizes,
    /// Whether every episode is replayed from scratch and compared.
    pub(crate) verify: bool,
    pub(crate) retention: Retention,
    /// The properties of new executions.
    pub(crate) properties: Arc<Tags>,
    /// What is started for lifecycle events, if anything is.
    pub(crate) hooks: Option<Arc<Hooks>>,
}

impl Settings {
    /// Passes on settings that are given in one place and needed in another.
    pub(crate) fn complete(&mut self) {
        if let Some(hooks) = &mut self.hooks {
            Arc::make_mut(hooks).properties.clone_from(&self.properties);
        }
    }
}

/// How long finished instances are kept; by default forever.
///
/// The time counts from the end of the instance, and depends on its status. An instance keeps the
/// retention that was set when it ended.
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
    /// Keeps finished instances forever.
    pub fn forever() -> Self {
        Self::default()
    }

    /// Keeps every finished instance for this long, whatever its status.
    pub fn all(time: Duration) -> Self {
        Self { completed: Some(time), failed: Some(time), terminated: Some(time) }
    }

    /// Keeps completed instances for this long.
    #[must_use]
    pub fn completed(self, time: Duration) -> Self {
        Self { completed: Some(time), ..self }
    }

    /// Keeps failed instances for this long.
    #[must_use]
    pub fn failed(self, time: Duration) -> Self {
        Self { failed: Some(time), ..self }
    }

    /// Keeps terminated instances for this long.
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
