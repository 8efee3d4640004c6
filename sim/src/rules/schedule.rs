//! I15 for schedules: a tick that is at most a minute late still runs.
//!
//! "Each tick while the schedule is active starts one instance"; "ticks while the schedule is paused
//! are skipped" (`Schedule`, which ticks run).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use durable::protocol::{EventKind, Timestamp};
use durable::store::Commit;

/// A tick that is found at most this late still runs.
const GRACE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// The schedules that a client has paused, changed or deleted.
    disturbed: BTreeSet<String>,
    /// The ticks that ran: when each was due, and when it ran.
    ticks: BTreeMap<String, BTreeMap<Timestamp, Timestamp>>,
    /// The schedules that are certainly paused, and since when.
    paused: BTreeMap<String, Timestamp>,
    /// The number of changes of each schedule that were begun, and the number of those that are in
    /// progress.
    changes: BTreeMap<String, (u64, u64)>,
    /// The most runs that a client was shown of a schedule that was created at this time.
    runs: BTreeMap<(String, Timestamp), u64>,
}

impl Schedules {
    pub(super) fn disturb(&mut self, id: &str) {
        self.disturbed.insert(id.to_owned());
    }

    /// Called when a client begins to change a schedule. Returns the number of the change if it is
    /// the only one.
    pub(super) fn begin(&mut self, id: &str) -> Option<u64> {
        self.paused.remove(id);
        let (begun, under_way) = self.changes.entry(id.to_owned()).or_default();
        (*begun, *under_way) = (*begun + 1, *under_way + 1);
        (*under_way == 1).then_some(*begun)
    }

    /// Called when a change has been made. If it is a pause that no client has undone in the
    /// meantime, it counts from `now` on.
    pub(super) fn end(&mut self, id: &str, change: Option<u64>, paused: Option<Timestamp>) {
        let (begun, under_way) = self.changes.entry(id.to_owned()).or_default();
        *under_way = under_way.saturating_sub(1);
        if change == Some(*begun)
            && let Some(now) = paused
        {
            self.paused.insert(id.to_owned(), now);
        }
    }

    /// Called when the process has ended, and with it all changes in progress.
    pub(super) fn cut_off(&mut self) {
        self.changes.values_mut().for_each(|(_, under_way)| *under_way = 0);
    }

    /// Whether a schedule is certainly paused.
    pub(super) fn is_paused(&self, id: &str) -> bool {
        self.paused.contains_key(id)
    }

    /// Called when a client was shown the number of runs of a schedule. Returns the most that a
    /// client was shown before.
    pub(super) fn has_run(&mut self, id: &str, created_at: Timestamp, runs: u64) -> u64 {
        let most = self.runs.entry((id.to_owned(), created_at)).or_default();
        let before = *most;
        *most = before.max(runs);
        before
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Result<(), String> {
        for episode in &commit.episodes {
            let Some(schedule) = episode.record.tags.get("durable.schedule") else { continue };
            for event in &episode.events {
                if !matches!(event.kind, EventKind::ExecutionStarted(_)) {
                    continue;
                }
                let id = episode.record.instance_id.as_str();
                let Some(tick) = id.rsplit_once('-').and_then(|(_, tick)| time(tick)) else {
                    continue;
                };
                if self.paused.get(schedule).is_some_and(|paused| tick > *paused) {
                    return Err(format!("I15 schedule {schedule} is paused, and runs at {tick}"));
                }
                let ticks = self.ticks.entry(schedule.clone()).or_default();
                ticks.entry(tick).or_insert(event.timestamp);
            }
        }
        Ok(())
    }

    pub(super) fn at_rest(&self) -> Result<(), String> {
        for (id, ticks) in &self.ticks {
            if self.disturbed.contains(id) {
                continue;
            }
            let all: Vec<_> = ticks.iter().collect();
            let pairs = all.windows(2).map(|pair| (*pair[0].0, *pair[1].0, *pair[1].1));
            let gaps: Vec<_> =
                pairs.clone().map(|(first, second, _)| second.since(first)).collect();
            let Some(interval) = gaps.iter().min() else { continue };
            for (first, second, ran) in pairs {
                let missing = first.after(*interval);
                if missing < second && ran.since(missing) <= GRACE {
                    return Err(format!("I15 schedule {id} leaves out the tick of {missing}"));
                }
            }
        }
        Ok(())
    }
}

fn time(tick: &str) -> Option<Timestamp> {
    let digits = tick.strip_suffix('Z')?;
    let parsed = chrono::NaiveDateTime::parse_from_str(digits, "%Y%m%dT%H%M%S%.f").ok()?;
    Timestamp::from_micros(parsed.and_utc().timestamp_micros())
}
