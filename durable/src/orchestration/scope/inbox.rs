//! The external events of an execution that are unread, and the waits for them.
//!
//! Rules:
//! 1. Names are compared without regard to case.
//! 2. An event goes to the oldest wait for its name. Without a wait, it is buffered for the next
//!    one.
//! 3. Dropping a wait loses no event: the next wait takes the event of the dropped one and passes
//!    its own event to the wait after it, and so on. An event without a wait is buffered at its old
//!    position.
//!
//! Among the waits and unread events of one name, the n-th oldest wait therefore always has the
//! n-th oldest event, whichever waits were dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::Location;

use super::groups::{Slot, Woken};
use crate::protocol::{EventWait, Json, Timestamp};

/// An event that no wait has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnreadEvent {
    pub(crate) name: String,
    pub(crate) input: Json,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    names: BTreeMap<String, OfName>,
    waits: BTreeMap<u64, Wait>,
    next_wait: u64,
    next_event: u64,
    unread: usize,
    /// Number of waits without an event.
    unmet: usize,
}

/// The waits and events of one name, in the order of their numbers.
#[derive(Debug, Default)]
struct OfName {
    /// Events without a wait.
    kept: BTreeMap<u64, UnreadEvent>,
    /// Waits without an event.
    waiting: BTreeSet<u64>,
    /// Waits that have received an event and have not been polled since.
    met: BTreeSet<u64>,
}

#[derive(Debug)]
struct Wait {
    /// In lower case.
    name: String,
    waiter: Option<Slot>,
    event: Option<(u64, UnreadEvent)>,
    source: &'static Location<'static>,
    since: Timestamp,
}

impl Wait {
    fn described(&self) -> EventWait {
        let source = format!("{}:{}", self.source.file(), self.source.line());
        EventWait { name: self.name.clone(), source, since: self.since }
    }
}

impl Inbox {
    /// Whether a wait has no event.
    pub(super) fn is_waited_for(&self) -> bool {
        self.unmet > 0
    }

    /// Number of unread events.
    pub(super) fn unread(&self) -> usize {
        self.unread
    }

    /// The waits without an event; and the names of unread events, in the order in which they
    /// arrived.
    pub(super) fn waits_and_unread(&self) -> (Vec<EventWait>, Vec<String>) {
        let unmet = self.waits.values().filter(|wait| wait.event.is_none());
        let kept = self.names.values().flat_map(|of_name| &of_name.kept);
        let given = self.waits.values().filter_map(|wait| wait.event.as_ref());
        let unread: BTreeMap<u64, &UnreadEvent> = kept
            .map(|(number, event)| (*number, event))
            .chain(given.map(|(n, it)| (*n, it)))
            .collect();
        let unread = unread.into_values().map(|event| event.name.clone());
        (unmet.map(Wait::described).collect(), unread.collect())
    }

    /// Adds an event; returns the wait that takes it, if any.
    pub(super) fn deliver(&mut self, name: &str, input: Json) -> Option<Woken> {
        let event = (self.next_event, UnreadEvent { name: name.to_owned(), input });
        self.next_event += 1;
        self.unread += 1;
        self.give(&name.to_lowercase(), event)
    }

    fn give(&mut self, name: &str, event: (u64, UnreadEvent)) -> Option<Woken> {
        let of_name = self.names.entry(name.to_owned()).or_default();
        if let Some(oldest) = of_name.waiting.pop_first()
            && let Some(wait) = self.waits.get_mut(&oldest)
        {
            of_name.met.insert(oldest);
            wait.event = Some(event);
            self.unmet -= 1;
            return Some(Woken(wait.waiter));
        }
        of_name.kept.insert(event.0, event.1);
        None
    }

    /// Adds a wait for the next event of this name; returns its number.
    pub(super) fn wait(
        &mut self,
        name: &str,
        source: &'static Location<'static>,
        since: Timestamp,
    ) -> u64 {
        let (id, name) = (self.next_wait, name.to_lowercase());
        self.next_wait += 1;
        let of_name = self.names.entry(name.clone()).or_default();
        let event = of_name.kept.pop_first();
        if event.is_none() {
            of_name.waiting.insert(id);
            self.unmet += 1;
        } else {
            of_name.met.insert(id);
        }
        self.waits.insert(id, Wait { name, waiter: None, event, source, since });
        id
    }

    /// Takes the payload of a wait's event. If the event has not arrived, its arrival will wake
    /// `polling`.
    pub(super) fn take(&mut self, id: u64, polling: Option<Slot>) -> Option<Json> {
        let wait = self.waits.get_mut(&id)?;
        wait.waiter = polling;
        let (_, event) = wait.event.take()?;
        self.unread -= 1;
        self.remove(id);
        Some(event.input)
    }

    /// Drops a wait; returns the wait that is woken because it now has an event.
    ///
    /// Under replay version 0 its event goes to the oldest wait without an event, skipping the
    /// waits in between. Such executions keep the order that they have recorded.
    pub(super) fn stop(&mut self, id: u64, replay_version: u8) -> Option<Woken> {
        let Wait { name, event, .. } = self.remove(id)?;
        let mut event = event?;
        if replay_version >= 1
            && let Some(of_name) = self.names.get(&name)
        {
            for next in of_name.met.range(id..) {
                if let Some(given) = self.waits.get_mut(next).and_then(|wait| wait.event.as_mut()) {
                    mark!("events: the waits behind a dropped one pass their events on");
                    std::mem::swap(given, &mut event);
                }
            }
        }
        self.give(&name, event)
    }

    /// All unread events, in the order in which they arrived.
    pub(super) fn take_unread(&mut self) -> Vec<UnreadEvent> {
        let kept = std::mem::take(&mut self.names).into_values().flat_map(|of_name| of_name.kept);
        let given = self.waits.values_mut().filter_map(|wait| wait.event.take());
        let all: BTreeMap<u64, UnreadEvent> = kept.chain(given).collect();
        self.unread = 0;
        all.into_values().collect()
    }

    fn remove(&mut self, id: u64) -> Option<Wait> {
        let wait = self.waits.remove(&id)?;
        if let Some(of_name) = self.names.get_mut(&wait.name) {
            if of_name.waiting.remove(&id) {
                self.unmet -= 1;
            }
            of_name.met.remove(&id);
            if of_name.kept.is_empty() && of_name.waiting.is_empty() && of_name.met.is_empty() {
                self.names.remove(&wait.name);
            }
        }
        Some(wait)
    }
}

/// Random waits, events and drops, compared with a list of waits and a list of events.
#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;
    use crate::protocol::REPLAY_VERSION;

    /// The model of one name: the n-th oldest wait has the n-th oldest event.
    #[derive(Default)]
    struct Line {
        waits: Vec<u64>,
        events: Vec<usize>,
    }

    impl Line {
        /// The youngest wait that has an event, if `count` waits had one before.
        fn newly_met(&self, before: usize) -> Option<u64> {
            let met = self.waits.len().min(self.events.len());
            (met > before).then(|| self.waits[met - 1])
        }

        fn met(&self) -> usize {
            self.waits.len().min(self.events.len())
        }
    }

    fn wait_for(inbox: &mut Inbox, name: &str) -> u64 {
        inbox.wait(name, Location::caller(), Timestamp::from_micros(0).unwrap())
    }

    fn slot(wait: u64) -> Slot {
        Slot::of_test(usize::try_from(wait).unwrap())
    }

    fn assert_wakes(woken: Option<Woken>, wait: Option<u64>, seed: u64) {
        assert_eq!(woken.map(|Woken(slot)| slot), wait.map(|wait| Some(slot(wait))), "seed {seed}");
    }

    const NAMES: [[&str; 2]; 2] = [["paid", "PAID"], ["Sent", "sent"]];

    fn run(seed: u64) {
        let mut random = Random(seed);
        let (mut inbox, mut lines) = (Inbox::default(), [Line::default(), Line::default()]);
        for number in 0..300 {
            let of = random.below(NAMES.len());
            let (name, line) = (NAMES[of][random.below(2)], &mut lines[of]);
            let met = line.met();
            match random.below(5) {
                0 => {
                    assert_wakes_delivery(&mut inbox, name, line, number, seed);
                }
                1 => {
                    let wait = wait_for(&mut inbox, name);
                    line.waits.push(wait);
                    if line.met() == met {
                        // The first poll registers the wait.
                        assert_eq!(inbox.take(wait, Some(slot(wait))), None, "seed {seed}");
                    }
                }
                2 if !line.waits.is_empty() => {
                    let place = random.below(line.waits.len());
                    let taken = inbox.take(line.waits[place], Some(slot(line.waits[place])));
                    let expected = line.events.get(place).map(ToString::to_string);
                    assert_eq!(taken.map(|json| json.to_string()), expected, "seed {seed}");
                    if expected.is_some() {
                        line.waits.remove(place);
                        line.events.remove(place);
                    }
                }
                3 if !line.waits.is_empty() => {
                    let place = random.below(line.waits.len());
                    let stopped = line.waits.remove(place);
                    let others = if place < met { met - 1 } else { met };
                    let woken = inbox.stop(stopped, REPLAY_VERSION);
                    assert_wakes(woken, line.newly_met(others), seed);
                }
                _ => {}
            }
            let unread: usize = lines.iter().map(|line| line.events.len()).sum();
            assert_eq!(inbox.unread(), unread, "seed {seed}");
            let (awaited, names) = inbox.waits_and_unread();
            assert_eq!((awaited.len(), names.len()), (inbox.unmet, unread), "seed {seed}");
            let waits = lines.iter().any(|line| line.waits.len() > line.events.len());
            assert_eq!(inbox.is_waited_for(), waits, "seed {seed}");
        }
        let mut left: Vec<usize> = lines.into_iter().flat_map(|line| line.events).collect();
        left.sort_unstable();
        let unread = inbox.take_unread().into_iter().map(|event| event.input.to_string());
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert_eq!(unread.collect::<Vec<_>>(), left, "seed {seed}");
    }

    fn assert_wakes_delivery(
        inbox: &mut Inbox,
        name: &str,
        line: &mut Line,
        number: usize,
        seed: u64,
    ) {
        let met = line.met();
        line.events.push(number);
        let woken = inbox.deliver(name, Json::parse(&number.to_string()).unwrap());
        assert_wakes(woken, line.newly_met(met), seed);
    }

    #[test]
    fn the_nth_oldest_wait_has_the_nth_oldest_event() {
        (1..=2_000).for_each(run);
    }

    #[test]
    fn replay_version_0_passes_an_event_over_waits_that_have_one() {
        let mut inbox = Inbox::default();
        let waits = [0; 3].map(|_| wait_for(&mut inbox, "n"));
        for number in ["1", "2"] {
            inbox.deliver("n", Json::parse(number).unwrap());
        }
        inbox.stop(waits[0], 0);
        let mut taken = |wait| inbox.take(wait, None).map(|json| json.to_string());
        assert_eq!(taken(waits[1]).as_deref(), Some("2"));
        assert_eq!(taken(waits[2]).as_deref(), Some("1"));
    }
}
