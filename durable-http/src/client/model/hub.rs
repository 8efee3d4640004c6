//! The hub itself: its metrics, its registered functions, and lifecycle events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::client::LifecycleKind;
use serde::{Deserialize, Serialize};

use crate::access::Role;

/// The partitions, processes and storage of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Hub {
    /// The name of the hub in links.
    pub task_hub_name: String,
    /// The version of the crate that serves the HTTP API.
    pub version: String,
    /// The number of partitions.
    pub partitions: u64,
    /// The size of the store on disk, in bytes.
    pub disk_bytes: u64,
    /// The memory that the store uses, in bytes.
    pub memory_bytes: u64,
    /// How long recent commits took; `None` before the first one.
    #[serde(default)]
    pub commits: Option<CommitLatency>,
    /// Metrics of the store, by name.
    pub figures: BTreeMap<String, u64>,
    /// The processes that share the hub; empty if the server does not report them.
    #[serde(default)]
    pub nodes: Vec<HubNode>,
    /// The partitions that no process owns.
    #[serde(default)]
    pub free_partitions: Vec<u16>,
    /// The partitions that no process may own, because some of their stored data cannot be read.
    #[serde(default)]
    pub parked_partitions: Vec<ParkedPartition>,
    /// The partitions that are pinned to a process.
    #[serde(default)]
    pub pinned_partitions: Vec<PinnedPartition>,
    /// The frozen partitions, which stay with their current owner.
    #[serde(default)]
    pub frozen_partitions: Vec<FrozenPartition>,
}

/// How long recent commits took in the process that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CommitLatency {
    /// The number of commits, at most 512.
    pub count: u64,
    /// The median, in microseconds.
    pub p50_micros: u64,
    /// The 99th percentile, in microseconds.
    pub p99_micros: u64,
}

/// A partition that is pinned to a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PinnedPartition {
    /// The partition.
    pub partition: u16,
    /// The name of the process.
    pub node: String,
}

/// A frozen partition, which stays with its current owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FrozenPartition {
    /// The partition.
    pub partition: u16,
    /// Why it was frozen.
    pub reason: String,
}

/// A partition that no process may own, because some of its stored data cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ParkedPartition {
    /// The partition.
    pub partition: u16,
    /// Why it was parked.
    pub reason: String,
}

/// The result of retrying a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RetriedPartition {
    /// Whether the partition was parked.
    pub was_parked: bool,
}

/// A process that shares the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HubNode {
    /// The name of the process, for people.
    pub name: String,
    /// Whether the process owns no partitions and only sends requests to the owners.
    pub is_client: bool,
    /// Whether this is the process that answers.
    pub is_this: bool,
    /// When the process joined.
    pub joined_at: DateTime<Utc>,
    /// When the process was last seen.
    pub seen_at: DateTime<Utc>,
    /// The partitions that the process owns.
    pub partitions: Vec<u16>,
}

/// The activities that run now, longest-running first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunningActivities {
    /// The activities.
    pub items: Vec<RunningActivity>,
    /// The number of activities that wait for a free slot, by name.
    #[serde(default)]
    pub waiting: BTreeMap<String, u64>,
    /// The maximum number of activities that run at once; 0 if the server does not report it.
    #[serde(default)]
    pub concurrency: u64,
}

/// An activity that runs now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RunningActivity {
    /// The instance that called it.
    pub instance_id: String,
    /// The execution of the instance.
    pub execution_id: String,
    /// The number of the call in the history.
    pub event_id: i64,
    /// The name of the activity.
    pub name: String,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When the attempt began.
    pub since: DateTime<Utc>,
}

/// The permissions of a client's key, and the time of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Access {
    /// The role of the key.
    pub role: Role,
    /// The name of the hub in links.
    pub task_hub_name: String,
    /// The version of the crate that serves the HTTP API.
    pub version: String,
    /// The time of the hub.
    pub now: DateTime<Utc>,
}

/// Statistics of the attempts of activities in recent instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActivityStatistics {
    /// The activities, by name.
    pub items: Vec<ActivityAttempts>,
    /// The number of instances that were read.
    pub instances: u64,
    /// The number of events that were read.
    pub events: u64,
    /// Whether some matching instances were not read.
    pub approximate: bool,
}

/// Statistics of the attempts of an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActivityAttempts {
    /// The name of the activity.
    pub name: String,
    /// The number of calls.
    pub calls: u64,
    /// The number of attempts that have ended.
    pub attempts: u64,
    /// The number of attempts that have failed.
    pub failed_attempts: u64,
    /// The median run time, in microseconds; `None` if no start time is recorded.
    pub median_micros: Option<u64>,
    /// The 95th percentile of the run times, in microseconds.
    pub p95_micros: Option<u64>,
    /// The longest run time, in microseconds.
    pub max_micros: Option<u64>,
    /// The 95th percentile of the time until the first attempt begins, in microseconds.
    pub waited_p95_micros: Option<u64>,
    /// The latest failure.
    pub last_failure: Option<AttemptFailure>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AttemptFailure {
    /// The instance that called the activity.
    pub instance_id: String,
    /// When the attempt failed.
    pub at: DateTime<Utc>,
    /// The kind of failure.
    pub error_type: String,
    /// What went wrong.
    pub message: String,
}

/// The functions that a hub can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Registered {
    /// The orchestrators.
    pub orchestrators: Vec<RegisteredFunction>,
    /// The activities.
    pub activities: Vec<RegisteredFunction>,
    /// The entity types.
    pub entities: Vec<RegisteredEntity>,
}

/// An orchestrator or activity that a hub can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegisteredFunction {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// The file that defines it.
    pub file: String,
    /// The line in the file.
    pub line: u32,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// A hash of its source, in hexadecimal; empty if the server does not report it.
    #[serde(default)]
    pub code_hash: String,
    /// The maximum number of calls of the activity that run at once in a process.
    #[serde(default)]
    pub max_concurrent: Option<u64>,
}

/// A parameter of a function or operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type, as written in the source.
    pub type_name: String,
}

/// An entity type that a hub can run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RegisteredEntity {
    /// Its name.
    pub name: String,
    /// The file that defines it.
    pub file: String,
    /// The line in the file.
    pub line: u32,
    /// Its operations.
    pub operations: Vec<RegisteredOperation>,
}

/// An operation of an entity type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RegisteredOperation {
    /// Its name.
    pub name: String,
    /// Whether the operation leaves the state unchanged.
    pub is_read_only: bool,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
}

/// A change in the life of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct LifecycleEvent {
    /// The instance.
    pub instance_id: String,
    /// The name of its orchestration.
    pub name: String,
    /// The version of its orchestration.
    pub version: Option<String>,
    /// The instance that called it.
    pub parent: Option<String>,
    /// What happened.
    pub kind: LifecycleKind,
    /// The status of the instance after the change.
    pub status: RuntimeStatus,
    /// When the change happened.
    pub at: DateTime<Utc>,
    /// When the instance was started.
    pub created_at: DateTime<Utc>,
    /// The reason for the change, if one is known.
    pub reason: Option<String>,
}
