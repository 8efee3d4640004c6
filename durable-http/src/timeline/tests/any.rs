//! Any history, even an impossible one, has a timeline that obeys the rules.

use std::collections::BTreeSet;

use durable::RuntimeStatus;
use durable::protocol::{EventKind, HistoryEvent};

use super::history::History;
use super::{Lane, Timeline, View, Waits, at, of};

/// Numbers from a seed: splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> i64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        i64::try_from((mixed ^ (mixed >> 31)) % bound).unwrap()
    }

    fn id(&mut self, bound: u64) -> i32 {
        i32::try_from(self.below(bound)).unwrap()
    }

    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }

    fn waits(&mut self, below: i32) -> Waits {
        Waits {
            tasks: (0..below).filter(|_| self.below(2) == 0).collect(),
            events: vec!["charge".to_owned(), "ship".to_owned()],
            unread: vec!["price".to_owned(), "Price".to_owned()],
            ..Waits::default()
        }
    }
}

/// A request of an orderly history that has no answer.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    Task(i32, u32),
    Timer(i32),
    Lock(i32),
    Held(i32),
    Call(i32),
}

/// A random history as a hub writes it: ids count up, time does not run backwards, and an answer
/// follows its request.
fn orderly(seed: u64) -> (History, Waits) {
    let mut random = Random(seed);
    let mut history = History::new();
    let (mut next, mut time, mut open) = (0, 0, Vec::new());
    history.start(0);
    for _ in 0..random.below(120) {
        time += random.below(9);
        let name = ["charge", "price", "ship"][random.index(3)];
        let answered = (!open.is_empty() && random.below(2) == 0)
            .then(|| open.swap_remove(random.index(open.len())));
        let Some(answered) = answered else {
            match random.below(7) {
                0 => {
                    history.raise(time, name);
                    continue;
                }
                1 => {
                    history.suspend(time, "lunch").resume(time + 1);
                    time += 1;
                    continue;
                }
                2 => open.push(Open::Timer(next)),
                3 => open.push(Open::Lock(next)),
                4 => open.push(Open::Call(next)),
                _ => open.push(Open::Task(next, 1)),
            }
            match open.last() {
                Some(Open::Timer(_)) => history.timer(next, time, time + random.below(100)),
                Some(Open::Lock(_)) => history.lock(next, time, name),
                Some(Open::Call(_)) => history.call(next, time, name, "get"),
                _ => history.task(next, time, name),
            };
            next += 1;
            continue;
        };
        match (answered, random.below(3)) {
            (Open::Task(id, _), 0) => history.done(id, time),
            (Open::Task(id, attempt), 1) => {
                open.push(Open::Task(id, attempt + 1));
                let retry_at = time + random.below(9);
                history.attempt_failed(id, time, attempt, retry_at);
                time = retry_at;
                &mut history
            }
            (Open::Task(id, _), _) => history.task_failed(id, time),
            (Open::Timer(id), _) => history.fired(id, time),
            (Open::Call(id), _) => history.called(id, time),
            (Open::Lock(id), _) => {
                open.push(Open::Held(id));
                history.granted(id, time)
            }
            (Open::Held(id), _) => {
                next += 1;
                history.unlock(next - 1, time, id, name)
            }
        };
    }
    let waits = Waits { events: vec!["charge".to_owned()], ..random.waits(next) };
    if random.below(3) == 0 {
        history.end(time);
    }
    (history, waits)
}

/// A random sequence of events, which no hub would write.
fn disorderly(seed: u64) -> (History, Waits) {
    let mut random = Random(seed);
    let mut history = History::new();
    history.start(0);
    for _ in 0..random.below(120) {
        let time = random.below(500) - 100;
        let (id, other) = (random.id(30) - 2, random.id(30));
        let name = ["charge", "price", "ship"][random.index(3)];
        match random.below(14) {
            0 | 1 => history.task(id, time, name),
            2 => history.timer(id, time, time + random.below(100)),
            3 => history.child(id, time, name, "other"),
            4 => history.lock(id, time, name),
            5 => history.call(id, time, name, "get"),
            6 => history.unlock(id, time, other, name),
            7 => history.done(other, time),
            8 => history.task_failed(other, time),
            9 => history.attempt_failed(other, time, 7, time + 20),
            10 => history.fired(other, time),
            11 => history.granted(other, time),
            12 => history.raise(time, name),
            _ => history.suspend(time, "lunch").resume(time - 1),
        };
    }
    let statuses = [
        RuntimeStatus::Running,
        RuntimeStatus::Suspended,
        RuntimeStatus::Failed,
        RuntimeStatus::Pending,
    ];
    history.status = statuses[random.index(4)];
    let waits = random.waits(30);
    (history, waits)
}

/// The ids of the requests of a history.
fn tasks(events: &[HistoryEvent]) -> Vec<i32> {
    let is_request = |event: &&HistoryEvent| {
        let is_one = matches!(
            event.kind,
            EventKind::TaskScheduled { .. }
                | EventKind::TimerCreated { .. }
                | EventKind::SubOrchestrationInstanceCreated { .. }
                | EventKind::EntityLockRequested { .. }
                | EventKind::EntityOperationCalled { .. }
                | EventKind::EntityUnlockSent { .. }
        );
        is_one && event.event_id >= 0
    };
    let mut ids: Vec<_> = events.iter().filter(is_request).map(|event| event.event_id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn assert_within(timeline: &Timeline, lane: &Lane, seed: u64) {
    let range = timeline.from..=timeline.to;
    for bar in &lane.bars {
        assert!(bar.from <= bar.to, "seed {seed}: {bar:?}");
        assert!(range.contains(&bar.from) && range.contains(&bar.to), "seed {seed}: {bar:?}");
    }
    for point in &lane.points {
        assert!(range.contains(&point.at), "seed {seed}: {point:?}");
    }
    assert!(!lane.bars.is_empty() || !lane.points.is_empty(), "seed {seed}: {lane:?}");
}

fn assert_rules(history: &History, waits: Option<&Waits>, view: &View, seed: u64) {
    let timeline = of(history, waits, 300, view);
    assert!(timeline.from < timeline.to, "seed {seed}");
    assert!(timeline.ticks.len() <= 8, "seed {seed}: {:?}", timeline.ticks);
    assert!(timeline.ticks.iter().all(|tick| (timeline.from..=timeline.to).contains(tick)));
    let mut ids = BTreeSet::new();
    for lane in &timeline.lanes {
        assert_within(&timeline, lane, seed);
        assert!(ids.insert(&lane.id), "seed {seed}: two lanes {}", lane.id);
    }
    let bars: usize = timeline.lanes.iter().map(|it| it.bars.len() + it.points.len()).sum();
    assert!(!timeline.is_folded || bars <= view.max_bars.max(9 * 40), "seed {seed}: {bars} bars");
    if view.from.is_some() || view.lane.is_some() {
        return;
    }
    let mut shown = Vec::new();
    for (first, last) in timeline.lanes.iter().flat_map(|lane| &lane.tasks) {
        shown.extend(*first..=*last);
    }
    shown.sort_unstable();
    assert_eq!(shown, tasks(&history.events()), "seed {seed}");
    assert_eq!(timeline.hidden, 0, "seed {seed}");
}

#[test]
fn bars_are_within_the_range_and_each_task_is_in_one_lane() {
    for seed in 0..160 {
        let (history, waits) = if seed % 2 == 0 { orderly(seed) } else { disorderly(seed) };
        let waits = (seed % 3 > 0).then_some(&waits);
        assert_rules(&history, waits, &View::default(), seed);
        assert_rules(&history, waits, &View { max_bars: 20, ..View::default() }, seed);
        let zoomed = View { from: Some(at(20)), to: Some(at(90)), ..View::default() };
        assert_rules(&history, waits, &zoomed, seed);
        let named = View { lane: Some("charge".to_owned()), max_bars: 20, ..View::default() };
        assert_rules(&history, waits, &named, seed);
    }
}

/// In an orderly history, a lane does one thing at a time.
#[test]
fn the_bars_of_a_lane_follow_each_other() {
    for seed in 0..160 {
        let (history, waits) = orderly(seed);
        for lane in of(&history, Some(&waits), 2000, &View::default()).lanes {
            let overlap = lane.bars.windows(2).find(|pair| pair[0].to > pair[1].from);
            assert!(overlap.is_none(), "seed {seed}: {lane:?}");
        }
    }
}
