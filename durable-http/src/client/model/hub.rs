//! The hub itself: its figures, the functions that it can run, and lifecycle events.

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
    /// Its name in links.
    pub task_hub_name: String,
    /// The version of the HTTP API's crate.
    pub version: String,
    /// The number of partitions.
    pub partitions: u64,
    /// How much the store has on disk, in bytes.
    pub disk_bytes: u64,
    /// How much the store has in memory, in bytes.
    pub memory_bytes: u64,
    /// How long the last commits took; `None` before the first one.
    #[serde(default)]
    pub commits: Option<CommitLatency>,
    /// Figures of the store.
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
    /// The partitions that a certain process should own.
    #[serde(default)]
    pub pinned_partitions: Vec<PinnedPartition>,
    /// The partitions that do not move.
    #[serde(default)]
    pub frozen_partitions: Vec<FrozenPartition>,
}

/// How long the last commits of the process that answers took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CommitLatency {
    /// The number of commits, at most 512.
    pub count: u64,
    /// Half of them took at most so many microseconds.
    pub p50_micros: u64,
    /// 99 of 100 took at most so many microseconds.
    pub p99_micros: u64,
}

/// A partition that a certain process should own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PinnedPartition {
    /// The partition.
    pub partition: u16,
    /// The name of the process.
    pub node: String,
}

/// A partition that does not move.
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

/// What the retry of a partition has done.
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
    /// A name for people.
    pub name: String,
    /// Whether it owns no partitions, and only sends requests to those of others.
    pub is_client: bool,
    /// Whether it is the process that answers.
    pub is_this: bool,
    /// When it joined.
    pub joined_at: DateTime<Utc>,
    /// When it was last seen.
    pub seen_at: DateTime<Utc>,
    /// The partitions that it owns.
    pub partitions: Vec<u16>,
}

/// The activities that run now, those that have run longest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RunningActivities {
    /// The activities.
    pub items: Vec<RunningActivity>,
    /// The number of activities that wait for a free slot, by name.
    #[serde(default)]
    pub waiting: BTreeMap<String, u64>,
    /// The most activities that run at once; 0 if the server does not report it.
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

/// What the key of a client allows, and the time of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Access {
    /// The role of the key.
    pub role: Role,
    /// The name of the hub in links.
    pub task_hub_name: String,
    /// The version of the HTTP API's crate.
    pub version: String,
    /// The time of the hub.
    pub now: DateTime<Utc>,
}

/// The attempts of activities in recent instances.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActivityStatistics {
    /// The activities, by name.
    pub items: Vec<ActivityAttempts>,
    /// The instances that were read.
    pub instances: u64,
    /// The events that were read.
    pub events: u64,
    /// Whether more instances match that were not read.
    pub approximate: bool,
}

/// The attempts of an activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ActivityAttempts {
    /// The name of the activity.
    pub name: String,
    /// The calls.
    pub calls: u64,
    /// The attempts that have ended.
    pub attempts: u64,
    /// The attempts that have failed.
    pub failed_attempts: u64,
    /// The median of the run times, in microseconds; `None` if no beginning is recorded.
    pub median_micros: Option<u64>,
    /// The run time that 95 % of the attempts do not exceed, in microseconds.
    pub p95_micros: Option<u64>,
    /// The longest run time, in microseconds.
    pub max_micros: Option<u64>,
    /// The time that 95 % of the first attempts do not exceed until they begin, in microseconds.
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
    /// The most calls of the activity that run at once in a process.
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
    /// Its type, as the source writes it.
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
    /// Whether it changes nothing.
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
    /// Its status afterwards.
    pub status: RuntimeStatus,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// Why, if there is a reason.
    pub reason: Option<String>,
}
