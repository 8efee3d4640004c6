//! The points of the contract about queries of instances.

use std::collections::BTreeSet;

use super::StoreUnderTest;
use super::scene::{Group, Instance, Scene, instance_id, json, micros, same, same_all, text};
use crate::protocol::{InstanceId, InstanceRecord, RuntimeStatus, Tags};
use crate::store::InstanceFilter;

/// Point 17: all matching instances are found, each once, in the order of ids; entities appear
/// among orchestrations if the filter includes them.
///
/// # Panics
/// If the store violates the point.
pub fn instances_are_found_by_page(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let nothing = InstanceFilter::default();
    same(&scene.page(&nothing, None, 10).instances.len(), &0, "how many instances a new hub has");
    let (scene, records) = of_every_kind(scene);
    by_every_filter(&scene, &records);
    from_every_id(&scene, &records);
    let scene = scene.crash();
    by_every_filter(&scene, &records);
    as_they_change(scene, records);
}

/// Point 20: a page whose filter bounds the scan reads no more records than that, even if it finds
/// nothing, and the pages together find the same as without a bound.
///
/// # Panics
/// If the store violates the point.
pub fn a_page_scans_no_more_than_it_may(under_test: &dyn StoreUnderTest) {
    let (scene, records) = of_every_kind(Scene::open(under_test));
    for filter in filters() {
        let wanted = records.iter().filter(|record| filter.matches(record));
        let wanted: Vec<InstanceRecord> = wanted.cloned().collect();
        for (most, limit) in [(0, 10), (3, 2), (7, 100), (usize::MAX, 5)] {
            let filter = InstanceFilter { max_scanned: Some(most), ..filter.clone() };
            let found = all_pages(&scene, &filter, None, limit);
            same_all(&found, &wanted, &format!("what {filter:?} finds in pages of {limit}"));
        }
    }
}

/// Ids that are prefixes of each other, in several partitions, with records as different as
/// possible.
pub(super) fn of_every_kind(scene: Scene<'_>) -> (Scene<'_>, Vec<InstanceRecord>) {
    let partitions = [0, 130, 256, 511];
    let owners = partitions.map(|partition| scene.claim(partition));
    let stems =
        ["1", "a", "a ", "a b", "a%", "aa", "ab", "A", "b", "\u{e4}", "a\u{308}", "\u{1f980}"];
    // The ids of entities sort among the others.
    let entities = ["@a@", "@counter@", "@counter@a@", "@counter@\u{e4}", "@\u{e4}@"];
    let endings = ["", "0", "1", "10", " ", "\u{10ffff}"];
    let ids: BTreeSet<String> = stems
        .iter()
        .chain(&entities)
        .flat_map(|stem| endings.map(|ending| format!("{stem}{ending}")))
        .collect();
    let statuses = [RuntimeStatus::Running, RuntimeStatus::Completed, RuntimeStatus::Pending];
    let mut records = Vec::new();
    // In reverse, because results must not depend on the order of writes.
    for (index, id) in ids.into_iter().rev().enumerate() {
        let mut instance = Instance::new(partitions[index % 4], &id);
        let number = i64::try_from(index).unwrap_or_default();
        let episode = instance.change(|record| {
            ["checkout", "check", "", "refund"][index % 4].clone_into(&mut record.name);
            record.runtime_status = statuses[index % 3];
            record.created_at = micros(number % 7 - 3);
            record.last_updated_at = micros(number % 5);
            if index % 2 == 0 {
                record.tags.insert("city".to_owned(), ["Tokyo", "Oslo"][index / 2 % 2].to_owned());
            }
            if index % 5 == 0 {
                record.tags.insert("rush".to_owned(), String::new());
            }
            record.custom_status = (index % 6 == 0).then(|| text(&format!("{}", index % 4)));
        });
        scene.commit(&Group::by(&owners).episode(episode));
        records.push(instance.record);
    }
    records.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    (scene, records)
}

/// Filters that match all, many, few, one or no instances.
pub(super) fn filters() -> Vec<InstanceFilter> {
    let all = InstanceFilter::default;
    let name = |name: &str| InstanceFilter { name: Some(name.to_owned()), ..all() };
    let statuses =
        |statuses: &[RuntimeStatus]| InstanceFilter { statuses: statuses.to_vec(), ..all() };
    let created = |from: Option<i64>, to: Option<i64>| InstanceFilter {
        created_from: from.map(micros),
        created_to: to.map(micros),
        ..all()
    };
    let updated = |from: Option<i64>, to: Option<i64>| InstanceFilter {
        updated_from: from.map(micros),
        updated_to: to.map(micros),
        ..all()
    };
    let prefix = |prefix: &str| InstanceFilter { id_prefix: prefix.to_owned(), ..all() };
    let tags = |tags: &[(&str, &str)]| {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        InstanceFilter { tags: tags.collect::<Tags>(), ..all() }
    };
    let custom_status =
        |status: &str| InstanceFilter { custom_status: Some(json(status)), ..all() };
    let mut filters = vec![all()];
    filters.extend(["checkout", "check", "", "nothing"].map(name));
    filters.push(statuses(&[RuntimeStatus::Completed]));
    filters.push(statuses(&[RuntimeStatus::Pending, RuntimeStatus::Running]));
    filters.push(statuses(&[RuntimeStatus::Failed]));
    filters.push(created(Some(0), None));
    filters.push(created(None, Some(0)));
    filters.push(created(Some(-1), Some(2)));
    filters.push(created(Some(2), Some(2)));
    filters.push(updated(Some(3), None));
    filters.push(updated(Some(1), Some(3)));
    filters.push(updated(None, Some(0)));
    filters.extend(
        ["a", "a ", "a%", "aa", "aa1", "aa10", "a\u{308}", "\u{1f980}\u{10ffff}"].map(prefix),
    );
    filters.extend(["B", "zz", "/", "a\0", "\u{10ffff}", "b ?"].map(prefix));
    filters
        .extend(["@", "@a", "@counter@", "@counter@a@", "@counter@\u{e4}\u{10ffff}"].map(prefix));
    filters.push(tags(&[("city", "Oslo")]));
    filters.push(tags(&[("city", "Oslo"), ("rush", "")]));
    filters.push(tags(&[("rush", "yes")]));
    filters.push(tags(&[("City", "Oslo")]));
    filters.extend(["\"0\"", "\"2\"", "0", "null"].map(custom_status));
    filters.push(InstanceFilter {
        name: Some("checkout".to_owned()),
        statuses: vec![RuntimeStatus::Running, RuntimeStatus::Completed],
        created_from: Some(micros(-2)),
        ..tags(&[("city", "Tokyo")])
    });
    filters.push(InstanceFilter { id_prefix: "a".to_owned(), ..name("refund") });
    let of_entities = |filter: &InstanceFilter| InstanceFilter { entities: true, ..filter.clone() };
    let of_entities: Vec<InstanceFilter> = filters.iter().map(of_entities).collect();
    filters.push(InstanceFilter { not_names: vec!["checkout".to_owned()], ..all() });
    filters.push(InstanceFilter { scheduled_signals: true, ..all() });
    filters.extend(of_entities);
    filters
}

fn by_every_filter(scene: &Scene<'_>, records: &[InstanceRecord]) {
    for filter in filters() {
        let wanted: Vec<InstanceRecord> =
            records.iter().filter(|record| filter.matches(record)).cloned().collect();
        for limit in [1, 2, 7, records.len(), usize::MAX] {
            let found = all_pages(scene, &filter, None, limit);
            let what = format!("what {filter:?} finds in pages of {limit}");
            same_all(&found, &wanted, &what);
        }
    }
}

/// Starts after each instance, and at positions without an instance, some of them far from the
/// results.
fn from_every_id(scene: &Scene<'_>, records: &[InstanceRecord]) {
    let there = records.iter().map(|record| record.instance_id.clone());
    let not_there = ["!", "a00", "a  ", "aa2", "c", "~", "\u{10ffff}", "@b@", "@counter@b"];
    let not_there = not_there.map(instance_id);
    let filters =
        [("", false), ("a", false), ("aa", false), ("b", false), ("", true), ("@c", true)];
    let filters = filters.map(|(prefix, entities)| InstanceFilter {
        id_prefix: prefix.to_owned(),
        entities,
        ..InstanceFilter::default()
    });
    for after in there.chain(not_there) {
        for filter in &filters {
            let wanted = records.iter().filter(|record| filter.matches(record));
            let wanted = wanted.filter(|record| record.instance_id > after);
            let wanted: Vec<InstanceRecord> = wanted.cloned().collect();
            let found = all_pages(scene, filter, Some(after.clone()), 5);
            let what = format!("what begins with {:?} behind `{after}`", filter.id_prefix);
            same_all(&found, &wanted, &what);
        }
    }
}

/// Reads all pages and checks that no page is too long.
#[track_caller]
fn all_pages(
    scene: &Scene<'_>,
    filter: &InstanceFilter,
    mut after: Option<InstanceId>,
    limit: usize,
) -> Vec<InstanceRecord> {
    let mut found = Vec::new();
    loop {
        let page = scene.page(filter, after.as_ref(), limit);
        let count = page.instances.len();
        same(&(count <= limit.max(1)), &true, &format!("whether {count} are at most {limit}"));
        let most = filter.max_scanned.map_or(u64::MAX, |most| most.max(1) as u64);
        let scanned = page.scanned;
        same(&(scanned <= most), &true, &format!("whether {scanned} read are at most {most}"));
        let are_read = scanned >= count as u64;
        same(&are_read, &true, &format!("whether {count} found are among {scanned} read"));
        found.extend(page.instances);
        let Some(next) = page.next else { return found };
        let goes_on = after.as_ref().is_none_or(|after| next > *after);
        same(&goes_on, &true, &format!("whether a page behind {after:?} goes on, to {next:?}"));
        let is_behind = found.last().is_none_or(|last| last.instance_id <= next);
        same(&is_behind, &true, &format!("whether the next page, {next:?}, has nothing again"));
        after = Some(next);
    }
}

/// Purged instances disappear, changed ones are found as they are now, and new ones at their place.
fn as_they_change(scene: Scene<'_>, mut records: Vec<InstanceRecord>) {
    records.retain(|record| InstanceFilter::default().matches(record));
    let owner = scene.claim(131);
    let (mut moved, mut gone) = (Instance::new(131, "a b1 new"), Instance::new(131, "aa1 gone"));
    scene.commit(&Group::by(&[owner]).episode(moved.run(1)).episode(gone.run(1)));
    let everything = InstanceFilter::default();
    let page = scene.page(&everything, None, 3);
    same(&page.instances.len(), &3, "how many of many instances a page of 3 has");
    scene.commit(&Group::by(&[owner]).purge(&gone).episode(moved.replace(2, 3)));
    let end = moved.finish(RuntimeStatus::Failed);
    scene.commit(&Group::by(&[owner]).episode(end));
    records.push(moved.record.clone());
    records.sort_by(|a, b| a.instance_id.cmp(&b.instance_id));
    // Continues where the first page ended, before these changes.
    let after = page.next;
    let rest = all_pages(&scene, &everything, after, 3);
    same_all(&rest, &records[3..], "the pages behind one that was there before a change");
    let failed = InstanceFilter { statuses: vec![RuntimeStatus::Failed], ..everything.clone() };
    let found = all_pages(&scene, &failed, None, 1);
    same_all(&found, &[moved.record.clone()], "what has failed");
    let running = InstanceFilter { id_prefix: "a b1 ".to_owned(), ..everything.clone() };
    let running = InstanceFilter { statuses: vec![RuntimeStatus::Running], ..running };
    same_all(&all_pages(&scene, &running, None, 1), &[], "what no longer runs");
    same_all(&all_pages(&scene, &everything, None, 0), &records, "what pages of 0, so 1, find");
    let scene = scene.crash();
    same_all(&all_pages(&scene, &everything, None, 1), &records, "what is found after a crash");
}
