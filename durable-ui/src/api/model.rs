//! The answers of `/api/v1`, with the fields that pages show.

#![allow(clippy::struct_field_names, reason = "the names are those of the API")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::protocol::Json;
use durable_http::client::{CommitLatency, Suspension};
use serde::Deserialize;

/// A page of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Items<T> {
    pub(crate) items: Vec<T>,
    #[serde(default)]
    pub(crate) next: Option<String>,
}

/// An instance in a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Instance {
    pub(crate) instance_id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: Option<String>,
    pub(crate) runtime_status: RuntimeStatus,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) last_updated_at: DateTime<Utc>,
    #[serde(default)]
    pub(crate) suspension: Option<Suspension>,
    #[serde(default)]
    pub(crate) parent: Option<Parent>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) custom_status: Option<Json>,
    #[serde(default)]
    pub(crate) failure: Option<Cause>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Parent {
    pub(crate) instance_id: String,
}

/// The failure of an instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Cause {
    pub(crate) message: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Hub {
    pub(crate) version: String,
    pub(crate) partitions: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) commits: Option<CommitLatency>,
}

/// A schedule, with the fields that lists show.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    pub(crate) id: String,
    pub(crate) orchestration: String,
    pub(crate) last_run_at: Option<DateTime<Utc>>,
    pub(crate) next_run_at: Option<DateTime<Utc>>,
}

/// The client: the answer of `access`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Granted {
    pub(crate) role: String,
    pub(crate) task_hub_name: String,
    pub(crate) version: String,
    pub(crate) now: DateTime<Utc>,
}

/// `checkout@3`.
pub(crate) fn name_and_version(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"))
}

impl Instance {
    /// Whether it has ended, so that it has a duration.
    pub(crate) fn is_finished(&self) -> bool {
        self.runtime_status.is_finished()
    }

    /// `checkout@3`.
    pub(crate) fn name_and_version(&self) -> String {
        name_and_version(&self.name, self.version.as_deref())
    }
}
