//! I15: nobody sleeps past its time.
//!
//! "A timer fires at its time, or as soon afterwards as the hub can" (`create_timer`). In the calm
//! phase time passes only when nobody can go on, so nothing is late.

use durable::protocol::{EventKind, HistoryEvent, Timestamp};
use durable::store::EpisodeWrite;

#[derive(Debug, Default)]
pub(super) struct Punctual {
    since: Option<Timestamp>,
}

impl Punctual {
    pub(super) fn calms_down(&mut self, now: Timestamp) {
        self.since = Some(now);
    }

    pub(super) fn episode(
        &self,
        episode: &EpisodeWrite,
        history: &[HistoryEvent],
    ) -> Result<(), String> {
        let Some(since) = self.since else { return Ok(()) };
        // While an instance is suspended, or has failed, nothing is due.
        let pauses = |event: &HistoryEvent| {
            matches!(
                event.kind,
                EventKind::ExecutionSuspended { .. } | EventKind::ExecutionRewound { .. }
            )
        };
        if history.iter().any(pauses) {
            return Ok(());
        }
        for event in &episode.events {
            let EventKind::TimerFired { timer_id, fire_at } = &event.kind else { continue };
            // It may be set for a time that has passed.
            let is_it = |event: &&HistoryEvent| event.event_id == *timer_id && *timer_id >= 0;
            let created = history.iter().find(is_it).or(history.first());
            let due = created.map_or(*fire_at, |created| created.timestamp.max(*fire_at));
            if *fire_at > since && event.timestamp > due {
                let (id, at) = (&episode.record.instance_id, event.timestamp);
                return Err(format!("I15 timer {timer_id} of {id} fires at {at}, not at {due}"));
            }
        }
        Ok(())
    }
}
