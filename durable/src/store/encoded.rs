//! A wrapper around a store that encodes the values of users, for example to encrypt them.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Assignment, BackupReport, Cluster, ClusterRequest, Commit, Creation, CreationOrder,
    EpisodeWrite, Epoch, InstanceFilter, InstancePage, Members, Node, PartitionState, Received,
    ReceivedMessage, RequestId, Store, StoreError, StoreTransactions, Usage, chain,
};
use crate::protocol::{
    ExecutionId, FailureDetails, HistoryEvent, HubRecord, InstanceId, InstanceRecord, Json,
    PartitionId, TaskMessage, Text, Timestamp,
};
use crate::transaction::EffectCodec;

/// Encodes the values of users before they are stored, and decodes them when they are read: for
/// encryption at rest, or to keep large values elsewhere.
///
/// An [`EncodedStore`] calls the codec for every input, output, event, entity state and custom
/// status, and for the messages and values of failures and the reasons that clients give. Instance
/// ids, names of functions and events, error types, tags, properties, versions and times are not
/// encoded, because the hub searches for them.
///
/// The codec runs on the threads that read and commit, so it must be fast: fetch keys when the
/// program starts, not for each value. A panic in the codec becomes an error of the store.
///
/// The example `encrypted` encrypts. This codec only shows the shape:
///
/// ```
/// use durable::protocol::InstanceId;
/// use durable::store::{EncodedPayload, EncodedStore, MemoryStore, PayloadCodec, StoreError};
///
/// /// Writes every text backwards.
/// #[derive(Debug)]
/// struct Reversed;
///
/// impl PayloadCodec for Reversed {
///     fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
///         Ok(EncodedPayload::new("reversed", text.chars().rev().collect::<String>()))
///     }
///
///     fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
///         match payload.key.as_str() {
///             "reversed" => Ok(payload.data.chars().rev().collect()),
///             key => Err(StoreError::backend("cannot decode a value", format!("no key `{key}`"))),
///         }
///     }
/// }
///
/// let store = EncodedStore::new(MemoryStore::default(), Reversed);
/// ```
pub trait PayloadCodec: Send + Sync + fmt::Debug + 'static {
    /// Encodes a text that belongs to an instance. Encryption should authenticate the instance id,
    /// so that an attacker with access to the store cannot move a value to another instance.
    ///
    /// # Errors
    /// Any error in a commit stops the hub, even one of [`StoreError::unavailable`]. No
    /// acknowledged data is lost; but if the same call may succeed later, retry it here.
    fn encode(&self, text: &str, instance: &InstanceId) -> Result<EncodedPayload, StoreError>;

    /// Decodes what [`encode`](Self::encode) returned, perhaps in an earlier release and with
    /// another key.
    ///
    /// # Errors
    /// The text cannot be decoded. If the key is not known, the error should name the missing key.
    fn decode(&self, payload: &EncodedPayload, instance: &InstanceId)
    -> Result<String, StoreError>;
}

/// An encoded text, with the name of the key that decodes it.
///
/// ```
/// let payload = durable::store::EncodedPayload::new("2026-11", "c2VjcmV0");
/// assert_eq!(payload.key, "2026-11");
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EncodedPayload {
    /// The name of the key. New values may use another key; keep the old keys until no value uses
    /// them.
    pub key: String,
    /// The encoded text, for example the Base64 of a nonce and a ciphertext.
    pub data: String,
}

impl EncodedPayload {
    /// Creates an encoded text from the name of its key and the encoded data.
    ///
    /// ```
    /// use durable::store::EncodedPayload;
    ///
    /// assert_eq!(EncodedPayload::new("2026-11", "c2VjcmV0").key, "2026-11");
    /// ```
    pub fn new(key: impl Into<String>, data: impl Into<String>) -> Self {
        Self { key: key.into(), data: data.into() }
    }
}

/// Without the data.
impl fmt::Debug for EncodedPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, data } = self;
        f.debug_struct("EncodedPayload").field("key", key).field("bytes", &data.len()).finish()
    }
}

/// An encoded text as it is stored: a JSON object, also in the place of a plain text.
#[derive(Serialize, Deserialize)]
struct Envelope {
    #[serde(rename = "durable.encoded")]
    format: u8,
    #[serde(flatten)]
    payload: EncodedPayload,
}

/// How every envelope begins.
const ENVELOPE: &str = "{\"durable.encoded\":";

/// A store whose values are encoded by a [`PayloadCodec`].
///
/// Values that were stored earlier without a codec can still be read, and are encoded when they are
/// written again. A program that opens the hub without the codec sees encoded texts, so its
/// functions fail to read their inputs.
///
/// ```
/// use durable::TaskHub;
/// use durable::protocol::InstanceId;
/// use durable::store::{EncodedPayload, EncodedStore, MemoryStore, PayloadCodec, StoreError};
///
/// /// No encryption; the example `encrypted` has a real codec.
/// #[derive(Debug)]
/// struct Reversed;
///
/// impl PayloadCodec for Reversed {
///     fn encode(&self, text: &str, _: &InstanceId) -> Result<EncodedPayload, StoreError> {
///         Ok(EncodedPayload::new("1", text.chars().rev().collect::<String>()))
///     }
///
///     fn decode(&self, payload: &EncodedPayload, _: &InstanceId) -> Result<String, StoreError> {
///         match payload.key.as_str() {
///             "1" => Ok(payload.data.chars().rev().collect()),
///             key => Err(StoreError::backend("cannot decode a value", format!("no key `{key}`"))),
///         }
///     }
/// }
///
/// let hub = TaskHub::builder().store(EncodedStore::new(MemoryStore::default(), Reversed));
/// ```
#[derive(Debug)]
pub struct EncodedStore<S, C> {
    store: S,
    codec: Coding<C>,
}

/// A codec, and the stored form of the texts that it encodes.
#[derive(Debug)]
struct Coding<C>(Arc<C>);

impl<C: PayloadCodec> Coding<C> {
    fn encoded(&self, text: &str, id: &InstanceId) -> Result<String, StoreError> {
        let payload = self.0.encode(text, id)?;
        serde_json::to_string(&Envelope { format: 1, payload })
            .map_err(|error| StoreError::backend("cannot encode a value", error))
    }

    fn decoded(&self, text: &str, id: &InstanceId) -> Result<Option<String>, StoreError> {
        if !text.starts_with(ENVELOPE) {
            return Ok(None);
        }
        // A user's own value that happens to begin so is no envelope.
        let Ok(Envelope { format: 1, payload }) = serde_json::from_str(text) else {
            return Ok(None);
        };
        self.0.decode(&payload, id).map(Some)
    }
}

/// For the recorded results of transactional activities.
impl<C: PayloadCodec> EffectCodec for Coding<C> {
    fn encode(&self, text: &str, instance: &InstanceId) -> Result<String, FailureDetails> {
        self.encoded(text, instance).map_err(|error| failure(&error))
    }

    fn decode(&self, text: &str, instance: &InstanceId) -> Result<String, FailureDetails> {
        let decoded = self.decoded(text, instance).map_err(|error| failure(&error))?;
        Ok(decoded.unwrap_or_else(|| text.to_owned()))
    }
}

/// If the codec fails only temporarily, the next attempt calls it again.
fn failure(error: &StoreError) -> FailureDetails {
    let failure = FailureDetails::new(FailureDetails::TRANSACTION, chain(error));
    if error.is_transient() { failure } else { failure.non_retriable() }
}

impl<S: Store, C: PayloadCodec> EncodedStore<S, C> {
    /// Wraps a store.
    pub fn new(store: S, codec: C) -> Self {
        Self { store, codec: Coding(Arc::new(codec)) }
    }

    /// Returns the wrapped store, which contains encoded texts.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn encode(&self, text: Text<'_>, id: &InstanceId) -> Result<(), StoreError> {
        match text {
            Text::Json(json) => *json = Json::trusted(self.codec.encoded(json.as_str(), id)?),
            Text::Plain(plain) => *plain = self.codec.encoded(plain, id)?,
        }
        Ok(())
    }

    fn decode(&self, text: Text<'_>, id: &InstanceId) -> Result<(), StoreError> {
        match text {
            Text::Json(json) => {
                if let Some(decoded) = self.codec.decoded(json.as_str(), id)? {
                    *json = Json::parse(&decoded).map_err(|error| {
                        StoreError::backend("the codec decoded a value that is not JSON", error)
                    })?;
                }
            }
            Text::Plain(plain) => {
                if let Some(decoded) = self.codec.decoded(plain, id)? {
                    *plain = decoded;
                }
            }
        }
        Ok(())
    }

    fn encode_episode(&self, write: &mut EpisodeWrite) -> Result<(), StoreError> {
        let id = write.record.instance_id.clone();
        write.record.visit_texts(&mut |text| self.encode(text, &id))?;
        let mut events = write.events.iter_mut();
        events.try_for_each(|event| event.kind.visit_texts(&mut |text| self.encode(text, &id)))
    }

    fn decode_record(&self, record: &mut InstanceRecord) -> Result<(), StoreError> {
        let id = record.instance_id.clone();
        record.visit_texts(&mut |text| self.decode(text, &id))
    }

    /// A page of decoded records. A custom status can only be compared once it is decoded.
    fn page<P>(
        &self,
        filter: &InstanceFilter,
        read: impl FnOnce(&InstanceFilter) -> Result<InstancePage<P>, StoreError>,
    ) -> Result<InstancePage<P>, StoreError> {
        let mut page = match filter.custom_status {
            Some(_) => read(&InstanceFilter { custom_status: None, ..filter.clone() })?,
            None => read(filter)?,
        };
        page.instances.iter_mut().try_for_each(|record| self.decode_record(record))?;
        page.instances.retain(|record| filter.matches(record));
        Ok(page)
    }

    fn decode_events(
        &self,
        mut events: Vec<HistoryEvent>,
        id: &InstanceId,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        for event in &mut events {
            event.kind.visit_texts(&mut |text| self.decode(text, id))?;
        }
        Ok(events)
    }
}

impl<S: Store, C: PayloadCodec> Store for EncodedStore<S, C> {
    fn create(&self, hub: &HubRecord) -> Result<HubRecord, StoreError> {
        self.store.create(hub)
    }

    fn claim(&self, partition: PartitionId) -> Result<Epoch, StoreError> {
        self.store.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> Result<PartitionState, StoreError> {
        self.store.load(partition)
    }

    fn messages(
        &self,
        partition: PartitionId,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, TaskMessage)>, StoreError> {
        let mut messages = self.store.messages(partition, to, positions, limit)?;
        for (_, TaskMessage { instance_id, event, .. }) in &mut messages {
            event.visit_texts(&mut |text| self.decode(text, instance_id))?;
        }
        Ok(messages)
    }

    fn commit(&self, commit: &Commit) -> Result<(), StoreError> {
        let mut commit = commit.clone();
        commit.episodes.iter_mut().try_for_each(|write| self.encode_episode(write))?;
        let messages = commit.messages.iter_mut().map(|(_, message)| message);
        let sent = commit.sent.iter_mut().map(|(_, _, message)| message);
        let received = commit.received.iter_mut().map(|received| &mut received.message);
        for TaskMessage { instance_id, event, .. } in messages.chain(sent).chain(received) {
            event.visit_texts(&mut |text| self.encode(text, instance_id))?;
        }
        for (id, answer) in &mut commit.answers {
            *answer = self.codec.encoded(answer, &id_for_codec(*id))?;
        }
        self.store.commit(&commit)
    }

    fn instance(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, StoreError> {
        let mut record = self.store.instance(id)?;
        record.as_mut().map_or(Ok(()), |record| self.decode_record(record))?;
        Ok(record)
    }

    fn due(
        &self,
        partition: PartitionId,
        after: Option<&(Timestamp, InstanceId)>,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<(Timestamp, InstanceId)>, StoreError> {
        self.store.due(partition, after, until, limit)
    }

    fn instances(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> Result<InstancePage, StoreError> {
        self.page(filter, |filter| self.store.instances(filter, after, limit))
    }

    fn instances_by_creation(
        &self,
        filter: &InstanceFilter,
        order: CreationOrder,
        after: Option<&Creation>,
        limit: usize,
    ) -> Result<InstancePage<Creation>, StoreError> {
        self.page(filter, |filter| self.store.instances_by_creation(filter, order, after, limit))
    }

    fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.decode_events(self.store.history(instance, execution, from)?, instance)
    }

    fn history_page(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        indices: Range<u64>,
    ) -> Result<Vec<HistoryEvent>, StoreError> {
        self.decode_events(self.store.history_page(instance, execution, indices)?, instance)
    }

    fn check_room(&self) -> Result<(), StoreError> {
        self.store.check_room()
    }

    fn usage(&self) -> Usage {
        self.store.usage()
    }

    fn backup(&self, to: &Path) -> Result<BackupReport, StoreError> {
        self.store.backup(to)
    }

    fn cluster(&self) -> Option<&dyn Cluster> {
        self.store.cluster().map(|_| self as &dyn Cluster)
    }

    fn default_partitions(&self) -> u16 {
        self.store.default_partitions()
    }

    fn transactions(&self) -> Option<StoreTransactions> {
        let codec = Arc::new(Coding(Arc::clone(&self.codec.0)));
        self.store.transactions().map(|transactions| transactions.encoded_by(codec))
    }

    fn give_up(&self) {
        self.store.give_up();
    }
}

impl<S: Store, C: PayloadCodec> EncodedStore<S, C> {
    fn inner_cluster(&self) -> Result<&dyn Cluster, StoreError> {
        let none = || StoreError::Unsupported { what: "several processes".into() };
        self.store.cluster().ok_or_else(none)
    }

    /// Decodes a request or answer. If that fails, the text stays encoded, and the hub refuses it.
    fn decode_body(&self, body: &mut String, id: RequestId) {
        match self.codec.decoded(body, &id_for_codec(id)) {
            Ok(decoded) => decoded.into_iter().for_each(|decoded| *body = decoded),
            Err(error) => {
                let error = chain(&error);
                tell!(error, error, "a request or answer of another process cannot be decoded");
            }
        }
    }
}

/// The instance id with which a codec encodes a request or its answer.
fn id_for_codec(id: RequestId) -> InstanceId {
    InstanceId::of_request(id.0)
}

/// Used if the wrapped store has a cluster.
impl<S: Store, C: PayloadCodec> Cluster for EncodedStore<S, C> {
    fn join(&self, node: &Node) -> Result<(), StoreError> {
        self.inner_cluster()?.join(node)
    }

    fn assign(&self, owned: &[(PartitionId, Epoch)]) -> Result<Assignment, StoreError> {
        self.inner_cluster()?.assign(owned)
    }

    fn release(&self, partition: PartitionId, epoch: Epoch) -> Result<(), StoreError> {
        self.inner_cluster()?.release(partition, epoch)
    }

    fn park(&self, partition: PartitionId, epoch: Epoch, reason: &str) -> Result<(), StoreError> {
        self.inner_cluster()?.park(partition, epoch, reason)
    }

    fn unpark(&self, partition: PartitionId) -> Result<bool, StoreError> {
        self.inner_cluster()?.unpark(partition)
    }

    fn pin(&self, partition: PartitionId, node: Option<&str>) -> Result<(), StoreError> {
        self.inner_cluster()?.pin(partition, node)
    }

    fn freeze(&self, partition: PartitionId, reason: Option<&str>) -> Result<(), StoreError> {
        self.inner_cluster()?.freeze(partition, reason)
    }

    fn receive(
        &self,
        owned: &[(PartitionId, Epoch)],
        wait: Duration,
    ) -> Result<Received, StoreError> {
        let mut received = self.inner_cluster()?.receive(owned, wait)?;
        for ReceivedMessage { target, message, .. } in &mut received.messages {
            let TaskMessage { instance_id, event, .. } = message;
            if let Err(error) = event.visit_texts(&mut |text| self.decode(text, instance_id)) {
                received.unreadable.push((*target, chain(&error)));
            }
        }
        let requests = received.requests.iter_mut().map(|it| (&it.id, &mut it.body));
        let answers = received.answers.iter_mut().map(|(id, answer)| (&*id, answer));
        requests.chain(answers).for_each(|(id, body)| self.decode_body(body, *id));
        Ok(received)
    }

    fn interrupt(&self) {
        if let Some(cluster) = self.store.cluster() {
            cluster.interrupt();
        }
    }

    fn ask(&self, request: &ClusterRequest) -> Result<(), StoreError> {
        let body = self.codec.encoded(&request.body, &id_for_codec(request.id))?;
        self.inner_cluster()?.ask(&ClusterRequest { body, ..request.clone() })
    }

    fn withdraw(&self, requests: &[RequestId]) -> Result<(), StoreError> {
        self.inner_cluster()?.withdraw(requests)
    }

    fn members(&self) -> Result<Members, StoreError> {
        self.inner_cluster()?.members()
    }

    fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner_cluster()?.time()
    }

    fn leave(&self) -> Result<(), StoreError> {
        self.inner_cluster()?.leave()
    }
}
