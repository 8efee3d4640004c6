//! The oracle: what every way to run a case promises, and what the profile of a case promises.
//!
//! 1. Each run: nothing hangs, nothing is suspended by the runtime, nothing is pending that has
//!    begun, nothing is due and not delivered while virtual time stands still, no lock outlives its
//!    owner, and every history comes back from a file and replays to the letter (`run.rs`).
//! 2. All ways to run a case, shadow replay, evictions, restarts, crashes, suspensions for no time:
//!    the same end, the same steps at the same times, the same answers to the script, the same
//!    number of instances that ended so, the same entities. A `Wild` case that is rewound is left
//!    out: its open children answer at once and from several partitions, so which answer comes first
//!    is not promised.
//! 3. `Free`: end, steps and times are those of the model, to the microsecond.
//! 4. `Suspended`: end and steps are those of the model without the suspensions; no step is earlier
//!    than there, and none later by more than the suspensions lasted.
//! 5. `Rewound`: end and steps are those of the model in a world that is mended from the start.
//! 6. GUIDs of one instance differ.

use std::collections::BTreeSet;

use crate::interpret::sorted;
use crate::model::{End, PANICKED, predict};
use crate::program::{Action, Case, Micros, Profile};
use crate::run::{Finding, HORIZON, Observed, Way, finding, run, without_guids};

/// Runs a case in the ways given, those that fit it.
pub(crate) async fn check(case: &Case, ways: &[Way], seed: u64) -> Result<(), (Way, Finding)> {
    let mut first: Option<(Way, Observed)> = None;
    for way in ways {
        if !way.fits(case) {
            continue;
        }
        let observed = run(case, *way, seed).await.map_err(|found| (*way, found))?;
        match &first {
            None => {
                as_predicted(case, &observed).map_err(|found| (*way, found))?;
                first = Some((*way, observed));
            }
            Some((usual, expected)) => {
                let text = format!("{usual:?} gives\n{expected}\n{way:?} gives\n{observed}");
                if has_promised_order(case) && comparable(&observed) != comparable(expected) {
                    return Err((*way, finding("two ways differ", text)));
                }
            }
        }
    }
    Ok(())
}

/// Whether all ways to run a case have the same order of steps.
fn has_promised_order(case: &Case) -> bool {
    let is_rewound = case.script.iter().any(|(_, action)| matches!(action, Action::Rewind));
    case.profile != Profile::Wild || !is_rewound
}

fn comparable(observed: &Observed) -> Observed {
    let log = without_guids(&observed.log);
    Observed { log, ..observed.clone() }
}

/// What the profile promises.
fn as_predicted(case: &Case, observed: &Observed) -> Result<(), Finding> {
    let mut guids = BTreeSet::new();
    for line in &observed.log {
        let mut words = line.split([' ', ';', ']']);
        while let Some(word) = words.next() {
            if word == "guid" && !words.next().is_some_and(|guid| guids.insert(guid)) {
                return Err(finding("two GUIDs are the same", line));
            }
            if word == "not" && words.next() != Some("of") {
                return Err(finding("a promise of the program is broken", line));
            }
        }
    }
    if case.profile == Profile::Wild {
        return Ok(());
    }
    let predicted = predict(case, HORIZON);
    let end = predicted.as_ref().map(|end| match end {
        Ok(_) => "Completed".to_owned(),
        Err((label, _)) => format!("Failed: {label}"),
    });
    let log = predicted.as_ref().map(log_of).unwrap_or_default();
    let wanted = Observed { end, log, ..Observed::default() };
    let differs = |kind| Err(finding(kind, format!("predicted\n{wanted}\nobserved\n{observed}")));
    if wanted.end != observed.end {
        return differs("another end than predicted");
    }
    let log = without_guids(&observed.log);
    match case.profile {
        Profile::Free if log != wanted.log => differs("other steps than predicted"),
        Profile::Suspended | Profile::Rewound if places(&log) != places(&wanted.log) => {
            differs("other steps than predicted")
        }
        Profile::Suspended if !are_within(&log, &wanted.log, suspended(case)) => {
            differs("a step is too early or too late")
        }
        _ => Ok(()),
    }
}

fn log_of(end: &End) -> Vec<String> {
    match end {
        // What a panic unwinds takes its log with it.
        Err((label, _)) if label == PANICKED => Vec::new(),
        Ok(log) | Err((_, log)) => without_guids(&sorted(log.clone())),
    }
}

/// The time that a word of a log is, if it is one.
fn time(word: &str) -> Option<Micros> {
    let (seconds, micros) = word.strip_prefix('+')?.split_once('.')?;
    Some(seconds.parse::<Micros>().ok()? * 1_000_000 + micros.parse::<Micros>().ok()?)
}

/// The steps without their times.
fn places(log: &[String]) -> Vec<String> {
    let without = |line: &String| {
        let words: Vec<_> = line.split(' ').filter(|word| time(word).is_none()).collect();
        words.join(" ")
    };
    let mut places: Vec<_> = log.iter().map(without).collect();
    places.sort();
    places
}

/// Whether no step is earlier than in `wanted`, and none later by more than `most`.
fn are_within(log: &[String], wanted: &[String], most: Micros) -> bool {
    let own = |line: &String| line.split(' ').nth(1).and_then(time).unwrap_or_default();
    log.iter().zip(wanted).all(|(line, wanted)| {
        let (at, wanted) = (own(line), own(wanted));
        (wanted..=wanted + most).contains(&at)
    })
}

/// For how long the script suspends the instance.
fn suspended(case: &Case) -> Micros {
    let mut since = None;
    let mut sum = 0;
    for (at, action) in &case.script {
        match action {
            Action::Suspend => since = since.or(Some(*at)),
            Action::Resume => sum += since.take().map_or(0, |since| at - since),
            _ => {}
        }
    }
    sum
}

impl std::fmt::Display for Observed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = self.end.as_deref().unwrap_or("no end");
        writeln!(f, "  {end}; {:?}; {:?}", self.statuses, self.counters)?;
        let lines = self.answers.iter().chain(&self.log);
        lines.into_iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}
