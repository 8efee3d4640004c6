//! Commits for a store. Each fits the state after the commits before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;

use durable::protocol::{
    EntityId, EventKind, ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, Json,
    MessageId, PartitionId, RuntimeStatus, TaskMessage, Timestamp,
};
use durable::store::{Commit, EpisodeWrite, Epoch, Store, StoreError};
use durable::testing::sim::{Choices, Stream};

/// One change of a store.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Create(HubRecord),
    Claim(PartitionId),
    Commit(Box<Commit>),
}

impl Step {
    pub(super) fn apply(&self, store: &dyn Store) -> Result<(), StoreError> {
        match self {
            Self::Create(hub) => store.create(hub).map(drop),
            Self::Claim(partition) => store.claim(*partition).map(drop),
            Self::Commit(commit) => store.commit(commit),
        }
    }
}

pub(super) fn time(seconds: u32) -> Timestamp {
    let micros = 1_700_000_000_000_000 + i64::from(seconds) * 1_000_000;
    Timestamp::from_micros(micros).unwrap_or_default()
}

/// The state that the next commit has to fit. It changes with each step, and is reset if a step had
/// no effect.
#[derive(Clone, Debug)]
pub(super) struct Author {
    pub(super) partitions: u16,
    ids: u32,
    /// One in this many texts is long.
    long: u32,
    /// The number of execution and message ids that were used.
    given: u32,
    epochs: BTreeMap<PartitionId, Epoch>,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    messages: VecDeque<(PartitionId, MessageId)>,
    /// All executions that ever existed.
    pub(super) executions: BTreeSet<(InstanceId, ExecutionId)>,
}

fn below(choices: &mut Choices, end: u32) -> u32 {
    choices.below(Stream::Client(0), end)
}

impl Author {
    pub(super) fn new(choices: &mut Choices) -> Self {
        Self {
            partitions: choices.one_of(Stream::Swarm, &[1, 2, 3]),
            ids: choices.one_of(Stream::Swarm, &[2, 5, 12, 40]),
            long: choices.one_of(Stream::Swarm, &[4, 20, 100, u32::MAX]),
            given: 0,
            epochs: BTreeMap::new(),
            instances: BTreeMap::new(),
            messages: VecDeque::new(),
            executions: BTreeSet::new(),
        }
    }

    pub(super) fn all_partitions(&self) -> impl Iterator<Item = PartitionId> + use<> {
        (0..self.partitions).map(PartitionId)
    }

    pub(super) fn hub(&self) -> HubRecord {
        HubRecord::new(self.partitions, time(0))
    }

    pub(super) fn partition_of(&self, id: &InstanceId) -> PartitionId {
        PartitionId::of(id, self.partitions)
    }

    pub(super) fn claim(&mut self, partition: PartitionId) -> Step {
        self.epochs.entry(partition).or_insert(Epoch(0)).0 += 1;
        Step::Claim(partition)
    }

    /// The epoch of the last claim.
    pub(super) fn epoch(&self, partition: PartitionId) -> Epoch {
        self.epochs.get(&partition).copied().unwrap_or(Epoch(0))
    }

    /// A random id, with or without an instance.
    pub(super) fn id(&self, choices: &mut Choices) -> InstanceId {
        let number = below(choices, self.ids);
        // Some of the instances are entities.
        if number % 5 == 4 {
            return EntityId::new("counter", number.to_string()).expect("a short id").into();
        }
        InstanceId::new(format!("job-{number}")).expect("a short id")
    }

    pub(super) fn commit(&mut self, choices: &mut Choices) -> Step {
        let owners = self.epochs.iter().map(|(partition, epoch)| (*partition, *epoch)).collect();
        let mut commit = Commit::new(owners);
        let mut purged = BTreeSet::new();
        for _ in 0..=below(choices, 4) {
            let id = self.id(choices);
            let is_written = |episode: &EpisodeWrite| episode.record.instance_id == id;
            let partition = self.partition_of(&id);
            match self.instances.get(&id).map(|record| record.runtime_status.is_finished()) {
                _ if purged.contains(&id) => {}
                None => {
                    let begun = self.begin(choices, &id, None);
                    commit.episodes.push(begun);
                }
                Some(false) => {
                    let next = self.go_on(choices, &id);
                    commit.episodes.push(next);
                }
                Some(true) if commit.episodes.iter().any(is_written) => {}
                Some(true) => {
                    self.instances.remove(&id);
                    purged.insert(id.clone());
                    commit.purged.push((partition, id));
                }
            }
        }
        for _ in 0..below(choices, 4) {
            commit.consumed.extend(self.messages.pop_front());
        }
        for _ in 0..below(choices, 4) {
            let to = self.id(choices);
            self.given += 1;
            let event = EventKind::GenericEvent { data: self.text(choices) };
            let id = MessageId::from_u128(u128::from(self.given));
            let partition = self.partition_of(&to);
            self.messages.push_back((partition, id));
            commit.messages.push((partition, TaskMessage::new(id, to, event)));
        }
        Step::Commit(Box::new(commit))
    }

    fn begin(
        &mut self,
        choices: &mut Choices,
        id: &InstanceId,
        replaces: Option<ExecutionId>,
    ) -> EpisodeWrite {
        self.given += 1;
        let execution = ExecutionId::from_u128(u128::from(self.given));
        self.executions.insert((id.clone(), execution));
        let created_at = match self.instances.get(id) {
            Some(before) if choices.one_in(Stream::Client(0), 2) => before.created_at,
            // Some are created at the same time.
            _ => time(self.given / 3),
        };
        let record = InstanceRecord::new(id.clone(), execution, "job", None, created_at);
        self.episode(choices, record, replaces)
    }

    /// The next episode of a running instance. Occasionally the instance begins a new execution, or
    /// ends.
    fn go_on(&mut self, choices: &mut Choices, id: &InstanceId) -> EpisodeWrite {
        let record = self.instances[id].clone();
        match below(choices, 8) {
            0 => {
                // Sometimes the old history is kept beside the new one.
                let replaces =
                    (!choices.one_in(Stream::Client(0), 3)).then_some(record.execution_id);
                self.begin(choices, id, replaces)
            }
            1 => {
                let mut ended = self.episode(choices, record, None);
                ended.record.runtime_status = RuntimeStatus::Completed;
                ended.record.active = false;
                ended.record.next_due = None;
                self.instances.insert(id.clone(), ended.record.clone());
                ended
            }
            2 => {
                // Like a rewind: the same execution with another history.
                let replaces = Some(record.execution_id);
                let mut rewound = record;
                rewound.history_len = 0;
                self.episode(choices, rewound, replaces)
            }
            _ => self.episode(choices, record, None),
        }
    }

    fn episode(
        &mut self,
        choices: &mut Choices,
        mut record: InstanceRecord,
        replaces: Option<ExecutionId>,
    ) -> EpisodeWrite {
        let count = u64::from(below(choices, 4));
        let events = (0..count).map(|_| self.event(choices)).collect();
        record.last_episode = record.history_len;
        record.history_len += count;
        record.runtime_status = RuntimeStatus::Running;
        record.active = choices.one_in(Stream::Client(0), 2);
        let due = time(below(choices, 50));
        record.next_due = choices.one_in(Stream::Client(0), 2).then_some(due);
        record.custom_status = choices
            .one_in(Stream::Client(0), 6)
            .then(|| Json::parse(&format!("\"{}\"", self.text(choices))).ok())
            .flatten();
        let id = record.instance_id.clone();
        self.instances.insert(id.clone(), record.clone());
        let mut episode = EpisodeWrite::new(self.partition_of(&id), record, events);
        episode.replaces = replaces;
        episode
    }

    fn event(&self, choices: &mut Choices) -> HistoryEvent {
        let at = time(below(choices, 100_000));
        let kind = EventKind::GenericEvent { data: self.text(choices) };
        HistoryEvent::new(at, kind)
    }

    /// A text without repetitions. A long one does not fit into one piece of the tree.
    fn text(&self, choices: &mut Choices) -> String {
        let is_long = choices.one_in(Stream::Client(0), self.long);
        let length = below(choices, if is_long { 2500 } else { 8 });
        let mut text = String::new();
        for _ in 0..length {
            // Writing to a `String` never fails.
            let _ = write!(text, "{:08x}", below(choices, u32::MAX));
        }
        text
    }
}
