//! Events of a history, and the child instances that it records.

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::protocol::Json;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// An event of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Event {
    /// The index of the event in the history, from 0.
    pub index: u64,
    /// When the event happened.
    pub timestamp: DateTime<Utc>,
    /// The kind of the event, such as `TaskScheduled`.
    pub kind: String,
    /// The number of the request, if the event is a request of the orchestrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<i64>,
    /// The fields that depend on the kind: an object, or `null`.
    pub data: Json,
}

/// A page of a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HistoryPage {
    /// The execution that the history belongs to.
    pub execution_id: String,
    /// The events.
    pub items: Vec<Event>,
    /// The argument of [`from`](crate::client::Request::from) for the next page; `None` on the last
    /// page.
    pub next: Option<u64>,
    /// The number of events in the history.
    pub length: u64,
}

/// An event of a history that is followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FollowedEvent {
    /// The execution that the event belongs to.
    pub execution_id: String,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

impl<'de> Deserialize<'de> for FollowedEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Execution {
            execution_id: String,
        }

        // `flatten` cannot read the data, which are kept as text.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let event = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let Execution { execution_id } =
            serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { execution_id, event })
    }
}

/// An instance that another one called or started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Child {
    /// Its id.
    pub instance_id: String,
    /// The name of its orchestration.
    pub name: String,
    /// The requested version.
    pub version: Option<String>,
    /// The number of the request in the history.
    pub event_id: i64,
    /// Whether the parent started the child without waiting for its result.
    pub detached: bool,
    /// Its status; `None` if it was removed.
    pub runtime_status: Option<RuntimeStatus>,
}
