//! The point of the contract about pages of a history.

use std::ops::Range;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Numbers, Scene, must, same_all};
use crate::protocol::{ExecutionId, HistoryEvent, InstanceId};

/// Point 19: a page holds exactly the events of its range, wherever episodes begin.
///
/// # Panics
/// If the store violates the point.
pub fn history_is_found_by_page(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let owner = scene.claim(33);
    let [mut long, mut alike] = ["paged", "paged "].map(|id| Instance::new(33, id));
    for round in 0..30 {
        let group = Group::by(&[owner]).episode(long.run(1 + round % 11)).episode(alike.run(1));
        scene.commit(&group.episode(long.run(2)));
    }
    scene.commit(&Group::by(&[owner]).episode(long.run(700)).episode(long.run(1)));
    pages(&scene, &long);
    pages(&scene, &alike);
    let scene = scene.crash();
    pages(&scene, &long);

    // Behind a crash, after which more is appended, and in an execution that replaces another.
    let owner = scene.claim(33);
    scene.commit(&Group::by(&[owner]).episode(long.run(5)));
    pages(&scene, &long);
    let replaced = alike.execution();
    scene.commit(&Group::by(&[owner]).episode(alike.replace(2, 4)));
    pages(&scene, &alike);
    same_all(&page(&scene, &replaced, 0..9), &[], "a page of a replaced history");
}

fn page(
    scene: &Scene<'_>,
    (id, execution): &(InstanceId, ExecutionId),
    indices: Range<u64>,
) -> Vec<HistoryEvent> {
    must(scene.store().history_page(id, *execution, indices), "reading a page of a history")
}

fn pages(scene: &Scene<'_>, instance: &Instance) {
    let len = instance.record.history_len;
    let mut numbers = Numbers::new(len);
    let check = |indices: Range<u64>| {
        let found = page(scene, &instance.execution(), indices.clone());
        let numbered = (0..).zip(&instance.events);
        let wanted = numbered.filter(|(index, _)| indices.contains(index));
        let wanted: Vec<HistoryEvent> = wanted.map(|(_, event)| event.clone()).collect();
        same_all(&found, &wanted, &format!("events {indices:?} of {len}"));
    };
    for indices in [0..0, 0..1, 0..len, 0..u64::MAX, 1..len - 1, len - 1..len, len..len + 9] {
        check(indices);
    }
    check(u64::MAX..u64::MAX);
    for _ in 0..60 {
        let start = numbers.below(len + 2);
        check(start..start + numbers.below(20));
    }
}
