//! The points of the contract about a commit as a whole.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::StoreUnderTest;
use super::scene::{
    Due, Group, Instance, Numbers, Owner, Places, Scene, message, message_with, micros, must, same,
    same_all, time,
};
use crate::protocol::{
    EventKind, ExecutionId, HistoryEvent, InstanceId, PartitionId, RuntimeStatus, TaskMessage,
};
use crate::store::{Epoch, StoreError};

/// Point 2: all parts of a commit become visible together; a refused commit has no effect.
///
/// # Panics
/// If the store violates the point.
pub fn a_commit_is_all_or_nothing(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = a_refused_commit_leaves_nothing(scene);
    parts_are_visible_together(&scene);
}

fn a_refused_commit_leaves_nothing(scene: Scene<'_>) -> Scene<'_> {
    let owners = [scene.claim(1), scene.claim(2)];
    let mut old = Instance::new(1, "old");
    let [mut new, other] = [Instance::new(1, "new"), Instance::new(2, "other")];
    let mut gone = Instance::new(2, "gone");
    let group = Group::by(&owners).episode(old.run(2)).episode(old.due(7)).episode(gone.due(8));
    scene.commit(&group.send(1, &message(1)).send(2, &message(2)));
    let mut next = old.clone();
    let replace = next.replace(2, 2);
    let executions = [&old, &new, &other, &gone, &next].map(Instance::execution);
    let places = Places { partitions: vec![0, 1, 2, 3], executions: executions.to_vec() };
    let before = scene.look(&places);

    // A valid commit; each commit below adds one invalid part.
    let good = |owners: &[Owner]| {
        Group::by(owners)
            .episode(new.clone().due(9))
            .episode(replace.clone())
            .episode(next.clone().finish(RuntimeStatus::Completed))
            .purge(&gone)
            .consume(1, &message(1))
            .consume(2, &message(2))
            .send(1, &message(3))
            .send(3, &message(4))
    };
    let mut late = other.clone();
    late.run(1);
    let group = good(&owners).episode(late.run(1));
    match scene.refused(&group, "its last episode leaves a gap in the history") {
        StoreError::OutOfOrder { .. } => {}
        error => panic!("a gap in the history was refused with: {error}"),
    }
    same(&scene.look(&places), &before, "the store after a commit out of order");

    let unclaimed = Instance::new(3, "unclaimed").run(1);
    scene.fenced(&good(&owners).episode(unclaimed), 3, "it does not own its last episode");
    same(&scene.look(&places), &before, "the store after a commit to another owner's partition");

    scene.fenced(&good(&owners).consume(3, &message(9)), 3, "it does not own what it consumes");
    same(&scene.look(&places), &before, "the store after consuming another owner's messages");

    let both = good(&owners).episode(gone.clone().run(1));
    match scene.refused(&both, "it writes an episode of what it purges") {
        StoreError::WrittenAndPurged { .. } => {}
        error => panic!("an episode of a purged instance was refused with: {error}"),
    }
    same(&scene.look(&places), &before, "the store after a commit that writes and purges");

    let newer = scene.claim(2);
    scene.fenced(&good(&owners), 2, "the second of its epochs is old");
    same(&scene.look(&places), &before, "the store after a commit with an old epoch");

    let scene = scene.crash();
    same(&scene.look(&places), &before, "the store after refused commits and a crash");
    let owners = [scene.claim(1), (newer.0, scene.claim(2).1)];
    scene.commit(&good(&owners));
    new.due(9);
    next.finish(RuntimeStatus::Completed);
    let whole = |scene: &Scene<'_>| {
        for instance in [&new, &next] {
            scene.holds(instance);
        }
        scene.holds_nothing_of(&old.execution());
        scene.holds_nothing_of(&gone.execution());
        same(&scene.record(gone.id()), &None, "the record of a purged instance");
        scene.holds_active(1, &["new"]);
        scene.holds_active(2, &[]);
        scene.holds_due(1, &[(micros(7), next.id().clone()), (micros(9), new.id().clone())]);
        scene.holds_due(2, &[]);
        scene.holds_messages(1, &[message(3)]);
        scene.holds_messages(2, &[]);
        scene.holds_messages(3, &[message(4)]);
    };
    whole(&scene);
    let scene = scene.crash();
    whole(&scene);
    scene
}

/// Commits repeatedly consume the oldest of many messages, send a new one and append to a history.
/// Concurrent readers only see states between two commits.
fn parts_are_visible_together(scene: &Scene<'_>) {
    const PARTITION: u16 = 7;
    const ROUNDS: usize = 40;
    const THERE: usize = 24;
    let owner = scene.claim(PARTITION);
    let mut numbers = Numbers::new(7);
    let messages: Vec<TaskMessage> = (1_000..)
        .take(ROUNDS + THERE)
        .map(|number| message_with(number, numbers.letters(20_000)))
        .collect();
    let mut instance = Instance::new(PARTITION, "watched");
    let id = instance.id().clone();
    // Two events an episode; the first episode and one for each round.
    let events: Vec<HistoryEvent> = (0..=ROUNDS)
        .flat_map(|_| [numbers.letters(20_000), numbers.letters(20)])
        .map(|result| EventKind::task_result(0, Ok(result)))
        .map(|kind| HistoryEvent::new(time(7), kind))
        .collect();
    let mut episodes = events.chunks(2).map(<[_]>::to_vec);
    let mut next =
        move || instance.episode(RuntimeStatus::Running, episodes.next().unwrap_or_default());
    let first = Group::by(&[owner]).episode(next());
    let send = |group: Group, message| group.send(PARTITION, message);
    scene.commit(&messages[..THERE].iter().fold(first, send));
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(Ordering::Acquire) {
            let before = rounds_of(scene, &id, &events);
            let found = scene.messages(PARTITION);
            let oldest = found.first().map(|message| message.id);
            let round = messages.iter().position(|message| Some(message.id) == oldest);
            let there = messages.iter().skip(round.unwrap_or_default()).take(THERE);
            let there: Vec<TaskMessage> = there.cloned().collect();
            same_all(&found, &there, "the messages, seen while one replaces another");
            same(&scene.load(PARTITION).active, &vec![id.clone()], "the active instances");
            let after = rounds_of(scene, &id, &events);
            let with_its_episode = round.is_some_and(|round| (before..=after).contains(&round));
            let what = format!("whether messages {round:?} are from between {before} and {after}");
            same(&with_its_episode, &true, &what);
        }
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(look), scope.spawn(look)];
        let _end = End(&done);
        for (old, new) in messages.iter().zip(&messages[THERE..]) {
            if threads.iter().all(thread::ScopedJoinHandle::is_finished) {
                break;
            }
            let group = Group::by(&[owner]).consume(PARTITION, old).episode(next());
            scene.commit(&group.send(PARTITION, new));
        }
    });
    same(&rounds_of(scene, &id, &events), &ROUNDS, "the rounds that a history has at the end");
}

/// Ends the readers, even when a commit fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The number of rounds of the instance, after a check of its history.
fn rounds_of(scene: &Scene<'_>, id: &InstanceId, all: &[HistoryEvent]) -> usize {
    let Some(record) = scene.record(id) else { panic!("the record of `{id}` has gone") };
    let events = scene.history(id, record.execution_id, 0);
    let enough = events.len() as u64 >= record.history_len;
    same(&enough, &true, "whether a history has as many events as the record, read before, says");
    same(&(events.len() % 2), &0, "the rest of a history that grows by two events at a time");
    let there = &all[..events.len().min(all.len())];
    same_all(&events, there, "a history, seen while it grows");
    usize::try_from(record.history_len / 2).unwrap_or_default().saturating_sub(1)
}

/// Point 3: an acknowledged commit survives a crash at any later time.
///
/// # Panics
/// If the store violates the point.
pub fn an_acknowledged_commit_survives(under_test: &dyn StoreUnderTest) {
    let mut scene = Scene::open(under_test);
    let mut written = Written::new(&scene);
    for step in 0..60 {
        scene.commit(&written.next_group());
        if step % 4 == 0 {
            scene = scene.crash();
            written.is_found(&scene);
            if step % 8 == 0 {
                // A crash right after a crash, without a write in between.
                scene = scene.crash();
                written.is_found(&scene);
            }
            written.owners = Written::PARTITIONS.map(|partition| scene.claim(partition));
        }
        if step % 9 == 0 {
            let stale = (PartitionId(0), Epoch(written.owners[0].1.0.wrapping_sub(1)));
            scene.fenced(&Group::by(&[stale]).send(0, &message(0)), 0, "its epoch is old");
        }
    }
    written.is_found(&scene);
    let scene = scene.crash();
    written.is_found(&scene);
}

/// All written content, and the next content to write.
struct Written {
    numbers: Numbers,
    owners: [Owner; 3],
    instances: Vec<Instance>,
    /// Executions that were replaced or purged.
    gone: Vec<(InstanceId, ExecutionId)>,
    messages: BTreeMap<u16, Vec<TaskMessage>>,
    next: u128,
}

impl Written {
    const PARTITIONS: [u16; 3] = [0, 1, 300];

    fn new(scene: &Scene<'_>) -> Self {
        let instances = (0..6).zip(Self::PARTITIONS.into_iter().cycle());
        Self {
            numbers: Numbers::new(17),
            owners: Self::PARTITIONS.map(|partition| scene.claim(partition)),
            instances: instances
                .map(|(number, partition)| Instance::new(partition, &format!("order-{number}")))
                .collect(),
            gone: Vec::new(),
            messages: BTreeMap::new(),
            next: 1,
        }
    }

    fn next_group(&mut self) -> Group {
        let mut group = Group::by(&self.owners);
        for _ in 0..=self.numbers.below(3) {
            let which = self.numbers.below(self.instances.len() as u64);
            let instance = &mut self.instances[usize::try_from(which).unwrap_or_default()];
            let untouched = group
                .0
                .episodes
                .iter()
                .all(|write| write.record.instance_id != instance.record.instance_id);
            if instance.record.runtime_status.is_finished() {
                self.next += 1;
                instance.begin(self.next);
            }
            let (count, at) = (1 + self.numbers.below(9), self.numbers.below(50));
            group = match self.numbers.below(12) {
                0 | 1 => group.episode(instance.finish(RuntimeStatus::Completed)),
                2 | 3 => group.episode(instance.due(i64::try_from(at).ok())),
                4 => group.episode(instance.due(None)),
                5 => {
                    self.next += 1;
                    self.gone.push(instance.execution());
                    group.episode(instance.replace(self.next, count))
                }
                6 if untouched && !instance.events.is_empty() => {
                    self.next += 1;
                    self.gone.push(instance.execution());
                    let group = group.purge(instance);
                    *instance = Instance::new(instance.partition(), instance.id().as_str());
                    instance.begin(self.next);
                    // Its id is used again in a later commit at the earliest.
                    return group;
                }
                _ => group.episode(instance.run(count)),
            };
        }
        for partition in Self::PARTITIONS {
            let messages = self.messages.entry(partition).or_default();
            while !messages.is_empty() && self.numbers.below(3) == 0 {
                let which = self.numbers.below(messages.len() as u64);
                let message = messages.remove(usize::try_from(which).unwrap_or_default());
                group = group.consume(partition, &message);
            }
            while self.numbers.below(2) == 0 {
                self.next += 1;
                let length = usize::try_from(self.numbers.below(20_000)).unwrap_or_default();
                let message = message_with(self.next, self.numbers.letters(length));
                group = group.send(partition, &message);
                messages.push(message);
            }
        }
        group
    }

    #[track_caller]
    fn is_found(&self, scene: &Scene<'_>) {
        for instance in &self.instances {
            if instance.events.is_empty() {
                same(&scene.record(instance.id()), &None, "the record of no instance");
            } else {
                scene.holds(instance);
            }
        }
        for execution in &self.gone {
            scene.holds_nothing_of(execution);
        }
        for partition in Self::PARTITIONS {
            let messages = self.messages.get(&partition).map_or([].as_slice(), Vec::as_slice);
            scene.holds_messages(partition, messages);
            let here = self.instances.iter().filter(|instance| !instance.events.is_empty());
            let here = here.filter(|instance| instance.partition() == partition);
            let due = here.clone().filter_map(|of| Some((of.record.next_due?, of.id().clone())));
            let mut due: Vec<Due> = due.collect();
            due.sort();
            scene.holds_due(partition, &due);
            let here = here.filter(|instance| instance.record.active);
            let active: Vec<&str> = here.map(|instance| instance.id().as_str()).collect();
            scene.holds_active(partition, &active);
        }
        must(scene.store.load(PartitionId(2)), "loading a partition that nobody has used");
    }
}
