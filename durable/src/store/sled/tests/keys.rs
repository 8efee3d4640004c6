//! The keys and files of a store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::protocol::MessageId;

#[test]
fn an_instance_has_one_key_of_each_index_at_most() {
    let opened = Opened::new();
    let first = episode("order-17", 0);
    opened.write(vec![first.clone()]);
    assert_eq!(opened.keys(), "abdi");
    let moved = next(&first, |record| record.next_due = Some(at(-5)));
    let again = next(&moved, |record| record.next_due = Some(at(18)));
    opened.write(vec![moved, again.clone()]);
    assert_eq!(opened.keys(), "abdi");
    let rest = next(&again, |record| {
        record.active = false;
        record.next_due = None;
    });
    opened.write(vec![rest.clone()]);
    assert_eq!(opened.keys(), "bi");
    let set = next(&rest, |record| record.next_due = Some(at(20)));
    let unset = next(&set, |record| record.next_due = None);
    opened.write(vec![set, unset]);
    assert_eq!(opened.keys(), "bi");
}

#[test]
fn a_replaced_history_leaves_no_key() {
    let opened = Opened::new();
    let first = episode("order-17", 0);
    let execution = first.record.execution_id;
    opened.write(vec![first.clone(), next(&first, |_| {})]);
    let other = |number: u128, replaced| {
        let mut other = episode("order-17", 0);
        other.record.execution_id = ExecutionId::from_u128(number);
        other.replaces = Some(replaced);
        other
    };
    let (second, third) = (other(2, execution), other(3, ExecutionId::from_u128(2)));
    opened.write(vec![second.clone(), next(&second, |_| {}), third.clone()]);
    assert_eq!(opened.keys(), "abdi");
    let anew = other(3, ExecutionId::from_u128(3));
    opened.write(vec![next(&third, |_| {}), anew.clone(), next(&anew, |_| {})]);
    assert_eq!(opened.keys(), "abdi");
}

#[test]
fn a_purged_instance_leaves_no_key() {
    let opened = Opened::new();
    let long = episode("long", 50_000);
    let entities = ["@counter@", "@counter@long", "@\u{e4}@a@\u{1f980}"];
    opened.write(vec![episode("short", 0), long.clone()]);
    opened.write(entities.map(|id| episode(id, 0)).into());
    let mut beside = episode("short", 0);
    beside.record.execution_id = ExecutionId::from_u128(2);
    opened.write(vec![beside]);
    assert_eq!(opened.keys(), "aaaaabdddddhiiiiiiiiiiiii");
    opened.purge(&entities[..2].iter().copied().map(id).collect::<Vec<_>>());
    assert_eq!(opened.keys(), "aaabdddhiiiiiiiiiii");
    opened.purge(&["short", "long", "nobody", entities[2]].map(id));
    assert_eq!(opened.keys(), "");
    assert!(opened.store.instance(&id("long")).unwrap().is_none());
}

#[test]
fn a_record_in_pieces_leaves_no_piece_and_is_found_by_page() {
    let opened = Opened::new();
    let piece = values::PIECE;
    let mut last = episode("long", 0);
    let others = [episode("lon", 0), episode("long ", 0), episode("longer", 0)];
    opened.write([last.clone()].into_iter().chain(others.clone()).collect());
    // Around one piece and around two, in any order.
    let around = (piece - 130..piece).chain(2 * piece - 130..2 * piece).rev();
    for size in around.chain([10 * piece, 1, 3 * piece]) {
        let status = Json::trusted(format!("\"{}\"", "x".repeat(size)));
        last = next(&last, |record| record.custom_status = Some(status));
        opened.write(vec![last.clone()]);
        let found = opened.store.instance(&id("long")).unwrap();
        assert!(found.as_ref() == Some(&last.record), "{size}");
        let page = opened.store.instances(&InstanceFilter::default(), None, 9).unwrap();
        let ids: Vec<&str> =
            page.instances.iter().map(|record| record.instance_id.as_str()).collect();
        assert_eq!(ids, ["lon", "long", "long ", "longer"]);
        assert!(page.instances[1] == last.record, "{size}");
        let behind = opened.store.instances(&InstanceFilter::default(), Some(&id("long")), 1);
        assert_eq!(behind.unwrap().instances, [others[1].record.clone()]);
    }
    last = next(&last, |record| record.custom_status = None);
    opened.write(vec![last]);
    assert_eq!(opened.keys().matches('i').count(), 4);
}

#[test]
fn a_record_in_pieces_is_read_consistently_while_it_changes() {
    const ROUNDS: usize = 60;
    let opened = Opened::new();
    let status = |round: usize| {
        let letter = ["a", "b", "c", "d"][round % 4];
        Json::trusted(format!("\"{}\"", letter.repeat(values::PIECE * (1 + round % 5))))
    };
    let all: Vec<_> = (0..20).map(|round| Some(status(round))).collect();
    let mut last = episode("long", values::PIECE);
    last.record.custom_status = Some(status(0));
    opened.write(vec![last.clone()]);
    let done = AtomicBool::new(false);
    let look = || {
        while !done.load(Ordering::SeqCst) {
            let found = opened.store.instance(&id("long")).unwrap().unwrap();
            assert!(all.contains(&found.custom_status));
            let page = opened.store.instances(&InstanceFilter::default(), None, 5).unwrap();
            assert!(all.contains(&page.instances[0].custom_status));
        }
    };
    thread::scope(|scope| {
        let threads = [scope.spawn(look), scope.spawn(look)];
        for round in 1..ROUNDS {
            last = next(&last, |record| record.custom_status = Some(status(round)));
            opened.write(vec![last.clone()]);
        }
        done.store(true, Ordering::SeqCst);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn large_records_stay_in_the_log_that_is_synced() {
    let opened = Opened::new();
    for round in 0..4 {
        let ids: Vec<InstanceId> = (0..32).map(|number| id(&format!("{number}"))).collect();
        opened.write(ids.iter().map(|id| episode(id.as_str(), 15_000 + round)).collect());
        assert_eq!(opened.files_of_large_values(), 0);
        opened.purge(&ids);
    }
}

#[test]
fn a_page_scans_a_bounded_number_of_records() {
    let opened = Opened::new();
    let mut one = episode("99999", 0);
    one.record.name = "rare".to_owned();
    let many = (0..=LOOKED_AT_MAX)
        .map(|number| EpisodeWrite { events: Vec::new(), ..episode(&format!("{number:05}"), 0) });
    opened.write(many.chain([one.clone()]).collect());
    let rare = InstanceFilter { name: Some("rare".to_owned()), ..InstanceFilter::default() };
    let page = opened.store.instances(&rare, None, 5).unwrap();
    assert_eq!(page.instances, []);
    let next = page.next.unwrap();
    assert_eq!(next.as_str(), format!("{:05}", LOOKED_AT_MAX - 1));
    let page = opened.store.instances(&rare, Some(&next), 5).unwrap();
    assert_eq!(page, InstancePage::new(vec![one.record], None).scanned(2));
    let all = opened.store.instances(&InstanceFilter::default(), None, usize::MAX).unwrap();
    assert_eq!(all.instances.len(), LOOKED_AT_MAX);
}

#[test]
fn a_page_of_orchestrations_skips_entities() {
    let opened = Opened::new();
    let many = (0..=LOOKED_AT_MAX).map(|number| EpisodeWrite {
        events: Vec::new(),
        ..episode(&format!("@a@{number:05}"), 0)
    });
    let others = ["1", "A", "a"].map(|id| episode(id, 0));
    opened.write(many.chain(others.clone()).collect());
    for moved in [false, true] {
        let page = opened.store.instances(&InstanceFilter::default(), None, 9).unwrap();
        assert_eq!(page.instances, others.clone().map(|episode| episode.record), "{moved}");
        assert_eq!(page.next, None);
        let entities = InstanceFilter { entities: true, ..InstanceFilter::default() };
        let first = opened.store.instances(&entities, Some(&id("1")), 1).unwrap().instances;
        assert_eq!(first[0].instance_id.as_str(), "@a@00000");
        opened.store.inner.checkpoint().unwrap();
    }
}

#[test]
fn messages_in_pieces_are_found_at_any_position() {
    let opened = Opened::new();
    let piece = values::PIECE;
    let ids = ["@counter@", "@counter@a"].map(id);
    let sizes = [0, piece - 90, piece - 60, piece, 3 * piece, 1, 2 * piece - 60, 20 * piece];
    let messages: Vec<TaskMessage> = (0..40)
        .map(|number: usize| TaskMessage {
            id: MessageId::from_u128(number as u128),
            instance_id: ids[number % 3 / 2].clone(),
            execution_id: None,
            from: None,
            event: EventKind::EventRaised {
                name: String::new(),
                input: Json::trusted(format!("\"{}\"", noise(sizes[number % 8], number as u64))),
            },
        })
        .collect();
    let (early, late) = messages.split_at(20);
    let send = |some: &[TaskMessage]| {
        let messages = some.iter().map(|message| (PARTITION, message.clone())).collect();
        opened.store.commit(&Commit { messages, ..Commit::default() }).unwrap();
    };
    send(early);
    opened.store.inner.checkpoint().unwrap();
    send(late);
    for to in [None, Some(&ids[0]), Some(&ids[1])] {
        for limit in [1, 3, 99] {
            let (mut found, mut positions) = (Vec::new(), 0..u64::MAX);
            loop {
                let page = opened.store.messages(PARTITION, to, positions.clone(), limit).unwrap();
                let Some((last, _)) = page.last() else { break };
                positions.start = last + 1;
                found.extend(page.into_iter().map(|(_, message)| message));
            }
            let wanted = messages.iter().filter(|it| to.is_none_or(|to| it.instance_id == *to));
            assert!(found.iter().eq(wanted), "{to:?} in pages of {limit}");
        }
    }
}

#[test]
fn a_last_commit_without_an_effect_is_not_damage() {
    let opened = Opened::new();
    opened.write(vec![episode("order-17", 0)]);
    let owners = vec![opened.owner];
    let consumed = vec![(PARTITION, MessageId::from_u128(7))];
    opened.store.commit(&Commit { owners, consumed, ..Commit::default() }).unwrap();
    let Opened { store, folder, .. } = opened;
    drop(store);
    let store = SledStore::open(folder.path()).unwrap();
    assert!(store.instance(&id("order-17")).unwrap().is_some());
}
