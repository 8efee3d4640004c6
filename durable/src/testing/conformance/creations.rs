//! The point of the contract about the order of creation.

use super::StoreUnderTest;
use super::pages::{filters, of_every_kind};
use super::scene::{Group, Instance, Scene, micros, must, same, same_all};
use crate::protocol::{InstanceRecord, RuntimeStatus};
use crate::store::{Creation, CreationOrder, InstanceFilter};

const ORDERS: [CreationOrder; 2] = [CreationOrder::OldestFirst, CreationOrder::NewestFirst];

/// Point 21: all matching orchestrations are found, each once, in the order of creation or in the
/// reverse order, even after some were started again or purged.
///
/// # Panics
/// If the store violates the point.
pub fn instances_are_found_by_creation(under_test: &dyn StoreUnderTest) {
    let (scene, records) = of_every_kind(Scene::open(under_test));
    by_every_filter(&scene, &records);
    let scene = scene.crash();
    by_every_filter(&scene, &records);
    after_every_position(&scene, &records);
    as_they_change(scene, records);
}

fn creation(record: &InstanceRecord) -> Creation {
    (record.created_at, record.instance_id.clone())
}

/// The matching orchestrations in an order.
fn wanted(
    records: &[InstanceRecord],
    filter: &InstanceFilter,
    order: CreationOrder,
) -> Vec<InstanceRecord> {
    let is_wanted =
        |record: &&InstanceRecord| record.instance_id.is_orchestration() && filter.matches(record);
    let mut wanted: Vec<_> = records.iter().filter(is_wanted).cloned().collect();
    wanted.sort_by_key(creation);
    if order == CreationOrder::NewestFirst {
        wanted.reverse();
    }
    wanted
}

fn by_every_filter(scene: &Scene<'_>, records: &[InstanceRecord]) {
    for (filter, order) in filters().iter().flat_map(|filter| ORDERS.map(|order| (filter, order))) {
        for limit in [1, 7, usize::MAX] {
            let found = all_pages(scene, filter, order, None, limit);
            let what = format!("what {filter:?} finds {order:?} in pages of {limit}");
            same_all(&found, &wanted(records, filter, order), &what);
        }
        let bounded = InstanceFilter { max_scanned: Some(7), ..filter.clone() };
        let found = all_pages(scene, &bounded, order, None, 10);
        let what = format!("what {bounded:?} finds {order:?}");
        same_all(&found, &wanted(records, filter, order), &what);
    }
}

/// Starts after each orchestration, and at positions without one.
fn after_every_position(scene: &Scene<'_>, records: &[InstanceRecord]) {
    let all = InstanceFilter::default();
    for order in ORDERS {
        let mut from: Vec<Creation> = wanted(records, &all, order).iter().map(creation).collect();
        let id = from.first().map(|(_, id)| id.clone());
        from.extend(id.into_iter().flat_map(|id| [-9, 0, 9].map(|at| (micros(at), id.clone()))));
        for after in from {
            let mut wanted = wanted(records, &all, order);
            wanted.retain(|record| order.is_after(&creation(record), &after));
            let found = all_pages(scene, &all, order, Some(after.clone()), 5);
            same_all(&found, &wanted, &format!("what comes {order:?} after {after:?}"));
        }
    }
}

/// A restarted instance moves to its new place, and a purged one disappears.
fn as_they_change(scene: Scene<'_>, mut records: Vec<InstanceRecord>) {
    let owner = scene.claim(131);
    let (mut moved, mut gone) = (Instance::new(131, "moved"), Instance::new(131, "gone"));
    let created = |at: i64| move |record: &mut InstanceRecord| record.created_at = micros(at);
    let first = moved.change(created(-2));
    scene.commit(&Group::by(&[owner]).episode(first).episode(gone.change(created(1))));
    let first = moved.record.clone();
    let mut again = moved.replace(2, 3);
    again.record.created_at = micros(2);
    moved.record.created_at = micros(2);
    scene.commit(&Group::by(&[owner]).purge(&gone).episode(again));
    scene.commit(&Group::by(&[owner]).episode(moved.finish(RuntimeStatus::Failed)));
    records.push(moved.record.clone());
    let all = InstanceFilter::default();
    let check = |scene: &Scene<'_>, records: &[InstanceRecord]| {
        for order in ORDERS {
            let found = all_pages(scene, &all, order, None, 3);
            let what = format!("what is found {order:?} after changes");
            same_all(&found, &wanted(records, &all, order), &what);
        }
    };
    check(&scene, &records);
    let from = Some(creation(&first));
    let found = all_pages(&scene, &all, CreationOrder::NewestFirst, from, 3);
    let count = found.iter().filter(|record| record.instance_id.as_str() == "moved").count();
    same(&count, &0, "how often a restarted instance is found at its former place");
    let scene = scene.crash();
    check(&scene, &records);
    let owner = scene.claim(131);
    scene.commit(&Group::by(&[owner]).purge(&moved));
    records.pop();
    check(&scene, &records);
}

/// Reads all pages and checks that no page is too long.
#[track_caller]
fn all_pages(
    scene: &Scene<'_>,
    filter: &InstanceFilter,
    order: CreationOrder,
    mut after: Option<Creation>,
    limit: usize,
) -> Vec<InstanceRecord> {
    let mut found = Vec::new();
    loop {
        let page = scene.store.instances_by_creation(filter, order, after.as_ref(), limit);
        let page = must(page, "looking for instances by creation");
        let count = page.instances.len();
        same(&(count <= limit.max(1)), &true, &format!("whether {count} are at most {limit}"));
        found.extend(page.instances);
        let Some(next) = page.next else { return found };
        let goes_on = after.as_ref().is_none_or(|after| order.is_after(&next, after));
        same(&goes_on, &true, &format!("whether a page after {after:?} goes on, to {next:?}"));
        after = Some(next);
    }
}
