//! The fuzz targets that need the public API only: for each kind of text or bytes that comes from
//! outside, a function that reads it. It must neither panic nor hang, and what it reads must be
//! written and read again as the same.

use std::fs;

use durable::InstanceId;
use durable::protocol::codec::{self, Record};
use durable::protocol::{
    EntityId, HistoryEvent, HubRecord, InstanceRecord, Json, TaskMessage, TraceContext,
};
use durable::schedule::Schedule;
use durable::testing::RecordedHistory;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A stored record of any kind.
pub(crate) fn records(bytes: &[u8]) {
    record::<HubRecord>(bytes);
    record::<InstanceRecord>(bytes);
    record::<TaskMessage>(bytes);
    record::<HistoryEvent>(bytes);
    record::<Vec<HistoryEvent>>(bytes);
}

fn record<R: Record + Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(record) = codec::decode::<R>(bytes) {
        let written = codec::encode(&record).expect("what was read can be written");
        assert_eq!(codec::decode::<R>(&written).expect("and read again"), record);
    }
}

/// A file with a recorded history.
pub(crate) fn histories(bytes: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder for the file");
    let path = folder.path().join("history.json");
    fs::write(&path, bytes).expect("the file can be written");
    if let Ok(history) = RecordedHistory::load(&path) {
        history.save(&path).expect("what was read can be written");
        let again = RecordedHistory::load(&path).expect("and read again");
        assert_eq!(again.events(), history.events());
        // No orchestration of this name is registered.
        drop(durable::testing::verify_replay(&history));
    }
}

/// The id of an instance or of an entity.
pub(crate) fn ids(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(id) = InstanceId::new(text) {
        assert_eq!(InstanceId::new(id.as_str()), Ok(id));
    }
    if let Ok(stored) = InstanceId::try_from(text.to_owned()) {
        // The GUID in the id of a signal is written in lower case.
        assert_eq!(stored.as_str().to_lowercase(), text.to_lowercase());
    }
    if let Ok(id) = EntityId::try_from(text.to_owned()) {
        assert_eq!(EntityId::try_from(id.to_string()).map(|id| id.to_string()), Ok(id.to_string()));
    }
    let (name, key) = text.split_once('\n').unwrap_or((text, text));
    drop(EntityId::new(name, key));
}

/// A cron pattern, which is checked by looking for its next time.
pub(crate) fn cron(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    drop(Schedule::cron(text));
}

/// The headers of a trace context.
pub(crate) fn traces(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(context) = TraceContext::parse(text) {
        assert_eq!(TraceContext::parse(context.traceparent()), Ok(context.clone()));
        assert_eq!((context.trace_id().len(), context.span_id().len()), (32, 16));
    }
    drop(serde_json::from_str::<TraceContext>(text));
}

/// A value of a user.
pub(crate) fn values(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Ok(json) = Json::parse(text) {
        drop(json.read::<serde_json::Value>());
        drop(json.read::<Vec<String>>());
        drop(json.inside());
    }
}
