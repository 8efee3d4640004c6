//! Reading histories that are larger than one page.

use std::sync::atomic::{AtomicBool, Ordering};

use std::thread;

use super::*;

/// More than a page, in several episodes.
const LARGE: usize = 40 * 1024;
const EPISODES: u64 = 20;

/// An episode with one event, which names its generation.
fn part(before: Option<&EpisodeWrite>, generation: u64, length: usize) -> EpisodeWrite {
    let mut part = match before {
        Some(before) => next(before, |_record| ()),
        None => episode("large", 0),
    };
    part.record.execution_id = ExecutionId::from_u128(generation.into());
    let data = format!("{generation} {}", noise(length, part.record.history_len));
    part.events = vec![HistoryEvent::new(at(0), EventKind::GenericEvent { data })];
    part
}

fn generation_of(event: &HistoryEvent) -> u64 {
    let EventKind::GenericEvent { data } = &event.kind else { panic!("{event:?}") };
    data.split(' ').next().unwrap().parse().unwrap()
}

fn write_large(opened: &Opened) -> EpisodeWrite {
    let mut last = part(None, 1, LARGE);
    opened.write(vec![last.clone()]);
    for _ in 1..EPISODES {
        last = part(Some(&last), 1, LARGE);
        opened.write(vec![last.clone()]);
        if last.record.history_len.is_multiple_of(6) {
            opened.store.inner.checkpoint().unwrap();
        }
    }
    last
}

#[test]
fn a_history_of_several_pages_is_read_from_any_event_on() {
    let opened = Opened::new();
    let last = write_large(&opened);
    let (large, execution) = (id("large"), last.record.execution_id);
    let whole = opened.store.history(&large, execution, 0).unwrap();
    assert_eq!(whole.len() as u64, EPISODES);
    assert_eq!(whole.last(), last.events.last());
    for from in 0..EPISODES {
        let part = opened.store.history(&large, execution, from).unwrap();
        assert_eq!(part, whole[usize::try_from(from).unwrap()..], "from {from}");
    }
}

/// The same execution id, as after a rewind: only the order of commits distinguishes the two.
#[test]
fn a_history_that_is_replaced_during_a_read_is_consistent() {
    let opened = Opened::new();
    let mut last = write_large(&opened);
    let (large, execution) = (id("large"), last.record.execution_id);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !is_over.load(Ordering::Relaxed) {
                let events = opened.store.history(&large, execution, 0).unwrap();
                let generation = generation_of(&events[0]);
                assert!(events.iter().all(|event| generation_of(event) == generation));
                reads += 1;
            }
            reads
        });
        for generation in 2..8 {
            let mut first = part(None, generation, LARGE);
            first.record.execution_id = execution;
            first.replaces = Some(execution);
            opened.write(vec![first.clone()]);
            last = first;
            for _ in 1..EPISODES / 2 {
                let mut more = part(Some(&last), generation, LARGE);
                more.record.execution_id = execution;
                opened.write(vec![more.clone()]);
                last = more;
            }
            opened.store.inner.checkpoint().unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
}
