//! I15 for schedules: a tick that is at most a minute late still runs.
//!
//! "Each tick while the schedule is active starts one instance"; "ticks while the schedule is paused
//! are skipped" (`Schedule`, which ticks run).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use durable::protocol::{EventKind, Timestamp};
use durable::store::Commit;

/// A tick that is at most this late still runs.
const GRACE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// The schedules that a client has paused, changed or deleted.
    disturbed: BTreeSet<String>,
    /// The ticks that ran: when each was due, and when it ran.
    ticks: BTreeMap<String, BTreeMap<Timestamp, Timestamp>>,
    /// The schedules that are certainly paused, and since when.
    paused: BTreeMap<String, Timestamp>,
    /// The schedules that a client has paused, and since when, but that have not processed the
    /// pause yet; for example, because their next generation begins later.
    pausing: BTreeMap<String, Timestamp>,
    /// The schedules that are not active according to the store.
    inactive: BTreeSet<String>,
    /// The number of changes of each schedule that were begun, and the number of those that are in
    /// progress.
    changes: BTreeMap<String, (u64, u64)>,
    shown: BTreeMap<String, Shown>,
}

/// What clients were shown of the schedules with an id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    /// The highest number of runs that was shown of a schedule created at this time.
    runs: BTreeMap<Timestamp, u64>,
    /// The number of times that a client has begun to delete it.
    deletions: u64,
    /// The number of changes that clients had begun, and whether the schedule was certainly paused.
    changes: u64,
    is_paused: bool,
}

impl Shown {
    /// Whether the schedule was certainly paused then, and no client has changed it since.
    pub(crate) fn stays_paused(&self, now: &Self) -> bool {
        self.is_paused && self.changes == now.changes
    }

    /// The highest number of runs that was shown then, if it is certainly still the same schedule.
    pub(crate) fn runs(&self, created_at: Timestamp, now: &Self) -> u64 {
        let is_same = self.deletions == now.deletions;
        self.runs.get(&created_at).copied().filter(|_| is_same).unwrap_or_default()
    }
}

impl Schedules {
    pub(super) fn disturb(&mut self, id: &str) {
        self.disturbed.insert(id.to_owned());
    }

    /// Called when a client begins to change a schedule. Returns the number of the change if it is
    /// the only one.
    pub(super) fn begin(&mut self, id: &str) -> Option<u64> {
        self.paused.remove(id);
        self.pausing.remove(id);
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
            let knows = self.inactive.contains(id);
            let place = if knows { &mut self.paused } else { &mut self.pausing };
            place.insert(id.to_owned(), now);
        }
    }

    /// Called when the process has ended, and with it all changes in progress.
    pub(super) fn cut_off(&mut self) {
        self.changes.values_mut().for_each(|(_, under_way)| *under_way = 0);
    }

    pub(super) fn shown(&self, id: &str) -> Shown {
        let shown = self.shown.get(id).cloned().unwrap_or_default();
        let changes = self.changes.get(id).map_or(0, |(begun, _)| *begun);
        Shown { changes, is_paused: self.paused.contains_key(id), ..shown }
    }

    pub(super) fn show(&mut self, id: &str, created_at: Timestamp, runs: u64) {
        let shown = self.shown.entry(id.to_owned()).or_default();
        let most = shown.runs.entry(created_at).or_default();
        *most = runs.max(*most);
    }

    pub(super) fn begin_deletion(&mut self, id: &str) {
        let shown = self.shown.entry(id.to_owned()).or_default();
        shown.deletions += 1;
        shown.runs.clear();
    }

    pub(super) fn commit(&mut self, commit: &Commit) -> Result<(), String> {
        for episode in &commit.episodes {
            if let Some(id) = episode.record.instance_id.as_str().strip_prefix("durable.schedule:")
            {
                let status = episode.record.custom_status.as_ref().map(ToString::to_string);
                if status.is_some_and(|status| !status.contains(r#""status":"Active""#)) {
                    self.inactive.insert(id.to_owned());
                    self.paused.extend(self.pausing.remove_entry(id));
                } else {
                    self.inactive.remove(id);
                }
            }
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
        if let Some(id) = self.pausing.keys().next() {
            return Err(format!("I15 schedule {id} has not learned that it is paused"));
        }
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
