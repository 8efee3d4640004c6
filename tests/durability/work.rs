//! Work for a store, as a function of a seed: the same steps in every process.
//!
//! Instances in several partitions start, grow, continue as new, end and are purged, their ids are
//! reused, messages are sent and consumed, and partitions change hands. Most values are small, but
//! some are far larger than a store keeps in one piece. A step is a commit of several of these
//! changes.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write;
use std::path::Path;

use durable::protocol::{
    EventKind, ExecutionId, HistoryEvent, HubRecord, InstanceId, InstanceRecord, Json, MessageId,
    PartitionId, RuntimeStatus, TaskMessage, Timestamp,
};
use durable::store::{Commit, EpisodeWrite, Epoch, MemoryStore, SledStore, Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::seed::Random;

pub(crate) const PARTITIONS: u16 = 3;
/// The number of ids. There are fewer ids than instances, so ids are reused.
const IDS: u64 = 48;

/// Opens the store under test. To test other limits, set them here.
pub(crate) fn open(folder: &Path) -> Result<SledStore, StoreError> {
    // Small, so that there are many checkpoints and several files of the log.
    SledStore::options().overlay_bytes(1024 * 1024).open(folder)
}

/// The work on a store, step by step.
pub(crate) struct Work {
    pub(crate) steps: Vec<Step>,
    /// Every execution that ever exists.
    pub(crate) executions: BTreeSet<(InstanceId, ExecutionId)>,
}

/// The size of the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Size {
    /// As little as possible.
    Small,
    Large,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(HubRecord),
    Claim(PartitionId),
    Commit(Commit),
}

impl Step {
    pub(crate) fn apply(&self, store: &dyn Store) -> Result<(), StoreError> {
        match self {
            Self::Create(hub) => store.create(hub).map(drop),
            Self::Claim(partition) => store.claim(*partition).map(drop),
            Self::Commit(commit) => store.commit(commit),
        }
    }
}

impl Work {
    pub(crate) fn new(seed: u64, size: Size, steps: usize) -> Self {
        let mut author = Author::new(seed, size);
        let mut all = vec![Step::Create(hub(1))];
        all.extend((0..PARTITIONS).map(|partition| author.claim(PartitionId(partition))));
        while all.len() < steps {
            all.push(if author.chance(3) {
                let partition = author.random.below(PARTITIONS.into());
                author.claim(PartitionId(u16::try_from(partition).unwrap()))
            } else {
                Step::Commit(author.commit())
            });
        }
        Self { steps: all, executions: author.executions }
    }

    /// The content of a store after this many steps.
    pub(crate) fn reference(&self, steps: usize) -> MemoryStore {
        let store = MemoryStore::default();
        for step in &self.steps[..steps] {
            step.apply(&store).expect("the work is in order");
        }
        store
    }
}

pub(crate) fn hub(created_at: i64) -> HubRecord {
    HubRecord::new(PARTITIONS, time(created_at))
}

pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + seconds * 1_000_000).unwrap()
}

pub(crate) fn message(number: u128, to: &InstanceId, text: String) -> TaskMessage {
    let event = EventKind::GenericEvent { data: text };
    TaskMessage::new(MessageId::from_u128(number), to.clone(), event)
}

pub(crate) fn partition_of(id: &InstanceId) -> PartitionId {
    PartitionId::of(id, PARTITIONS)
}

/// Generates the work.
struct Author {
    size: Size,
    random: Random,
    /// The number of execution and message ids used so far.
    given: u128,
    epochs: BTreeMap<PartitionId, Epoch>,
    instances: BTreeMap<InstanceId, InstanceRecord>,
    messages: VecDeque<(PartitionId, MessageId)>,
    executions: BTreeSet<(InstanceId, ExecutionId)>,
}

impl Author {
    fn new(seed: u64, size: Size) -> Self {
        Self {
            size,
            random: Random::new(seed),
            given: 0,
            epochs: BTreeMap::new(),
            instances: BTreeMap::new(),
            messages: VecDeque::new(),
            executions: BTreeSet::new(),
        }
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.random.below(100) < percent
    }

    fn claim(&mut self, partition: PartitionId) -> Step {
        self.epochs.entry(partition).or_insert(Epoch(0)).0 += 1;
        Step::Claim(partition)
    }

    fn commit(&mut self) -> Commit {
        let owners = self.epochs.iter().map(|(partition, epoch)| (*partition, *epoch)).collect();
        let mut commit = Commit::new(owners);
        let mut purged = BTreeSet::new();
        let (most, ids) = if self.size == Size::Small { (2, 5) } else { (6, IDS) };
        for _ in 0..=self.random.below(most) {
            let id = InstanceId::new(format!("job-{}", self.random.below(ids))).unwrap();
            let is_written = |episode: &EpisodeWrite| episode.record.instance_id == id;
            let partition = partition_of(&id);
            match self.instances.get(&id).map(|record| record.runtime_status.is_finished()) {
                _ if purged.contains(&id) => {}
                None => commit.episodes.push(self.begin(&id, None)),
                Some(false) => commit.episodes.push(self.go_on(&id)),
                Some(true) if commit.episodes.iter().any(is_written) => {}
                Some(true) => {
                    self.instances.remove(&id);
                    purged.insert(id.clone());
                    commit.purged.push((partition, id));
                }
            }
        }
        self.post(&mut commit);
        commit
    }

    /// Sends messages, and consumes most of what was sent earlier.
    fn post(&mut self, commit: &mut Commit) {
        for _ in 0..self.random.below(4) {
            commit.consumed.extend(self.messages.pop_front());
        }
        for _ in 0..self.random.below(4) {
            let to = InstanceId::new(format!("job-{}", self.random.below(IDS))).unwrap();
            self.given += 1;
            let message = message(self.given, &to, self.text());
            self.messages.push_back((partition_of(&to), message.id));
            commit.messages.push((partition_of(&to), message));
        }
    }

    fn begin(&mut self, id: &InstanceId, replaces: Option<ExecutionId>) -> EpisodeWrite {
        self.given += 1;
        let execution = ExecutionId::from_u128(self.given);
        self.executions.insert((id.clone(), execution));
        let created_at = time(i64::try_from(self.given).unwrap());
        let record = InstanceRecord::new(id.clone(), execution, "job", None, created_at);
        self.episode(record, replaces)
    }

    /// The next episode of a running instance. Occasionally the instance continues as new, or ends.
    fn go_on(&mut self, id: &InstanceId) -> EpisodeWrite {
        let record = self.instances[id].clone();
        match self.random.below(10) {
            0 => self.begin(id, Some(record.execution_id)),
            1 => {
                let mut ended = self.episode(record, None);
                ended.record.runtime_status = RuntimeStatus::Completed;
                ended.record.active = false;
                ended.record.next_due = None;
                self.instances.insert(id.clone(), ended.record.clone());
                ended
            }
            _ => self.episode(record, None),
        }
    }

    fn episode(
        &mut self,
        mut record: InstanceRecord,
        replaces: Option<ExecutionId>,
    ) -> EpisodeWrite {
        let count = 1 + self.random.below(4);
        let events = (0..count).map(|_| self.event()).collect();
        record.last_episode = record.history_len;
        record.history_len += count;
        record.runtime_status = RuntimeStatus::Running;
        record.active = self.chance(60);
        let due = i64::try_from(self.random.below(1000)).unwrap();
        record.next_due = self.chance(50).then(|| time(due));
        if self.size == Size::Large && self.chance(10) {
            // Some records do not fit into one piece.
            let length = self.random.below(20_000);
            record.custom_status = Some(self.json(length));
        }
        let id = record.instance_id.clone();
        self.instances.insert(id.clone(), record.clone());
        let mut episode = EpisodeWrite::new(partition_of(&id), record, events);
        episode.replaces = replaces;
        episode
    }

    fn event(&mut self) -> HistoryEvent {
        let at = time(i64::try_from(self.random.below(100_000)).unwrap());
        let text = self.text();
        let kind = if self.chance(50) {
            EventKind::GenericEvent { data: text }
        } else {
            let result = Json::parse(&format!("\"{text}\"")).unwrap();
            EventKind::task_result(7, Ok(result))
        };
        HistoryEvent::new(at, kind)
    }

    fn text(&mut self) -> String {
        let length = match self.random.below(40) {
            _ if self.size == Size::Small => self.random.below(30),
            0 => 64 * 1024 + self.random.below(100_000),
            1..4 => self.random.below(20_000),
            _ => self.random.below(300),
        };
        self.letters(length)
    }

    fn json(&mut self, length: u64) -> Json {
        Json::parse(&format!("\"{}\"", self.letters(length))).unwrap()
    }

    /// A text of about this length, without repetitions.
    fn letters(&mut self, length: u64) -> String {
        let mut text = String::new();
        while (text.len() as u64) < length {
            // Writing to a `String` never fails.
            let _ = write!(text, "{:016x}", self.random.below(u64::MAX));
        }
        text
    }
}
