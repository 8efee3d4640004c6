//! The due list against a model: no due time is lost, whatever the order of reads and writes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;

use super::*;
use crate::chance;

type Answer = Result<Vec<Entry>, Infallible>;

const LIMITS: DueSizes = DueSizes { read: 2, keep: 4 };

fn at(micros: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(micros).unwrap()).unwrap()
}

fn id(name: &str) -> InstanceId {
    InstanceId::new(name).unwrap()
}

fn list(limits: DueSizes) -> (DueList, Arc<AtomicU64>) {
    let durable = Arc::new(AtomicU64::new(0));
    (DueList::new(limits, Arc::clone(&durable)), durable)
}

/// A store with these entries.
fn store(entries: &[(u64, &str)]) -> impl Fn(Option<&Entry>, usize) -> Answer + use<> {
    let entries: BTreeSet<Entry> = entries.iter().map(|(time, it)| (at(*time), id(it))).collect();
    move |after, limit| {
        let behind = entries.iter().filter(|entry| after.is_none_or(|after| *entry > after));
        Ok(behind.take(limit).cloned().collect())
    }
}

fn popped(list: &mut DueList, ask: impl Fn(Option<&Entry>, usize) -> Answer) -> Vec<String> {
    let pop = || list.pop(Timestamp::MAX, &ask).unwrap().map(|id| id.to_string());
    std::iter::from_fn(pop).collect()
}

#[test]
fn an_unwritten_due_time_stays_in_memory_beyond_the_horizon() {
    let (mut list, durable) = list(LIMITS);
    let ask = store(&[(1, "a"), (2, "b"), (3, "c")]);
    list.load(&ask).unwrap();
    list.set(&id("limit"), (None, Some(at(9))), None);
    durable.store(u64::MAX, Ordering::Release);
    assert_eq!(popped(&mut list, &ask), ["a", "b", "c", "limit"]);
}

#[test]
fn an_unwritten_due_time_survives_when_the_list_shrinks() {
    let (mut list, durable) = list(LIMITS);
    list.load(store(&[])).unwrap();
    list.set(&id("limit"), (None, Some(at(9))), None);
    for n in 1..=5 {
        list.set(&id(&n.to_string()), (None, Some(at(n))), Some(n));
    }
    assert!(list.horizon.is_some(), "not all entries fit into memory");
    durable.store(5, Ordering::Release);
    let ask = store(&[(1, "1"), (2, "2"), (3, "3"), (4, "4"), (5, "5")]);
    assert_eq!(popped(&mut list, &ask), ["1", "2", "3", "4", "5", "limit"]);
}

#[test]
fn an_entry_that_becomes_durable_during_a_read_is_not_lost() {
    let (mut list, durable) = list(LIMITS);
    let ask = store(&[(1, "a"), (2, "b"), (4, "d")]);
    list.load(&ask).unwrap();
    list.set(&id("c"), (None, Some(at(3))), Some(1));
    let races = |after: Option<&Entry>, limit| {
        let found = ask(after, limit);
        durable.store(1, Ordering::Release);
        found
    };
    assert_eq!(popped(&mut list, races), ["a", "b", "c", "d"]);
}

#[test]
fn an_entry_stays_in_memory_until_its_write_is_durable() {
    let (mut list, durable) = list(LIMITS);
    list.load(store(&[])).unwrap();
    // The entry that is due last is written last.
    for n in 1..=5 {
        list.set(&id(&n.to_string()), (None, Some(at(n))), Some(n));
    }
    durable.store(3, Ordering::Release);
    list.drop_durable();
    let held: Vec<_> = list.soon.keys().chain(list.later.keys()).map(|(_, id)| id).collect();
    assert_eq!(held, [&id("1"), &id("2"), &id("4"), &id("5")]);
}

#[test]
fn a_read_does_not_replace_a_newer_entry_in_memory() {
    let (mut list, durable) = list(LIMITS);
    let before = store(&[(1, "a"), (2, "b"), (3, "c")]);
    list.load(&before).unwrap();
    // The store has `c` at 3; the first write moves it, the second moves it back.
    list.set(&id("c"), (Some(at(3)), Some(at(8))), Some(1));
    list.set(&id("c"), (Some(at(8)), Some(at(3))), Some(2));
    assert_eq!(list.pop(at(2), &before).unwrap(), Some(id("a")));
    assert_eq!(list.pop(at(2), &before).unwrap(), Some(id("b")));
    assert_eq!(list.pop(at(2), &before).unwrap(), None, "the list read the store");
    assert_eq!(
        list.soon.get(&(at(3), id("c"))),
        Some(&Some(2)),
        "the entry keeps the number of its write"
    );
    durable.store(1, Ordering::Release);
    assert_eq!(popped(&mut list, store(&[(8, "c")])), ["c"]);
}

#[test]
fn the_horizon_is_the_next_wake_up_when_no_entry_is_left() {
    let (mut list, _durable) = list(LIMITS);
    let ask = store(&[(1, "a"), (2, "b"), (3, "c")]);
    list.load(&ask).unwrap();
    list.set(&id("a"), (Some(at(1)), None), None);
    list.set(&id("b"), (Some(at(2)), None), None);
    assert_eq!(list.next(), Some(at(2)), "an earlier entry may lie beyond the horizon");
    assert_eq!(list.pop(at(2), &ask).unwrap(), None);
    assert_eq!(list.next(), Some(at(3)));
}

#[test]
fn a_removed_due_time_is_gone_wherever_it_was() {
    let (mut list, durable) = list(LIMITS);
    list.load(store(&[])).unwrap();
    for n in 1..=5 {
        list.set(&id(&n.to_string()), (None, Some(at(n))), Some(n));
    }
    list.set(&id("6"), (None, Some(at(6))), None);
    for n in 1..=6 {
        list.set(&id(&n.to_string()), (Some(at(n)), None), None);
    }
    assert!(list.soon.is_empty() && list.later.is_empty() && list.leaving.is_empty());
    durable.store(5, Ordering::Release);
    assert_eq!(popped(&mut list, store(&[])), Vec::<String>::new());
}

/// The partition's knowledge of one of its instances.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    due: Option<Timestamp>,
    listed: Option<Timestamp>,
    written_by: WrittenBy,
}

/// A partition, its instances, and its store, which commits with a delay.
struct Model {
    seed: u64,
    drawn: u64,
    now: u64,
    list: DueList,
    durable: Arc<AtomicU64>,
    known: BTreeMap<InstanceId, Known>,
    stored: RefCell<Stored>,
    written: u64,
}

/// The durable state and the pending writes.
#[derive(Default)]
struct Stored {
    due: BTreeMap<InstanceId, Timestamp>,
    pending: VecDeque<(u64, InstanceId, Option<Timestamp>)>,
}

impl Stored {
    fn commit(&mut self, writes: u64, durable: &AtomicU64) {
        for _ in 0..writes {
            let Some((number, id, due)) = self.pending.pop_front() else { return };
            match due {
                Some(due) => self.due.insert(id, due),
                None => self.due.remove(&id),
            };
            durable.store(number, Ordering::Release);
        }
    }

    fn behind(&self, after: Option<&Entry>, limit: usize) -> Vec<Entry> {
        let all: BTreeSet<Entry> = self.due.iter().map(|(id, at)| (*at, id.clone())).collect();
        all.into_iter().filter(|it| after.is_none_or(|after| it > after)).take(limit).collect()
    }

    /// Whether it has this due time and no pending write removes it.
    fn keeps(&self, (at, id): &Entry) -> bool {
        let mut pending = self.pending.iter().filter(|(_, of, _)| of == id);
        self.due.get(id) == Some(at) && pending.all(|(_, _, due)| *due == Some(*at))
    }
}

impl Model {
    fn new(seed: u64) -> Self {
        let (list, durable) = list(DueSizes {
            read: 1 + usize::try_from(seed % 3).unwrap(),
            keep: 2 + usize::try_from(seed % 5).unwrap(),
        });
        let (known, stored) = (BTreeMap::new(), RefCell::default());
        Self { seed, drawn: 0, now: 0, list, durable, known, stored, written: 0 }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.drawn += 1;
        chance::number(self.seed, self.drawn) % end
    }

    fn some_id(&mut self) -> InstanceId {
        id(&format!("i{}", self.below(12)))
    }

    fn set(&mut self, id: &InstanceId, due: Option<Timestamp>, written_by: WrittenBy) {
        let known = self.known.entry(id.clone()).or_default();
        self.list.set(id, (known.listed, due), written_by);
        *known = Known { due, listed: due, written_by };
    }

    /// Writes an instance, with another due time or the same.
    fn write(&mut self, id: &InstanceId) {
        let due = match self.below(5) {
            0 => None,
            1 => self.known.get(id).and_then(|known| known.due),
            _ => Some(at(self.now + 1 + self.below(30))),
        };
        self.written += 1;
        self.stored.get_mut().pending.push_back((self.written, id.clone(), due));
        self.set(id, due, Some(self.written));
    }

    /// The next instance that is due; the store commits during a read.
    fn next_due(&mut self) -> Option<InstanceId> {
        let (before, after) = (self.below(3), self.below(3));
        let (stored, durable) = (&self.stored, &self.durable);
        let ask = |behind: Option<&Entry>, limit| -> Answer {
            stored.borrow_mut().commit(before, durable);
            let found = stored.borrow().behind(behind, limit);
            stored.borrow_mut().commit(after, durable);
            Ok(found)
        };
        self.list.pop(at(self.now), ask).unwrap()
    }

    /// Handles a due instance, with or without a write.
    fn pop(&mut self) {
        while let Some(id) = self.next_due() {
            let known = self.known.entry(id.clone()).or_default();
            known.listed = None;
            let Known { due, written_by, .. } = *known;
            match due {
                Some(due) if due <= at(self.now) => return self.act(&id),
                _ => self.set(&id, due, written_by),
            }
        }
        let overdue = |known: &Known| known.due.is_some_and(|due| due <= at(self.now));
        let lost: Vec<_> = self.known.iter().filter(|(_, known)| overdue(known)).collect();
        assert!(lost.is_empty(), "seed {}: nothing is due, but {lost:?}", self.seed);
    }

    fn act(&mut self, id: &InstanceId) {
        if self.below(2) == 0 {
            return self.write(id);
        }
        // The start of an attempt is not recorded.
        let due = at(self.now + 1 + self.below(40));
        self.set(id, Some(due), None);
    }

    /// Evicts an instance whose last write is durable, and loads it from the store again.
    fn evict(&mut self, id: &InstanceId) {
        let stored = self.stored.get_mut();
        if stored.pending.iter().any(|(_, of, _)| of == id) {
            return;
        }
        let stored = stored.due.get(id).copied();
        if let Some(known) = self.known.get_mut(id) {
            known.listed = stored;
        }
    }

    fn step(&mut self) {
        let id = self.some_id();
        match self.below(8) {
            0..3 => self.write(&id),
            3 => self.now += self.below(6),
            4 => self.evict(&id),
            5 => {
                let writes = self.below(4);
                self.stored.get_mut().commit(writes, &self.durable);
            }
            _ => self.pop(),
        }
    }

    fn check(&self) {
        let (list, stored) = (&self.list, self.stored.borrow());
        for (id, known) in &self.known {
            let Some(due) = known.due else { continue };
            let entry = (due, id.clone());
            let in_memory = list.soon.contains_key(&entry) || list.later.contains_key(&entry);
            let will_be_read = list.horizon.as_ref().is_some_and(|horizon| entry > *horizon);
            let is_kept = in_memory || will_be_read && stored.keeps(&entry);
            assert!(is_kept, "seed {}: {entry:?} is lost: {list:?}", self.seed);
        }
        let near = |entry: &Entry| list.horizon.as_ref().is_none_or(|horizon| entry <= horizon);
        assert!(list.soon.keys().all(near), "seed {}: {list:?}", self.seed);
        assert!(!list.later.keys().any(near), "seed {}: {list:?}", self.seed);
        assert!(list.soon.len() <= list.sizes.keep.max(list.sizes.read), "seed {}", self.seed);
    }
}

#[test]
fn no_due_time_is_lost() {
    for seed in 1..=500 {
        let mut model = Model::new(seed);
        for _ in 0..300 {
            model.step();
            model.check();
        }
    }
}
