//! The index by creation.

use std::collections::BTreeSet;

use super::model::Random;
use super::*;
use crate::store::sled::keys::{APPLIED, CREATIONS, INDEXED};

/// The ids in the order of creation, in pages of two.
fn by_creation(store: &SledStore, order: CreationOrder) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), None);
    loop {
        let filter = InstanceFilter::default();
        let page = store.instances_by_creation(&filter, order, after.as_ref(), 2).unwrap();
        ids.extend(page.instances.iter().map(|record| record.instance_id.to_string()));
        after = page.next;
        if after.is_none() {
            return ids;
        }
    }
}

#[test]
fn a_folder_of_an_earlier_release_gets_its_index_by_creation_when_it_is_opened() {
    let opened = Opened::new();
    let created = |id: &str, micros: i64, length: usize| {
        let mut episode = episode(id, length);
        episode.record.created_at = at(micros);
        episode
    };
    let (long, entity) = (created("b", 2, 4 * values::PIECE), created("@counter@a", 9, 0));
    opened.write(vec![created("c", 1, 0), long, created("a", 3, 0), entity]);
    opened.store.inner.checkpoint().unwrap();
    {
        let base = opened.store.inner.view().base;
        let mut batch = super::super::tree::Batch::default();
        base.keys(CREATIONS).unwrap().into_iter().for_each(|key| batch.remove(key));
        batch.remove(INDEXED);
        base.write(batch).unwrap();
    }
    assert_eq!(by_creation(&opened.store, CreationOrder::OldestFirst), [""; 0]);
    let Opened { store, folder, .. } = opened;
    drop(store);
    let store = SledStore::open(folder.path()).unwrap();
    assert_eq!(by_creation(&store, CreationOrder::OldestFirst), ["c", "b", "a"]);
    assert_eq!(by_creation(&store, CreationOrder::NewestFirst), ["a", "b", "c"]);
    let base = store.inner.view().base;
    assert_eq!(creation::count(base).unwrap(), 3);
    assert_eq!(base.get(INDEXED).unwrap(), base.get(APPLIED).unwrap());
}

#[test]
fn a_page_by_creation_reads_only_its_part_of_the_index() {
    let opened = Opened::new();
    let many = (0..1000).map(|number| {
        let mut episode = episode(&format!("{:03}", 999 - number), 0);
        episode.record.created_at = at(number);
        episode
    });
    opened.write(many.collect());
    for _ in ["in the overlay", "in the tree"] {
        let newest = |filter: &InstanceFilter| {
            let order = CreationOrder::NewestFirst;
            let page = opened.store.instances_by_creation(filter, order, None, 5).unwrap();
            let micros = page.instances.iter().map(|it| it.created_at).collect::<Vec<_>>();
            (micros, page.scanned)
        };
        let all = InstanceFilter::default();
        assert_eq!(newest(&all), ([999, 998, 997, 996, 995].map(at).to_vec(), 5));
        let before = InstanceFilter { created_to: Some(at(300)), ..all.clone() };
        assert_eq!(newest(&before), ([299, 298, 297, 296, 295].map(at).to_vec(), 5));
        let (from, to) = (Some(at(10)), Some(at(12)));
        let within = InstanceFilter { created_from: from, created_to: to, ..all };
        assert_eq!(newest(&within), ([11, 10].map(at).to_vec(), 2));
        opened.store.inner.checkpoint().unwrap();
    }
}

/// The created orchestrations in the index of the tree, in both orders, in pages of `limit`.
fn in_tree(store: &SledStore, limit: usize) -> [Vec<Creation>; 2] {
    [CreationOrder::OldestFirst, CreationOrder::NewestFirst].map(|order| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let scan = creation::Scan { order, after, from: None, to: None };
            let page = creation::first(store.inner.view().base, &scan, limit).unwrap();
            after = page.last().cloned();
            found.extend(page);
            if after.is_none() {
                return found;
            }
        }
    })
}

#[test]
fn the_index_agrees_with_a_set_whatever_is_created_purged_and_started_again() {
    // Long ids, so that a block of many does not fit into one value.
    let name = |number: u64| id(&format!("{number:03}{}", "x".repeat(200)));
    for seed in 1..=20 {
        let mut random = Random(seed);
        let opened = Opened::new();
        let mut expected = BTreeSet::<Creation>::new();
        for _round in 0..12 {
            let (mut episodes, mut purged) = (Vec::new(), Vec::new());
            let mut touched = BTreeSet::new();
            for _ in 0..random.below(120) {
                let id = name(random.below(150));
                if !touched.insert(id.clone()) {
                    continue;
                }
                let before = expected.iter().find(|(_, it)| *it == id).cloned();
                if let Some(before) = before.filter(|_| random.below(3) > 0) {
                    expected.remove(&before);
                    purged.push(id);
                } else {
                    let created_at = at(i64::try_from(random.below(1_000_000)).unwrap() - 300_000);
                    let execution = ExecutionId::from_u128(random.below(u64::MAX).into());
                    expected.retain(|(_, it)| *it != id);
                    expected.insert((created_at, id.clone()));
                    let mut created = episode(id.as_str(), 0);
                    (created.record.created_at, created.record.execution_id) =
                        (created_at, execution);
                    created.replaces =
                        opened.store.instance(&id).unwrap().map(|it| it.execution_id);
                    episodes.push(created);
                }
            }
            opened.write(episodes);
            opened.purge(&purged);
            if random.below(2) == 0 {
                opened.store.inner.checkpoint().unwrap();
                let mut newest_first: Vec<_> = expected.iter().cloned().collect();
                let oldest_first = newest_first.clone();
                newest_first.reverse();
                let limit = usize::try_from(1 + random.below(200)).unwrap();
                assert_eq!(in_tree(&opened.store, limit), [oldest_first, newest_first]);
                let base = opened.store.inner.view().base;
                assert_eq!(creation::count(base).unwrap(), expected.len());
            }
        }
        opened.purge(&expected.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>());
        assert_eq!(opened.keys(), "");
    }
}
