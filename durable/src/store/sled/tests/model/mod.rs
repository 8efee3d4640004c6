//! Random commits, checkpoints, crashes and interrupted checkpoints, against the store in memory:
//! reads always agree.

mod backup;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::*;
use crate::protocol::{MessageId, TaskMessage};
use crate::store::MemoryStore;

/// A small generator, so that a seed determines the run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

struct Model {
    random: Random,
    folder: TempDir,
    store: Option<SledStore>,
    memory: MemoryStore,
    owners: Vec<(PartitionId, Epoch)>,
    /// The last record of each existing instance.
    records: BTreeMap<InstanceId, InstanceRecord>,
    /// Messages that were not consumed.
    messages: Vec<(PartitionId, MessageId)>,
    /// Where messages were found first.
    positions: RefCell<BTreeMap<MessageId, u64>>,
    numbers: u128,
    /// What each frame of the log contains.
    frames: Vec<Written>,
}

/// A write that is one frame of the log.
enum Written {
    Claim(PartitionId),
    Commit(Box<Commit>),
}

const PARTITIONS: u16 = 3;

/// Instances of orchestrations and entities, some with ids that are prefixes of others.
const IDS: [&str; 12] = [
    "instance",
    "instance 1",
    "instance 10",
    "instance 2",
    "\u{e4}",
    "@counter@",
    "@counter@key",
    "@counter@key@more",
    "@counter@ \u{e4}\u{1f980}",
    "@\u{e4}@",
    "@counters@",
    "A",
];

impl Model {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open(folder.path()).unwrap();
        let memory = MemoryStore::default();
        let owners = (0..PARTITIONS).map(|partition| {
            let epoch = memory.claim(PartitionId(partition)).unwrap();
            assert_eq!(store.claim(PartitionId(partition)).unwrap(), epoch);
            (PartitionId(partition), epoch)
        });
        let owners = owners.collect();
        Self {
            random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            folder,
            store: Some(store),
            memory,
            owners,
            records: BTreeMap::new(),
            messages: Vec::new(),
            positions: RefCell::default(),
            numbers: 0,
            frames: (0..PARTITIONS)
                .map(|partition| Written::Claim(PartitionId(partition)))
                .collect(),
        }
    }

    fn store(&self) -> &SledStore {
        self.store.as_ref().unwrap()
    }

    fn number(&mut self) -> u128 {
        self.numbers += 1;
        self.numbers
    }

    fn instance(&mut self) -> (PartitionId, InstanceId) {
        let number = u16::try_from(self.random.below(IDS.len() as u64)).unwrap();
        (PartitionId(number % PARTITIONS), id(IDS[usize::from(number)]))
    }

    fn episode(&mut self) -> EpisodeWrite {
        let (partition, id) = self.instance();
        let known = self.records.get(&id).cloned();
        let is_new = known.is_none();
        let execution = ExecutionId::from_u128(self.number());
        let created_at = at(i64::try_from(self.random.below(9)).unwrap() * 100_000);
        let new = InstanceRecord::new(id.clone(), execution, "name", None, created_at);
        let mut record = known.unwrap_or_else(|| new.clone());
        let mut replaces = None;
        match self.random.below(8) {
            0 if !is_new => {
                replaces = Some(record.execution_id);
                record = InstanceRecord { execution_id: execution, ..new };
            }
            1 if !is_new => {
                replaces = Some(record.execution_id);
                record.history_len = 0;
            }
            // Another execution in addition to the existing one, whose history stays.
            2 if !is_new => record = InstanceRecord { execution_id: execution, ..new },
            _ => {}
        }
        record.last_episode = record.history_len;
        let count = self.random.below(4);
        record.history_len += count;
        record.active = self.random.below(2) == 0;
        record.next_due =
            (self.random.below(2) == 0).then(|| at(i64::try_from(self.random.below(50)).unwrap()));
        let length = [0, 10, 10, 3_000, 3_000, 20_000, 20_000, 20_000, 90_000];
        let length = length[usize::try_from(self.random.below(9)).unwrap()];
        let seed = self.random.below(u64::MAX);
        let text = Json::trusted(format!("\"{}\"", noise(length, seed)));
        record.custom_status = (self.random.below(9) == 0).then(|| text.clone());
        let event = |n| {
            let input = text.clone();
            HistoryEvent::new(at(n), EventKind::EventRaised { name: format!("{n}"), input })
        };
        let events = (0..i64::try_from(count).unwrap()).map(event).collect();
        self.records.insert(id, record.clone());
        EpisodeWrite { partition, record, events, replaces }
    }

    fn commit(&mut self) {
        let mut commit = Commit { owners: self.owners.clone(), ..Commit::default() };
        if self.random.below(5) == 0 {
            let (partition, id) = self.instance();
            self.records.remove(&id);
            commit.purged.push((partition, id));
        } else {
            commit.episodes = (0..=self.random.below(3)).map(|_| self.episode()).collect();
        }
        for _ in 0..self.random.below(3) {
            if !self.messages.is_empty() {
                let position = self.random.below(self.messages.len() as u64);
                commit.consumed.push(self.messages.remove(usize::try_from(position).unwrap()));
            }
        }
        for _ in 0..self.random.below(3) {
            let (partition, instance_id) = self.instance();
            let message = MessageId::from_u128(self.number());
            let event = EventKind::OrchestratorStarted;
            let sent =
                TaskMessage { id: message, instance_id, execution_id: None, from: None, event };
            self.messages.push((partition, message));
            commit.messages.push((partition, sent));
        }
        self.memory.commit(&commit).unwrap();
        self.store().commit(&commit).unwrap();
        self.frames.push(Written::Commit(Box::new(commit)));
    }

    /// Closes the store, or leaves it as a crash does.
    fn reopen(&mut self, crashed: bool) {
        let left = crashed.then(|| copy(self.folder.path()));
        self.store = None;
        if let Some(left) = left {
            self.folder = left;
        }
        self.store = Some(SledStore::open(self.folder.path()).unwrap());
    }

    fn compact(&mut self) {
        self.store = None;
        SledStore::compact(self.folder.path()).unwrap();
        self.reopen(false);
    }

    /// A checkpoint, with checks of the store between its batches.
    fn watched_checkpoint(&self) {
        let inner = &self.store().inner;
        let Some(overlay) = inner.freeze().unwrap() else { return };
        let base = inner.view().base;
        let look = |_entries, _bytes| {
            self.compare();
            Ok(())
        };
        checkpoint::write(base, &overlay, look).unwrap();
        self.compare();
        inner.settle(&overlay).unwrap();
    }

    /// A checkpoint that gives up after some batches, and the next one, which completes it.
    fn given_up_checkpoint(&mut self) {
        let left = Cell::new(self.random.below(6));
        let room = |_entries, _bytes| match left.get() {
            0 => {
                Err(StoreError::io_or_exhausted("no room", std::io::ErrorKind::StorageFull.into()))
            }
            more => {
                left.set(more - 1);
                Ok(())
            }
        };
        {
            let inner = &self.store().inner;
            let Some(overlay) = inner.freeze().unwrap() else { return };
            let base = inner.view().base;
            let _given_up = checkpoint::write(base, &overlay, room);
        }
        self.compare();
        self.commit();
        self.compare();
        if self.random.below(2) == 0 {
            self.store().inner.checkpoint().unwrap();
        } else {
            let crashed = self.random.below(2) == 0;
            self.reopen(crashed);
        }
        self.compare();
    }

    /// A checkpoint that a crash cuts short after some batches.
    fn cut_checkpoint(&mut self) {
        let left = Cell::new(self.random.below(6));
        let room = |_entries, _bytes| match left.get() {
            0 => Err(StoreError::damaged("cut short")),
            more => {
                left.set(more - 1);
                Ok(())
            }
        };
        let inner = &self.store().inner;
        {
            let view = inner.view();
            if !view.layers.newest.is_empty() {
                let _cut = checkpoint::write(view.base, &view.layers.newest, room);
            }
        }
        self.reopen(true);
    }

    fn compare(&self) {
        let store = self.store();
        for id in IDS.map(id) {
            assert_eq!(store.instance(&id).unwrap(), self.memory.instance(&id).unwrap());
            for number in 1..=self.numbers {
                let execution = ExecutionId::from_u128(number);
                let expected = self.memory.history(&id, execution, 0).unwrap();
                assert!(store.history(&id, execution, 0).unwrap() == expected, "{id} {execution}");
            }
            if let Some(record) = self.records.get(&id) {
                let (execution, from) = (record.execution_id, record.last_episode);
                let expected = self.memory.history(&id, execution, from).unwrap();
                assert!(store.history(&id, execution, from).unwrap() == expected, "{id} {from}");
            }
        }
        for partition in (0..PARTITIONS).map(PartitionId) {
            let active = |store: &dyn Store| store.load(partition).unwrap().active;
            assert_eq!(active(store), active(&self.memory));
            self.compare_messages(partition);
            let (after, until) = ((at(10), id("instance 2")), at(40));
            for (after, until, limit) in
                [(None, Timestamp::MAX, 99), (Some(&after), until, 99), (Some(&after), until, 2)]
            {
                let expected = self.memory.due(partition, after, until, limit).unwrap();
                assert_eq!(store.due(partition, after, until, limit).unwrap(), expected);
            }
        }
        for (id_prefix, entities) in
            [("", false), ("instance 1", false), ("", true), ("@counter@", true), ("@", false)]
        {
            let id_prefix = id_prefix.to_owned();
            let filter = InstanceFilter { id_prefix, entities, ..InstanceFilter::default() };
            let all = |store: &dyn Store| store.instances(&filter, None, 99).unwrap().instances;
            assert!(all(store) == all(&self.memory));
        }
        self.compare_creations();
    }

    fn compare_creations(&self) {
        let all = InstanceFilter::default();
        let some = InstanceFilter {
            created_from: Some(at(200_000)),
            created_to: Some(at(600_000)),
            ..all.clone()
        };
        for order in [CreationOrder::OldestFirst, CreationOrder::NewestFirst] {
            for (filter, limit) in [(&all, 99), (&all, 1), (&some, 99), (&some, 2)] {
                let read = |store: &dyn Store| {
                    let (mut found, mut after) = (Vec::new(), None);
                    loop {
                        let after_it = after.as_ref();
                        let page = store.instances_by_creation(filter, order, after_it, limit);
                        let page = page.unwrap();
                        found.extend(page.instances);
                        after = page.next;
                        if after.is_none() {
                            return found;
                        }
                    }
                };
                assert!(read(self.store()) == read(&self.memory), "{order:?} {filter:?}");
            }
        }
    }

    /// Compares the messages, each of which must still be at its first position.
    fn compare_messages(&self, partition: PartitionId) {
        let store = self.store();
        let end = store.load(partition).unwrap().messages_end;
        let found = store.messages(partition, None, 0..end, usize::MAX).unwrap();
        let expected = self.memory.messages(partition, None, 0..u64::MAX, usize::MAX).unwrap();
        assert!(found.iter().map(|(_, it)| it).eq(expected.iter().map(|(_, it)| it)));
        let mut positions = self.positions.borrow_mut();
        for (position, message) in &found {
            assert_eq!(positions.entry(message.id).or_insert(*position), position);
        }
        let from = found.get(found.len() / 3).map_or(0, |(position, _)| *position);
        for to in IDS.map(id) {
            let is_wanted =
                |(position, it): &&(u64, TaskMessage)| *position >= from && it.instance_id == to;
            let wanted: Vec<_> = found.iter().filter(is_wanted).take(2).cloned().collect();
            assert_eq!(store.messages(partition, Some(&to), from..u64::MAX, 2).unwrap(), wanted);
        }
    }

    /// The export has all instances and all messages.
    fn is_exported(&self) {
        let mut out = Vec::new();
        self.store().export(&mut out).unwrap();
        let lines = String::from_utf8(out).unwrap();
        let lines = lines.lines().map(|line| serde_json::from_str(line).unwrap());
        let (mut instances, mut messages) = (Vec::new(), 0);
        for line in lines {
            let line: serde_json::Value = line;
            match line["instance"]["instance_id"].as_str() {
                Some(id) => instances.push(id.to_owned()),
                None => messages += usize::from(line["message"].is_object()),
            }
        }
        assert!(instances.iter().eq(self.records.keys().map(InstanceId::as_str)));
        assert_eq!(messages, self.messages.len());
    }
}

fn run(seed: u64) {
    let mut model = Model::new(seed);
    for _step in 0..120 {
        match model.random.below(25) {
            0 | 1 => model.store().inner.checkpoint().unwrap(),
            2 => model.reopen(false),
            3 => model.reopen(true),
            4 => model.cut_checkpoint(),
            5 => model.watched_checkpoint(),
            6 => model.compact(),
            7 => model.given_up_checkpoint(),
            8 if model.random.below(2) == 0 => model.backup(),
            _ => model.commit(),
        }
    }
    model.compare();
    model.is_exported();
}

#[test]
fn reads_agree_with_the_store_in_memory() {
    let seeds = std::env::var("DURABLE_SEEDS").ok().and_then(|seeds| seeds.parse().ok());
    for seed in 1..=seeds.unwrap_or(6) {
        println!("seed {seed}");
        run(seed);
    }
}
