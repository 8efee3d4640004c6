//! How far a hub has been shut down, and what a shutdown gave up. `client/shutdown.rs` has the rules.

use std::fmt;
use std::sync::Mutex;

use tokio::sync::watch;

use super::time::wait::Deadline;
use crate::protocol::InstanceId;

/// What a [`shutdown_within`](crate::TaskHub::shutdown_within) did not wait for.
///
/// Activities and operations are carried out again when the hub is next opened, since nothing was
/// recorded of them. While a thread still runs the hub's folder stays locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The activities that were running: the instance and the name of the activity.
    pub activities: Vec<(InstanceId, String)>,
    /// The entities whose operations were running.
    pub entities: Vec<String>,
    /// The threads of the hub that were running: of a partition (`durable-3`) whose orchestrator does
    /// not return, or one that waits for the store.
    pub threads: Vec<String>,
}

impl ShutdownReport {
    /// Whether everything came to its end in time.
    pub fn is_complete(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_complete() {
            return f.write_str("everything came to its end");
        }
        let activity = |(id, name): &(InstanceId, String)| format!("`{name}` of instance `{id}`");
        let activities = self.activities.iter().map(activity).collect();
        let mut parts = Vec::new();
        for (what, names) in [
            ("activities", activities),
            ("operations of entities", self.entities.clone()),
            ("threads", self.threads.clone()),
        ] {
            if !names.is_empty() {
                parts.push(format!("{what}: {}", names.join(", ")));
            }
        }
        write!(f, "given up while still running: {}", parts.join("; "))
    }
}

/// How far a hub is stopped.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    /// Told when it is over; none before it begins.
    pub(super) ended: Mutex<Option<watch::Receiver<Option<ShutdownReport>>>>,
    /// Until when running activities and operations are waited for.
    pub(super) draining: Deadline,
    /// Until when the hub's threads are waited for.
    pub(super) writing: Deadline,
}
