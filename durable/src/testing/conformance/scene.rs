//! Helpers of the tests: a store with a hub, builders of commits, and comparisons whose messages
//! describe a difference without printing megabytes.
//!
//! Everything here is deterministic: times, ids and texts are the same in each run.

use std::fmt::{Debug, Display};
use std::ops::Range;
use std::sync::Arc;

use super::StoreUnderTest;
use crate::protocol::{
    EventKind, ExecutionId, FORMAT_VERSION, FailureDetails, HistoryEvent, HubRecord, InstanceId,
    InstanceRecord, Json, MessageId, PartitionId, RuntimeStatus, Tags, TaskMessage, Timestamp,
};
use crate::store::{
    Commit, EpisodeWrite, Epoch, InstanceFilter, InstancePage, PartitionState, Store, StoreError,
};

/// The number of partitions of the hub: more than fit into a byte.
pub(super) const PARTITIONS: u16 = 512;

/// A partition with the epoch in which it was claimed.
pub(super) type Owner = (PartitionId, Epoch);

/// An instance with the time at which it is due.
pub(super) type Due = (Timestamp, InstanceId);

/// A message with its position.
pub(super) type Placed = (u64, TaskMessage);

/// A store in which a hub was created.
pub(super) struct Scene<'a> {
    under_test: &'a dyn StoreUnderTest,
    pub(super) store: Arc<dyn Store>,
}

/// The places that a refused commit could have changed.
pub(super) struct Places {
    pub(super) partitions: Vec<u16>,
    pub(super) executions: Vec<(InstanceId, ExecutionId)>,
}

/// The content of some [`Places`].
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    partitions: Vec<(Vec<InstanceId>, Vec<TaskMessage>, Vec<Due>)>,
    executions: Vec<(Option<InstanceRecord>, Vec<HistoryEvent>)>,
}

impl<'a> Scene<'a> {
    pub(super) fn open(under_test: &'a dyn StoreUnderTest) -> Self {
        let store = under_test.open();
        must(store.create(&hub(PARTITIONS)), "creating the hub");
        Self { under_test, store }
    }

    /// Crashes the store now, and opens it again.
    pub(super) fn crash(self) -> Self {
        let Self { under_test, store } = self;
        Self { under_test, store: under_test.crash(store) }
    }

    #[track_caller]
    pub(super) fn claim(&self, partition: u16) -> Owner {
        let partition = PartitionId(partition);
        (partition, must(self.store.claim(partition), "claiming a partition"))
    }

    /// The content of a partition as its owner finds it. Instances are sorted, because their order
    /// is unspecified.
    #[track_caller]
    pub(super) fn load(&self, partition: u16) -> PartitionState {
        let mut state = must(self.store.load(PartitionId(partition)), "loading a partition");
        state.active.sort();
        state
    }

    /// The messages of a partition.
    #[track_caller]
    pub(super) fn messages(&self, partition: u16) -> Vec<TaskMessage> {
        let page = self.messages_page(partition, None, 0..u64::MAX, usize::MAX);
        page.into_iter().map(|(_, message)| message).collect()
    }

    #[track_caller]
    pub(super) fn messages_page(
        &self,
        partition: u16,
        to: Option<&InstanceId>,
        positions: Range<u64>,
        limit: usize,
    ) -> Vec<Placed> {
        let page = self.store.messages(PartitionId(partition), to, positions, limit);
        must(page, "reading messages")
    }

    #[track_caller]
    pub(super) fn commit(&self, group: &Group) {
        must(self.store.commit(&group.0), "committing what is in order");
    }

    /// Commits a group that must be refused, and returns the reason.
    #[track_caller]
    pub(super) fn refused(&self, group: &Group, why: &str) -> StoreError {
        match self.store.commit(&group.0) {
            Ok(()) => panic!("a commit was accepted although {why}"),
            Err(error) => error,
        }
    }

    /// Commits a group that must be fenced because of this partition.
    #[track_caller]
    pub(super) fn fenced(&self, group: &Group, partition: u16, why: &str) {
        match self.refused(group, why) {
            StoreError::Fenced { partitions } => {
                let partitions: Vec<_> = partitions.iter().map(|found| found.0).collect();
                same(&partitions, &vec![partition], "the partitions that a commit is fenced from");
            }
            other => panic!("a commit was to be fenced because {why}, and failed with: {other}"),
        }
    }

    pub(super) fn store(&self) -> &dyn Store {
        &*self.store
    }

    #[track_caller]
    pub(super) fn record(&self, instance: &InstanceId) -> Option<InstanceRecord> {
        must(self.store.instance(instance), "reading the record of an instance")
    }

    #[track_caller]
    pub(super) fn history(
        &self,
        instance: &InstanceId,
        execution: ExecutionId,
        from: u64,
    ) -> Vec<HistoryEvent> {
        must(self.store.history(instance, execution, from), "reading a history")
    }

    #[track_caller]
    pub(super) fn look(&self, places: &Places) -> Seen {
        let executions = &places.executions;
        Seen {
            partitions: places
                .partitions
                .iter()
                .map(|&partition| {
                    let active = self.load(partition).active;
                    (active, self.messages(partition), self.all_due(partition))
                })
                .collect(),
            executions: executions
                .iter()
                .map(|(id, execution)| (self.record(id), self.history(id, *execution, 0)))
                .collect(),
        }
    }

    /// Checks that the instance is stored, with the whole history of its current execution.
    #[track_caller]
    pub(super) fn holds(&self, instance: &Instance) {
        let record = &instance.record;
        let id = &record.instance_id;
        same(&self.record(id).as_ref(), &Some(record), &format!("the record of `{id}`"));
        let events = self.history(id, record.execution_id, 0);
        same_all(&events, &instance.events, &format!("the history of `{id}`"));
    }

    #[track_caller]
    pub(super) fn holds_messages(&self, partition: u16, wanted: &[TaskMessage]) {
        let found = self.messages(partition);
        same_all(&found, wanted, &format!("the messages of partition {partition}"));
    }

    #[track_caller]
    pub(super) fn holds_active(&self, partition: u16, wanted: &[&str]) {
        let found = self.load(partition).active;
        let mut found: Vec<&str> = found.iter().map(InstanceId::as_str).collect();
        let mut wanted = wanted.to_vec();
        found.sort_unstable();
        wanted.sort_unstable();
        same(&found, &wanted, &format!("the active instances of partition {partition}"));
    }

    /// Checks that exactly these instances are due at some time, in this order.
    #[track_caller]
    pub(super) fn holds_due(&self, partition: u16, wanted: &[Due]) {
        let what = format!("what is due in partition {partition}");
        same_all(&self.all_due(partition), wanted, &what);
    }

    #[track_caller]
    pub(super) fn due(
        &self,
        partition: u16,
        after: Option<&Due>,
        until: Timestamp,
        limit: usize,
    ) -> Vec<Due> {
        let due = self.store.due(PartitionId(partition), after, until, limit);
        must(due, "looking for what is due")
    }

    #[track_caller]
    pub(super) fn all_due(&self, partition: u16) -> Vec<Due> {
        self.due(partition, None, end_of_time(), usize::MAX)
    }

    #[track_caller]
    pub(super) fn page(
        &self,
        filter: &InstanceFilter,
        after: Option<&InstanceId>,
        limit: usize,
    ) -> InstancePage {
        must(self.store.instances(filter, after, limit), "looking for instances")
    }

    /// Checks that no event of an execution is left.
    #[track_caller]
    pub(super) fn holds_nothing_of(&self, (id, execution): &(InstanceId, ExecutionId)) {
        for from in [0, 1, 3] {
            let found = self.history(id, *execution, from);
            same_all(&found, &[], &format!("what is left of a history of `{id}`, from {from}"));
        }
    }
}

/// A [`Commit`] under construction.
#[derive(Clone, Default)]
pub(super) struct Group(pub(super) Commit);

impl Group {
    pub(super) fn by(owners: &[Owner]) -> Self {
        Self(Commit { owners: owners.to_vec(), ..Commit::default() })
    }

    pub(super) fn episode(mut self, episode: EpisodeWrite) -> Self {
        self.0.episodes.push(episode);
        self
    }

    pub(super) fn send(mut self, partition: u16, message: &TaskMessage) -> Self {
        self.0.messages.push((PartitionId(partition), message.clone()));
        self
    }

    pub(super) fn purge(mut self, instance: &Instance) -> Self {
        self.0.purged.push((instance.partition, instance.id().clone()));
        self
    }

    pub(super) fn consume(mut self, partition: u16, message: &TaskMessage) -> Self {
        self.0.consumed.push((PartitionId(partition), message.id));
        self
    }
}

/// The expected content of an instance, which creates its own episodes.
#[derive(Clone)]
pub(super) struct Instance {
    partition: PartitionId,
    pub(super) record: InstanceRecord,
    /// The history of the current execution.
    pub(super) events: Vec<HistoryEvent>,
    /// Number of histories that it has begun.
    begun: u32,
}

impl Instance {
    pub(super) fn new(partition: u16, id: &str) -> Self {
        let id = instance_id(id);
        let execution = ExecutionId::from_u128(1);
        Self {
            partition: PartitionId(partition),
            record: InstanceRecord::new(id, execution, "checkout", None, time(0)),
            events: Vec::new(),
            begun: 0,
        }
    }

    pub(super) fn id(&self) -> &InstanceId {
        &self.record.instance_id
    }

    pub(super) fn partition(&self) -> u16 {
        self.partition.0
    }

    pub(super) fn execution(&self) -> (InstanceId, ExecutionId) {
        (self.record.instance_id.clone(), self.record.execution_id)
    }

    /// Begins another execution, with a history of its own.
    pub(super) fn begin(&mut self, execution: u128) {
        self.record.execution_id = ExecutionId::from_u128(execution);
        self.record.history_len = 0;
        self.record.last_episode = 0;
        self.events.clear();
        self.begun += 1;
    }

    /// Replaces the current execution by another one or by itself: returns the first episode, with
    /// this many events.
    pub(super) fn replace(&mut self, execution: u128, count: u64) -> EpisodeWrite {
        let replaced = self.record.execution_id;
        self.begin(execution);
        EpisodeWrite { replaces: Some(replaced), ..self.run(count) }
    }

    /// The next episode, with these events and this state of the instance.
    pub(super) fn episode(
        &mut self,
        status: RuntimeStatus,
        events: Vec<HistoryEvent>,
    ) -> EpisodeWrite {
        self.record.runtime_status = status;
        self.record.active = !status.is_finished();
        self.record.last_episode = self.record.history_len;
        self.record.history_len += events.len() as u64;
        self.record.last_updated_at = time(self.record.history_len);
        self.events.extend_from_slice(&events);
        let record = self.record.clone();
        EpisodeWrite { partition: self.partition, record, events, replaces: None }
    }

    /// The next episode, of one event, with a changed record.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut InstanceRecord)) -> EpisodeWrite {
        let mut episode = self.run(1);
        change(&mut self.record);
        episode.record = self.record.clone();
        episode
    }

    /// The next episode, of one event, after which the instance is due at this microsecond.
    pub(super) fn due(&mut self, at: impl Into<Option<i64>>) -> EpisodeWrite {
        let at = at.into().map(micros);
        self.change(|record| record.next_due = at)
    }

    /// The next episode, with this many events, after which the instance is still running.
    pub(super) fn run(&mut self, count: u64) -> EpisodeWrite {
        let first = self.record.history_len;
        let events = (first..first + count).map(|index| self.event(index)).collect();
        self.episode(RuntimeStatus::Running, events)
    }

    /// The last episode, of one event.
    pub(super) fn finish(&mut self, status: RuntimeStatus) -> EpisodeWrite {
        let result = Some(text("done"));
        let kind = EventKind::ExecutionCompleted { status, result, failure: None };
        self.episode(status, vec![HistoryEvent::new(time(self.record.history_len), kind)])
    }

    /// An event that is unique to this index, instance and history.
    fn event(&self, index: u64) -> HistoryEvent {
        let (id, execution, begun) = (self.id(), self.record.execution_id, self.begun);
        let mark = format!("{id} {execution} {begun} {index}");
        let number = i32::try_from(index % 1_000).unwrap_or_default();
        let kind = match index % 4 {
            0 => EventKind::ExecutionResumed { reason: mark },
            1 => {
                let (version, source, tags) = (Some(mark.clone()), None, Tags::new());
                EventKind::TaskScheduled { name: mark, version, input: Json::null(), source, tags }
            }
            2 => EventKind::task_result(number, Ok(text(&mark))),
            _ => {
                let failure = FailureDetails::new("Declined", mark);
                EventKind::task_result(number, Err(failure))
            }
        };
        HistoryEvent::action(number, time(index), kind)
    }
}

/// The `number`-th message. Later messages have lower ids, so that a sort by id is detected.
pub(super) fn message(number: u128) -> TaskMessage {
    message_with(number, text(&format!("message {number}")))
}

/// The `number`-th message, to this instance.
pub(super) fn message_to(number: u128, id: &str) -> TaskMessage {
    TaskMessage { instance_id: instance_id(id), ..message(number) }
}

pub(super) fn message_with(number: u128, result: Json) -> TaskMessage {
    TaskMessage {
        id: MessageId::from_u128(u128::MAX - number),
        instance_id: instance_id("order-17"),
        execution_id: None,
        from: None,
        event: EventKind::task_result(0, Ok(result)),
    }
}

pub(super) fn hub(partitions: u16) -> HubRecord {
    HubRecord { format: FORMAT_VERSION, partitions, created_at: time(partitions.into()) }
}

#[track_caller]
pub(super) fn instance_id(id: &str) -> InstanceId {
    must(InstanceId::try_from(id.to_owned()), "naming an instance or an entity")
}

/// The `index`-th microsecond of a day in 2023.
pub(super) fn time(index: u64) -> Timestamp {
    micros(1_700_000_000_000_000 + i64::try_from(index).unwrap_or_default())
}

#[track_caller]
pub(super) fn micros(micros: i64) -> Timestamp {
    must(Timestamp::from_micros(micros).ok_or("there is no such date"), "making a time")
}

/// After all times that a clock could return.
#[track_caller]
pub(super) fn end_of_time() -> Timestamp {
    micros(253_402_300_799_999_999)
}

/// A text as JSON.
pub(super) fn text(text: &str) -> Json {
    json(&serde_json::Value::from(text).to_string())
}

#[track_caller]
pub(super) fn json(text: &str) -> Json {
    must(Json::parse(text), "making JSON")
}

/// Pseudo-random numbers with a fixed seed.
pub(super) struct Numbers(u64);

impl Numbers {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// A JSON text of this many letters, without repetitions and hard to compress.
    pub(super) fn letters(&mut self, count: usize) -> Json {
        let mut text = String::with_capacity(count + 2);
        text.push('"');
        text.extend((0..count).map(|_| char::from(b'A' + (self.next() & 15) as u8)));
        text.push('"');
        json(&text)
    }
}

/// Unwraps a result; `doing` names the failed action.
#[track_caller]
pub(super) fn must<T, E: Display>(result: Result<T, E>, doing: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{doing} failed: {error}"),
    }
}

#[track_caller]
pub(super) fn same<T: PartialEq + Debug>(found: &T, wanted: &T, what: &str) {
    assert!(found == wanted, "{what}\n{}", difference(found, wanted));
}

#[track_caller]
pub(super) fn same_all<T: PartialEq + Debug>(found: &[T], wanted: &[T], what: &str) {
    if found == wanted {
        return;
    }
    let index = found.iter().zip(wanted).take_while(|(found, wanted)| found == wanted).count();
    let (count, of) = (found.len(), wanted.len());
    let there = difference(&found.get(index), &wanted.get(index));
    panic!("{what}: there are {count} instead of {of}, and at {index}\n{there}");
}

/// Both values, from shortly before their first difference on.
fn difference(found: &impl Debug, wanted: &impl Debug) -> String {
    let (found, wanted) = (format!("{found:?}"), format!("{wanted:?}"));
    let alike = found.chars().zip(wanted.chars()).take_while(|(a, b)| a == b).count();
    let skipped = if alike > 300 { alike - 200 } else { 0 };
    let shown = |value: &str| {
        let before = if skipped == 0 { "" } else { "... " };
        let shown: String = value.chars().skip(skipped).take(600).collect();
        format!("{before}{shown} ({} bytes)", value.len())
    };
    format!("  found: {}\n wanted: {}", shown(&found), shown(&wanted))
}
