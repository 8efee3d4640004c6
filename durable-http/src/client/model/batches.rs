//! Batches, which act on all instances that match a filter.

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::client::{BatchAction, InstanceFilter};

/// A batch and what it has done so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// Its status.
    pub runtime_status: RuntimeStatus,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it changed last.
    pub last_updated_at: DateTime<Utc>,
    /// What it has done so far; `None` before its first page.
    pub progress: Option<BatchProgress>,
}

/// What a batch has done so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchProgress {
    /// Instances that matched.
    pub matched: u64,
    /// Instances on which the action had its effect.
    pub done: u64,
    /// Instances on which the action had no effect, because they had ended, had changed, and so on.
    pub skipped: u64,
    /// Instances on which the action failed.
    pub failed: u64,
    /// The first 50 failures.
    pub errors: Vec<BatchError>,
    /// The ids of the first 50 matching instances, in a dry run.
    pub instance_ids: Vec<String>,
}

/// Why the action of a batch failed on an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchError {
    /// The instance.
    pub instance_id: String,
    /// The code of the error, such as `no-such-instance`.
    pub code: String,
    /// What failed.
    pub detail: String,
}

/// A batch with its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BatchDetails {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// The filter of the instances that the batch acts on.
    pub query: InstanceFilter,
    /// The action on each instance.
    pub action: BatchAction,
    /// Whether the batch only counts the instances.
    pub dry_run: bool,
    /// The maximum number of instances per second.
    pub per_second: u32,
    /// Why the batch failed, if it did.
    pub failure: Option<String>,
}

impl<'de> Deserialize<'de> for BatchDetails {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            query: InstanceFilter,
            action: BatchAction,
            dry_run: bool,
            per_second: u32,
            failure: Option<String>,
        }

        // `flatten` cannot read the values of users, which are kept as text.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let batch = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let Asked { query, action, dry_run, per_second, failure } =
            serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { batch, query, action, dry_run, per_second, failure })
    }
}
