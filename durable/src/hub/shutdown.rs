//! The progress of a hub's shutdown, and the report of the work that it gave up.
//! `client/shutdown.rs` has the rules.

use std::fmt;
use std::sync::Mutex;

use tokio::sync::watch;

use super::time::wait::Deadline;
use crate::protocol::InstanceId;

/// The work that was still running when [`shutdown_within`](crate::TaskHub::shutdown_within)
/// returned.
///
/// These activities and operations run again when the hub is next opened, because no result was
/// recorded. The hub's folder stays locked while one of the hub's threads runs.
///
/// ```
/// use std::time::Duration;
///
/// async fn stop(hub: durable::TaskHub) -> durable::Result<()> {
///     let report = hub.shutdown_within(Duration::from_secs(10)).await?;
///     for (instance, activity) in &report.activities {
///         eprintln!("{activity} of {instance} was still running");
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The activities that were running: instance id and activity name.
    pub activities: Vec<(InstanceId, String)>,
    /// The entities whose operations were running.
    pub entities: Vec<String>,
    /// The hub's threads that were running: for example the thread of a partition (`durable-3`)
    /// whose orchestrator does not return, or a thread that is blocked in the store.
    pub threads: Vec<String>,
}

impl ShutdownReport {
    /// Returns `true` if all work had ended.
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

/// The state of a hub's shutdown.
#[derive(Debug, Default)]
pub(crate) struct Stopping {
    /// Receives the report when the shutdown is over; `None` before the shutdown begins.
    pub(super) ended: Mutex<Option<watch::Receiver<Option<ShutdownReport>>>>,
    /// When to stop waiting for running activities and operations.
    pub(super) draining: Deadline,
    /// When to stop waiting for the hub's threads.
    pub(super) writing: Deadline,
}
