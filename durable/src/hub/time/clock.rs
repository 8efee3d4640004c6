//! The hub's clock. The only place that reads the machine's clock.
//!
//! The processes that share a hub follow the clock of their store, because one process may wait for
//! a time that another process has recorded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::virtual_time::VirtualTime;
use crate::protocol::Timestamp;

/// The longest single wait for a due time. Then the clock is read again, because it may have been
/// set, and because waits stand still while the machine sleeps.
const LOOK_AGAIN: Duration = Duration::from_mins(1);

/// While the hub's time is ahead of the machine's, it runs slower by one part in this many.
const SLOWER_BY: u32 = 16;

/// The time of a hub, shared by all clones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clock {
    /// Virtual time, in a test; `None` for the machine's clock.
    made: Option<Arc<VirtualTime>>,
    steady: Arc<Mutex<Steady>>,
}

impl Clock {
    pub(crate) fn new(made: Option<Arc<VirtualTime>>) -> Self {
        Self { made, steady: Arc::default() }
    }

    /// The current time, which never goes backwards.
    pub(crate) fn now(&self) -> Timestamp {
        match &self.made {
            Some(made) => made.now(),
            None => {
                let mut steady = self.steady.lock().unwrap_or_else(PoisonError::into_inner);
                let moment = stopwatch();
                let calendar = steady.followed(moment).unwrap_or_else(machine_time);
                steady.advance(calendar, moment)
            }
        }
    }

    /// What [`now`](Self::now) was at a moment that a stopwatch noted. This reads no clock of the
    /// machine, because the last call of `now` has read both clocks.
    pub(crate) fn at(&self, moment: Instant) -> Timestamp {
        match &self.made {
            Some(made) => made.now(),
            None => self.steady.lock().unwrap_or_else(PoisonError::into_inner).at(moment),
        }
    }

    /// Follows a clock that is not the machine's, and that read `time` between two moments.
    pub(crate) fn follow(&self, time: Timestamp, asked: Instant, answered: Instant) {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner).follow(time, asked, answered);
    }

    /// How long to wait in real time until `due`. With virtual time there is no limit, because the
    /// virtual clock wakes its waiters.
    pub(crate) fn wait_until(&self, due: Option<Timestamp>) -> Option<Duration> {
        let wait = due?.since(self.now());
        match self.made {
            None => Some(wait.min(LOOK_AGAIN)),
            Some(_) => wait.is_zero().then_some(wait),
        }
    }
}

/// A reading of another clock that takes longer than this does not correct the time.
const VAGUE: Duration = Duration::from_secs(1);

/// Combines the machine's two clocks into a time that neither goes backwards nor stands still.
///
/// The wall clock may be set back: by an administrator, a time server, or when a virtual machine is
/// resumed. While it is behind a time that was already returned, time follows the monotonic clock,
/// slowed by a sixteenth, until the wall clock has caught up.
#[derive(Debug, Default)]
pub(crate) struct Steady {
    /// What both clocks read when the wall clock was last right.
    right: Option<(Timestamp, Instant)>,
    last: Timestamp,
    /// Whether the wall clock was set back and has not caught up yet.
    is_ahead: bool,
    /// What another clock read at a moment. It takes the place of the machine's wall clock.
    followed: Option<(Timestamp, Instant)>,
}

impl Steady {
    /// Follows a clock that read `time` between two moments. A difference that may be due to the time
    /// between them is ignored.
    fn follow(&mut self, time: Timestamp, asked: Instant, answered: Instant) {
        let between = answered.saturating_duration_since(asked);
        let latest = time.after(between);
        let is_vague = between > VAGUE;
        match self.followed(answered) {
            Some(known) if is_vague || (time..=latest).contains(&known) => {}
            Some(_) => self.followed = Some((time.after(between / 2), answered)),
            // What the machine's clock read before does not count any more.
            None => {
                let followed = Some((time.after(between / 2), answered));
                *self = Self { followed, ..Self::default() };
            }
        }
    }

    /// What the clock that is followed reads, if one is.
    fn followed(&self, moment: Instant) -> Option<Timestamp> {
        let (time, then) = self.followed?;
        Some(time.after(moment.saturating_duration_since(then)))
    }

    pub(crate) fn advance(&mut self, calendar: Timestamp, monotonic: Instant) -> Timestamp {
        let own = match self.right {
            Some((right, then)) if self.is_ahead || calendar < self.last => {
                let passed = monotonic.saturating_duration_since(then);
                Some(right.after(passed.saturating_sub(passed / SLOWER_BY)).max(self.last))
            }
            _ => None,
        };
        self.is_ahead = own.is_some_and(|own| own > calendar);
        self.last = match own {
            Some(own) if self.is_ahead => own,
            _ => {
                self.right = Some((calendar, monotonic));
                calendar
            }
        };
        self.last
    }

    /// The time at another moment, as far as the last readings tell.
    fn at(&self, monotonic: Instant) -> Timestamp {
        let Some((right, then)) = self.right else { return self.last };
        match monotonic.checked_duration_since(then) {
            None => right.before(then.saturating_duration_since(monotonic)),
            Some(passed) if self.is_ahead => right.after(passed.saturating_sub(passed / SLOWER_BY)),
            Some(passed) => right.after(passed),
        }
    }
}

/// The start of a measurement. It never influences what is recorded.
#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the place that the lint points to")]
fn machine_time() -> Timestamp {
    Timestamp::new(SystemTime::now().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    /// A machine with two clocks, one of which can be set.
    struct Machine {
        steady: Steady,
        calendar: Timestamp,
        monotonic: Instant,
    }

    impl Machine {
        fn at_noon() -> Self {
            let calendar = Timestamp::from_micros(1_800_000_000_000_000).unwrap();
            Self { steady: Steady::default(), calendar, monotonic: stopwatch() }
        }

        fn pass(&mut self, time: Duration) -> Timestamp {
            self.calendar = self.calendar.after(time);
            self.monotonic += time;
            self.now()
        }

        fn set_back(&mut self, by: Duration) {
            self.calendar = Timestamp::new(self.calendar.to_datetime() - by);
        }

        fn now(&mut self) -> Timestamp {
            self.steady.advance(self.calendar, self.monotonic)
        }
    }

    #[test]
    fn time_advances_after_the_clock_is_set_back() {
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        machine.set_back(2 * MINUTE);
        assert_eq!(machine.now(), noon, "it does not go back");
        assert_eq!(machine.pass(16 * Duration::from_secs(1)).since(noon), Duration::from_secs(15));
    }

    #[test]
    fn the_wall_clock_catches_up_with_a_time_that_is_ahead() {
        let mut machine = Machine::at_noon();
        machine.now();
        machine.set_back(2 * MINUTE);
        let mut last = machine.now();
        for _ in 0..28 {
            let now = machine.pass(MINUTE);
            assert!(now > last && now > machine.calendar, "it is ahead still, and goes on");
            last = now;
        }
        machine.pass(4 * MINUTE);
        assert_eq!(machine.pass(MINUTE), machine.calendar);
        assert_eq!(machine.pass(MINUTE), machine.calendar);
    }

    #[test]
    fn time_advances_if_the_clock_is_set_back_again() {
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        machine.set_back(MINUTE);
        assert_eq!(machine.pass(16 * MINUTE).since(noon), 15 * MINUTE, "it has caught up");
        machine.set_back(MINUTE);
        machine.now();
        assert_eq!(machine.pass(8 * MINUTE).since(noon), 22 * MINUTE + MINUTE / 2);
        machine.set_back(MINUTE);
        machine.now();
        assert_eq!(machine.pass(8 * MINUTE).since(noon), 30 * MINUTE);
    }

    #[test]
    fn time_advances_after_the_clock_was_briefly_ahead() {
        let mut machine = Machine::at_noon();
        machine.now();
        let wrong = machine.calendar.after(60 * MINUTE);
        assert_eq!(machine.steady.advance(wrong, machine.monotonic), wrong);
        assert_eq!(machine.pass(16 * MINUTE).since(wrong), 15 * MINUTE);
    }

    #[test]
    fn frequent_readings_do_not_slow_time() {
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        machine.set_back(MINUTE);
        for _ in 0..100_000 {
            machine.pass(Duration::from_nanos(160));
        }
        assert_eq!(machine.now().since(noon), Duration::from_millis(15));
    }

    #[test]
    fn time_follows_a_clock_that_is_set_forward_immediately() {
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        machine.calendar = machine.calendar.after(60 * MINUTE);
        assert_eq!(machine.now().since(noon), 60 * MINUTE);
    }

    /// Years back, time hardly advances; years forward, it follows at once.
    #[test]
    fn time_survives_jumps_by_years() {
        let year = 365 * 24 * 60 * MINUTE;
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        machine.set_back(10 * year);
        machine.pass(MINUTE);
        let after_jump = machine.now();
        assert!(after_jump > noon && after_jump.since(noon) <= MINUTE);
        machine.calendar = machine.calendar.after(30 * year);
        assert!(machine.now().since(noon) >= 19 * year);
    }

    #[test]
    fn the_time_of_a_moment_is_what_the_clock_read_then() {
        let mut machine = Machine::at_noon();
        let noon = machine.now();
        let (before, moment) = (machine.monotonic, machine.monotonic + MINUTE);
        assert_eq!(machine.steady.at(moment), noon.after(MINUTE), "a later moment");
        machine.pass(2 * MINUTE);
        assert_eq!(machine.steady.at(before), noon);
        assert_eq!(machine.steady.at(moment), noon.after(MINUTE));
        machine.set_back(10 * MINUTE);
        machine.now();
        let (set_back, noted) = (machine.pass(MINUTE), machine.monotonic);
        machine.pass(MINUTE);
        assert_eq!(machine.steady.at(noted), set_back, "time is slower now");
    }

    /// The machine's wall clock is an hour ahead of the store's.
    #[test]
    fn time_follows_the_clock_of_the_store() {
        let mut machine = Machine::at_noon();
        let store = machine.calendar.before(60 * MINUTE);
        let asked = machine.monotonic;
        let milli = Duration::from_millis(1);
        machine.steady.advance(machine.calendar, asked);
        machine.steady.follow(store.before(milli), asked, asked + 2 * milli);
        let mut now = |passed: Duration| {
            let moment = asked + passed;
            let followed = machine.steady.followed(moment).unwrap();
            machine.steady.advance(followed, moment).since(store)
        };
        assert_eq!(now(2 * milli), Duration::ZERO, "it is taken to have read the time in between");
        assert_eq!(now(MINUTE + 2 * milli), MINUTE);
    }

    #[test]
    fn a_followed_clock_corrects_only_what_is_certainly_wrong() {
        let mut machine = Machine::at_noon();
        let (store, asked) = (machine.calendar, machine.monotonic);
        let milli = Duration::from_millis(1);
        machine.steady.follow(store, asked, asked);
        let later = asked + MINUTE;
        machine.steady.follow(store.after(MINUTE), later, later + 2 * milli);
        assert_eq!(machine.steady.followed(later), Some(store.after(MINUTE)), "within the answer");
        machine.steady.follow(store, later, later + 2 * VAGUE);
        assert_eq!(machine.steady.followed(later), Some(store.after(MINUTE)), "too slow an answer");
        machine.steady.follow(store.after(2 * MINUTE), later, later);
        assert_eq!(machine.steady.followed(later), Some(store.after(2 * MINUTE)));
    }

    #[test]
    fn clones_of_a_clock_share_their_time() {
        let clock = Clock::default();
        let ahead = clock.now().after(MINUTE);
        clock.steady.lock().unwrap().advance(ahead, stopwatch());
        assert!(clock.clone().now() >= ahead);
    }
}
