//! Values that a codec encodes before they are stored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use durable::client::{InstanceQuery, TaskHub};
use durable::prelude::*;
use durable::protocol::InstanceId;
use durable::protocol::PartitionId;
use durable::store::{
    EncodedPayload, EncodedStore, InstanceFilter, MemoryStore, PayloadCodec, Store, StoreError,
};
use durable::testing::TestHub;
use durable::testing::conformance::StoreUnderTest;
use serde::{Deserialize, Serialize};

/// The letters that stand for encoded bytes begin here.
const LETTERS: u32 = 0x4e00;

/// Shifts each byte by a key, which suffices to detect what would be stored in clear text.
#[derive(Clone, Debug)]
struct Shift {
    keys: Vec<u8>,
}

impl PayloadCodec for Shift {
    fn encode(&self, text: &str, id: &InstanceId) -> Result<EncodedPayload, StoreError> {
        let key = self.keys.last().copied().unwrap_or_default();
        let byte = |byte: u8| char::from_u32(LETTERS + u32::from(byte.wrapping_add(key)));
        let data: String = format!("{id}\n{text}").bytes().filter_map(byte).collect();
        Ok(EncodedPayload::new(key.to_string(), data))
    }

    fn decode(&self, payload: &EncodedPayload, id: &InstanceId) -> Result<String, StoreError> {
        let fail = |why: String| StoreError::backend("cannot decode a value", why);
        let key = self.keys.iter().find(|key| key.to_string() == payload.key);
        let key = key.ok_or_else(|| fail(format!("the key `{}` is missing", payload.key)))?;
        let byte = |letter: char| u8::try_from(u32::from(letter).checked_sub(LETTERS)?).ok();
        let bytes = payload.data.chars().map(|letter| Some(byte(letter)?.wrapping_sub(*key)));
        let bytes: Option<Vec<u8>> = bytes.collect();
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let text = text.ok_or_else(|| fail("it is damaged".into()))?;
        match text.split_once('\n') {
            Some((owner, text)) if owner == id.as_str() => Ok(text.to_owned()),
            _ => Err(fail(format!("it is not a value of `{id}`"))),
        }
    }
}

type Encoded = EncodedStore<Arc<MemoryStore>, Shift>;

fn over(store: &Arc<MemoryStore>, keys: &[u8]) -> Encoded {
    EncodedStore::new(Arc::clone(store), Shift { keys: keys.into() })
}

/// Hides nothing, but is fast with large values.
#[derive(Debug)]
struct Named;

impl PayloadCodec for Named {
    fn encode(&self, text: &str, id: &InstanceId) -> Result<EncodedPayload, StoreError> {
        Ok(EncodedPayload::new("named", format!("{id}\n{text}")))
    }

    fn decode(&self, payload: &EncodedPayload, id: &InstanceId) -> Result<String, StoreError> {
        let text = payload.data.split_once('\n').filter(|(owner, _)| *owner == id.as_str());
        let (_, text) = text.ok_or_else(|| StoreError::backend("cannot decode", "another id"))?;
        Ok(text.to_owned())
    }
}

#[derive(Debug, Default)]
pub(super) struct InMemory(Arc<MemoryStore>);

impl StoreUnderTest for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(EncodedStore::new(Arc::clone(&self.0), Named))
    }
}

static HAS_FAILED: AtomicBool = AtomicBool::new(false);

#[activity]
async fn book(secret: String) -> Result<String> {
    if !HAS_FAILED.swap(true, Ordering::SeqCst) {
        return Err(Error::msg(format!("no room for {secret}")));
    }
    Ok(format!("booked {secret}"))
}

#[entity]
impl Vault {
    fn put(&mut self, secret: String) {
        self.secret = secret;
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Vault {
    secret: String,
}

#[orchestrator]
async fn trip(ctx: &OrchestrationContext, secret: String) -> Result<String> {
    ctx.set_custom_status(&secret)?;
    let retry = RetryPolicy::new(2, Duration::from_secs(1));
    let booked = book(secret.clone()).retry(retry).await?;
    Vault::at("a").put(secret).await?;
    let event = ctx.wait_for_external_event::<String>("Go").await?;
    Ok(format!("{booked} {event}"))
}

/// Everything that the wrapped store contains, as text.
fn content(store: &MemoryStore) -> String {
    let mut content = String::new();
    for entities in [false, true] {
        let mut filter = InstanceFilter::default();
        filter.entities = entities;
        for record in store.instances(&filter, None, 99).unwrap().instances {
            let events = store.history(&record.instance_id, record.execution_id, 0).unwrap();
            content += &serde_json::to_string(&(record, events)).unwrap();
        }
    }
    for partition in 0..8 {
        let messages = store.messages(PartitionId(partition), None, 0..u64::MAX, 99).unwrap();
        content += &serde_json::to_string(&messages).unwrap();
    }
    content
}

#[tokio::test]
async fn no_value_of_a_user_is_stored_in_clear() {
    let store = Arc::new(MemoryStore::default());
    let hub =
        TestHub::builder().configure(|hub| hub.store(over(&store, &[7]))).open().await.unwrap();
    let run = hub.start(trip("mauritius".to_owned()).instance_id("trip")).await.unwrap();
    run.raise_event("Go", "mauritius now").await.unwrap();
    assert_eq!(run.result().await.unwrap(), "booked mauritius mauritius now");
    assert_eq!(run.custom_status::<String>().await.unwrap().as_deref(), Some("mauritius"));
    let stopped = hub.start(trip("mauritius".to_owned()).instance_id("stopped")).await.unwrap();
    stopped.suspend("mauritius is closed").await.unwrap();
    stopped.terminate("mauritius is closed").await.unwrap();
    let content = content(&store);
    assert!(content.contains("TaskAttemptFailed") && content.contains("EntityState"));
    assert!(!content.contains("mauritius"), "{content}");
}

#[orchestrator]
async fn echo(ctx: &OrchestrationContext, secret: String) -> Result<String> {
    ctx.set_custom_status(&secret)?;
    ctx.wait_for_external_event::<()>("Go").await?;
    Ok(secret)
}

#[tokio::test]
async fn values_stay_readable_when_a_codec_is_added_and_its_key_changes() {
    let store = Arc::new(MemoryStore::default());
    let hub = TaskHub::builder().store(Arc::clone(&store)).open().await.unwrap();
    hub.start(echo("in clear".to_owned()).instance_id("a")).await.unwrap();
    hub.shutdown().await.unwrap();
    let hub = TaskHub::builder().store(over(&store, &[1])).open().await.unwrap();
    hub.start(echo("first key".to_owned()).instance_id("b")).await.unwrap();
    hub.shutdown().await.unwrap();
    let hub = TaskHub::builder().store(over(&store, &[1, 2])).open().await.unwrap();
    hub.start(echo("second key".to_owned()).instance_id("c")).await.unwrap();
    for (id, secret) in [("a", "in clear"), ("b", "first key"), ("c", "second key")] {
        let query = InstanceQuery::new().custom_status(secret);
        let found = hub.query(&query).await.unwrap();
        assert_eq!(found.items.len(), 1, "{secret}");
        assert_eq!(found.items[0].instance_id.as_str(), id);
        let run = hub.instance(id).unwrap();
        run.raise_event("Go", &()).await.unwrap();
        run.wait_for_completion().await.unwrap();
        let output = run.details().await.unwrap().output.unwrap();
        assert_eq!(output.read::<String>().unwrap(), secret);
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_missing_key_and_a_value_of_another_instance_are_errors_that_say_so() {
    let store = Arc::new(MemoryStore::default());
    let hub = TaskHub::builder().store(over(&store, &[1])).open().await.unwrap();
    let run = hub.start(echo("secret".to_owned()).instance_id("a")).await.unwrap();
    let execution = run.status().await.unwrap().execution_id;
    hub.shutdown().await.unwrap();
    let read = |keys: &[u8], id: &str| {
        let id = InstanceId::new(id).unwrap();
        let error = over(&store, keys).history(&id, execution, 0).unwrap_err();
        format!("{error}: {}", std::error::Error::source(&error).unwrap())
    };
    assert_eq!(read(&[2], "a"), "cannot decode a value: the key `1` is missing");
    let codec = Shift { keys: vec![1] };
    let of_a = codec.encode("secret", &InstanceId::new("a").unwrap()).unwrap();
    let error = codec.decode(&of_a, &InstanceId::new("b").unwrap()).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "it is not a value of `b`");
}
