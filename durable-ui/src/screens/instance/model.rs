//! The answers of `/api/v1` about one instance.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::protocol::{Json, TraceContext};
use durable_http::client::{Failure, Suspension};
use serde::Deserialize;

use crate::api::model::{Parent, name_and_version};

/// The answer of `instances/{id}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details {
    pub(crate) instance_id: String,
    pub(crate) execution_id: String,
    pub(crate) name: String,
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
    pub(crate) generation: u64,
    #[serde(default)]
    pub(crate) history_len: u64,
    pub(crate) input: Json,
    #[serde(default)]
    pub(crate) output: Option<Json>,
    #[serde(default)]
    pub(crate) failure: Option<Failure>,
    #[serde(default)]
    pub(crate) termination_reason: Option<String>,
    #[serde(default)]
    pub(crate) code_hash: Option<String>,
    #[serde(default)]
    pub(crate) trace_context: Option<TraceContext>,
}

impl Details {
    /// `checkout@3`.
    pub(crate) fn name_and_version(&self) -> String {
        name_and_version(&self.name, self.version.as_deref())
    }

    /// When it ended.
    pub(crate) fn ended_at(&self) -> Option<DateTime<Utc>> {
        self.runtime_status.is_finished().then_some(self.last_updated_at)
    }
}
