//! I15 for schedules: a tick that is at most a minute late still runs.
//!
//! "Each tick while the schedule is active starts one instance" (`Schedule`, which ticks run).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use durable::protocol::{EventKind, Timestamp};
use durable::store::Commit;

/// A tick that is found at most this late still runs.
const GRACE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Schedules {
    /// The schedules that somebody paused, changed or deleted.
    disturbed: BTreeSet<String>,
    /// The ticks that ran: when each was due, and when it ran.
    ticks: BTreeMap<String, BTreeMap<Timestamp, Timestamp>>,
}

impl Schedules {
    pub(super) fn disturb(&mut self, id: &str) {
        self.disturbed.insert(id.to_owned());
    }

    pub(super) fn commit(&mut self, commit: &Commit) {
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
                let ticks = self.ticks.entry(schedule.clone()).or_default();
                ticks.entry(tick).or_insert(event.timestamp);
            }
        }
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
