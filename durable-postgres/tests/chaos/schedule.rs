//! Which harm is done when: a list that follows from the seed.

use std::time::Duration;

use crate::proxy::{Direction, End};
use crate::seed::Random;

/// A kind of harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Kill,
    Stop,
    Cut,
    Restart,
    Leave,
    Limit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL, and another process takes its place.
    Kill,
    /// SIGSTOP; a later [`Continue`](Self::Continue) wakes it.
    Stop,
    Continue,
    /// One of its connections to the database ends in the midst of what it sends or receives.
    Cut(Direction, u64, End),
    /// The database ends at once, and starts again.
    Restart,
    /// It leaves in an orderly way, and another process takes its place.
    Leave,
    /// The database ends all sessions, and admits only so many; `None` for any number.
    Limit(Option<u64>),
}

/// What is done to which process, and how long after the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) at: Duration,
    pub(crate) process: usize,
    pub(crate) fault: Fault,
}

/// The faults that are injected into this many processes within a given time.
pub(crate) fn schedule(seed: u64, kinds: &[Kind], processes: u64, time: Duration) -> Vec<Step> {
    let mut random = Random::new(seed);
    let (mut steps, mut at) = (Vec::new(), Duration::from_secs(1));
    while at < time {
        let process = usize::try_from(random.below(processes)).expect("a small number");
        let kind = kinds[usize::try_from(random.below(kinds.len() as u64)).expect("an index")];
        let fault = fault(kind, &mut random);
        steps.push(Step { at, process, fault });
        if fault == Fault::Stop {
            // Some wake up before their lease has expired, most after it.
            let at = at + Duration::from_millis(500 + random.below(5_500));
            steps.push(Step { at, process, fault: Fault::Continue });
        }
        if matches!(fault, Fault::Limit(_)) {
            let at = at + Duration::from_millis(500 + random.below(3_000));
            steps.push(Step { at, process, fault: Fault::Limit(None) });
        }
        at += Duration::from_millis(200 + random.below(1_300));
    }
    steps.sort_by_key(|step| step.at);
    steps
}

fn fault(kind: Kind, random: &mut Random) -> Fault {
    match kind {
        Kind::Kill => Fault::Kill,
        Kind::Stop => Fault::Stop,
        Kind::Restart => Fault::Restart,
        Kind::Leave => Fault::Leave,
        Kind::Limit => Fault::Limit(Some(random.below(10))),
        Kind::Cut => {
            let direction =
                [Direction::ToServer, Direction::ToClient][usize::from(random.below(2) == 1)];
            let end = match random.below(3) {
                0 => End::Closed,
                1 => End::Silent,
                _ => End::Abandoned,
            };
            Fault::Cut(direction, random.below(20_000), end)
        }
    }
}

/// How often each kind of harm is done.
pub(crate) fn summary(schedule: &[Step]) -> String {
    let count = |is_it: fn(Fault) -> bool| schedule.iter().filter(|it| is_it(it.fault)).count();
    let counts = [
        ("killed", count(|fault| fault == Fault::Kill)),
        ("stopped", count(|fault| fault == Fault::Stop)),
        ("cut off", count(|fault| matches!(fault, Fault::Cut(..)))),
        ("left", count(|fault| fault == Fault::Leave)),
        ("database restarted", count(|fault| fault == Fault::Restart)),
        ("no connections", count(|fault| matches!(fault, Fault::Limit(Some(_))))),
    ];
    let told = counts.iter().filter(|(_, count)| *count > 0);
    told.map(|(what, count)| format!("{count} x {what}")).collect::<Vec<_>>().join(", ")
}
