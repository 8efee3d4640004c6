//! The point of the contract about due times.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::StoreUnderTest;
use super::scene::{Due, Group, Instance, Scene, end_of_time, instance_id, micros, same, same_all};
use crate::protocol::RuntimeStatus;
use crate::store::EpisodeWrite;

/// Times before and after 1970, whose order differs from that of their bytes.
const TIMES: [i64; 10] = [
    -62_135_596_800_000_000,
    -65_536,
    -256,
    -1,
    0,
    1,
    255,
    256,
    1_700_000_000_000_000,
    253_402_300_799_999_998,
];

/// Point 14: instances are found in the order in which they are due, at the times of their records.
///
/// # Panics
/// If the store violates the point.
pub fn due_instances_are_found(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let scene = in_their_order(scene);
    let scene = through_a_life(scene);
    seen_meanwhile(&scene);
}

/// Several ids at each of the times, some of them shared, read in pages of each size.
fn in_their_order(scene: Scene<'_>) -> Scene<'_> {
    let owner = scene.claim(100);
    let names = ["a", "a a", "a0", "aa", "b", "\u{e4}", "\u{1f980}"];
    scene.holds_due(100, &[]);
    let mut wanted: Vec<Due> = Vec::new();
    // Seven and ten are coprime, so this covers each pair, in neither of the expected orders.
    for (round, number) in (0..70).map(|index| index * 3 % 70).enumerate() {
        let id = format!("{} {number}", names[number % names.len()]);
        let at = TIMES[number % TIMES.len()];
        let mut instance = Instance::new(100, &id);
        // Instances that are not due, and earlier due times, must not appear.
        let mut idle = Instance::new(100, &format!("{id} idle"));
        let group = Group::by(&[owner]).episode(idle.due(at)).episode(idle.due(None));
        let group = if round % 2 == 0 { group.episode(instance.due(-at)) } else { group };
        scene.commit(&group.episode(instance.due(at)));
        wanted.push((micros(at), instance_id(&id)));
    }
    wanted.sort();
    each_way(&scene, &wanted);
    let scene = scene.crash();
    each_way(&scene, &wanted);
    scene
}

fn each_way(scene: &Scene<'_>, wanted: &[Due]) {
    scene.holds_due(100, wanted);
    for at in TIMES {
        for until in [at - 1, at, at + 1].into_iter().filter(|until| *until >= TIMES[0]) {
            let there: Vec<Due> =
                wanted.iter().filter(|(at, _)| *at <= micros(until)).cloned().collect();
            let found = scene.due(100, None, micros(until), usize::MAX);
            same_all(&found, &there, &format!("what is due until {}", micros(until)));
        }
    }
    for limit in [0, 1, 2, 69, 70, 71] {
        let found = scene.due(100, None, end_of_time(), limit);
        let there = &wanted[..limit.min(wanted.len())];
        same_all(&found, there, &format!("the first {limit} that are due"));
    }
    // After each of them, which may be in the middle of those that share its time.
    for (index, after) in wanted.iter().enumerate() {
        let found = scene.due(100, Some(after), end_of_time(), 3);
        let behind = &wanted[index + 1..];
        let there = &behind[..behind.len().min(3)];
        same_all(&found, there, &format!("what is due behind {after:?}"));
        let found = scene.due(100, Some(after), after.0, usize::MAX);
        let there: Vec<Due> = behind.iter().filter(|due| due.0 == after.0).cloned().collect();
        same_all(&found, &there, &format!("what is due behind {after:?} at the same time"));
    }
    // After a position at which no instance is due.
    for after in TIMES.map(|at| (micros(at), instance_id("aa 2"))) {
        let there: Vec<Due> = wanted.iter().filter(|due| **due > after).cloned().collect();
        let found = scene.due(100, Some(&after), end_of_time(), usize::MAX);
        same_all(&found, &there, &format!("what is due behind {after:?}, which is not"));
    }
    let mut found = Vec::new();
    while found.len() <= wanted.len() {
        let next = scene.due(100, found.last(), end_of_time(), 1);
        if next.is_empty() {
            break;
        }
        found.extend(next);
    }
    same_all(&found, wanted, "what is due, one by one");
}

/// One instance whose due time is set, moved and removed, in one commit and in several.
fn through_a_life(scene: Scene<'_>) -> Scene<'_> {
    let mut life = Instance::new(101, "order 17");
    let scene = then(scene, "before it waits", None, [life.run(1)]);
    let scene = then(scene, "once it waits", Some(5), [life.due(5)]);
    let scene = then(scene, "as something else happens", Some(5), [life.run(1)]);
    let scene = then(scene, "at the same time", Some(5), [life.due(5)]);
    let scene = then(scene, "later", Some(300), [life.due(300)]);
    let scene = then(scene, "earlier", Some(-3), [life.due(-3)]);
    let scene = then(scene, "no more", None, [life.due(None)]);
    let moved = [life.due(1), life.due(2), life.due(3)];
    let scene = then(scene, "moved within one commit", Some(3), moved);
    let back = [life.due(1), life.due(3)];
    let scene = then(scene, "moved there and back within one commit", Some(3), back);
    let again = [life.due(None), life.due(3)];
    let scene = then(scene, "taken back and set in one commit", Some(3), again);
    let gone = [life.due(4), life.due(None)];
    let scene = then(scene, "moved and taken back in one commit", None, gone);
    let gone = [life.due(4), life.due(None)];
    let scene = then(scene, "set and taken back in one commit", None, gone);
    let end = [life.due(9), life.finish(RuntimeStatus::Completed)];
    let scene = then(scene, "after its end", Some(9), end);
    let anew = life.replace(2, 2);
    let scene = then(scene, "in another execution", Some(9), [anew]);
    life.record.next_due = None;
    let anew = life.replace(3, 2);
    let scene = then(scene, "no more, in another execution", None, [anew]);
    life.record.next_due = Some(micros(11));
    let anew = [life.replace(3, 1), life.replace(4, 1)];
    let scene = then(scene, "in others, replaced in one commit", Some(11), anew);
    life.begin(5);
    let scene = then(scene, "in one beside the last", Some(12), [life.due(12)]);
    scene.holds(&life);
    scene
}

/// Commits the episodes and checks when the instance is due, also after a crash.
#[track_caller]
fn then<'a, const N: usize>(
    scene: Scene<'a>,
    what: &str,
    at: Option<i64>,
    episodes: [EpisodeWrite; N],
) -> Scene<'a> {
    let owner = scene.claim(101);
    scene.commit(&episodes.into_iter().fold(Group::by(&[owner]), Group::episode));
    let wanted: Vec<Due> = at.map(|at| (micros(at), instance_id("order 17"))).into_iter().collect();
    same_all(&scene.all_due(101), &wanted, &format!("when an instance is due, {what}"));
    let scene = scene.crash();
    scene.holds_due(101, &wanted);
    scene
}

/// Many instances are moved together repeatedly. Concurrent readers see all of them at the same due
/// time.
fn seen_meanwhile(scene: &Scene<'_>) {
    const PARTITION: u16 = 102;
    const ROUNDS: i64 = 40;
    let owner = scene.claim(PARTITION);
    // Long ids, so that one page of a store does not hold them all.
    let id = |number| format!("{number} {}", "x".repeat(200));
    let mut instances: Vec<Instance> =
        (0..100).map(|number| Instance::new(PARTITION, &id(number))).collect();
    let count = instances.len();
    let mut move_to = |at: i64| {
        let all = instances.iter_mut();
        all.fold(Group::by(&[owner]), |group, instance| group.episode(instance.due(at)))
    };
    scene.commit(&move_to(0));
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(Ordering::Acquire) {
            let due = scene.all_due(PARTITION);
            same(&due.len(), &count, "how many are due, seen while all are moved");
            let together = due.iter().all(|(at, _)| *at == due[0].0);
            same(&together, &true, "whether all that were moved together are due at one time");
        }
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(look), scope.spawn(look)];
        for round in 1..ROUNDS {
            // Forward and back, so that the moved entries are sometimes after a scan and sometimes
            // before it.
            let at = if round % 2 == 0 { -round } else { round };
            let is_watched = !threads.iter().all(thread::ScopedJoinHandle::is_finished);
            if !is_watched || scene.store.commit(&move_to(at).0).is_err() {
                break;
            }
        }
        done.store(true, Ordering::Release);
    });
    let (last, all) = (micros(ROUNDS - 1), scene.all_due(PARTITION));
    let moved = all.iter().filter(|(at, _)| *at == last).count();
    same(&moved, &count, "how many are due where they were moved last");
}
