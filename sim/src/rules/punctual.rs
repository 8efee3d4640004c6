//! I15: no instance sleeps past its due time.
//!
//! A "timer that is due after a duration, or at a point in time" (`create_timer`); "limits the
//! time of the whole call, including all attempts and the waits between them" (`timeout`). In the
//! calm phase, time passes only when no actor can continue, so nothing is late.

use durable::protocol::{EventKind, HistoryEvent, InstanceId, Timestamp};
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
            call_in_time(&episode.record.instance_id, event, history, since)?;
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

/// Checks that the result of an activity does not arrive later than the call's time limit.
fn call_in_time(
    id: &InstanceId,
    answer: &HistoryEvent,
    history: &[HistoryEvent],
    since: Timestamp,
) -> Result<(), String> {
    let (EventKind::TaskCompleted { task_scheduled_id: task, .. }
    | EventKind::TaskFailed { task_scheduled_id: task, .. }
    | EventKind::TaskAttemptFailed { task_scheduled_id: task, .. }) = &answer.kind
    else {
        return Ok(());
    };
    let called = history.iter().find(|event| event.event_id == *task);
    let limit = called.and_then(|called| {
        let EventKind::TaskScheduled { input, .. } = &called.kind else { return None };
        Some(called.timestamp.after(super::retry::call(input)?.timeout?.positive()))
    });
    match limit.filter(|limit| *limit > since && answer.timestamp > *limit) {
        Some(limit) => Err(format!(
            "I15 task {task} of {id} is answered at {}, and its time is up at {limit}",
            answer.timestamp
        )),
        None => Ok(()),
    }
}
