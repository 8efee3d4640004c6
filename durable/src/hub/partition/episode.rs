//! Runs the episodes of orchestrations: the one place where the engine is entered.

use std::collections::VecDeque;

use super::core::Environment;
use super::resident::Resident;
use crate::engine::{Episode, Execution, Identity, Outcome};
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::telemetry::spans;
use crate::orchestration::UnreadEvent;
use crate::protocol::{
    EventKind, ExecutionStarted, HistoryEvent, InstanceRecord, Suspension, Timestamp,
};

/// Runs an episode in its span. `None` if it had no effect: no event concerned the instance, and no
/// timer was due.
pub(super) fn run(
    record: &InstanceRecord,
    execution: &mut Execution,
    now: Timestamp,
    events: Vec<EventKind>,
) -> Option<Episode> {
    let span = spans::orchestration(record, execution, events.first());
    let watch = Stopwatch::start();
    let episode = spans::within(&span, || execution.run(now, events));
    metrics::episode(&record.name, watch);
    episode
}

/// The next episode of an instance; `None` if it has finished or there is nothing to do.
pub(super) fn next_episode(
    now: Timestamp,
    resident: &mut Resident,
    events: Vec<EventKind>,
) -> Option<Episode> {
    if resident.record.runtime_status.is_finished() {
        return None;
    }
    match (&mut resident.execution, &resident.record.suspension) {
        (Some(execution), _) => run(&resident.record, execution, now, events),
        (None, Some(suspension)) if !events.is_empty() => {
            Some(Episode::set_aside(now, events, suspension.clone(), false))
        }
        (None, _) => None,
    }
}

/// Delivers, in the instance's span, the events that arrived while it was suspended.
pub(super) fn catch_up(
    record: &InstanceRecord,
    execution: &mut Execution,
) -> Result<(), Suspension> {
    let span = spans::orchestration(record, execution, None);
    spans::within(&span, || execution.catch_up())
}

/// The events of an episode that the engine did not run.
pub(super) fn events_of(now: Timestamp, kinds: Vec<EventKind>) -> Vec<HistoryEvent> {
    let kinds = std::iter::once(EventKind::OrchestratorStarted).chain(kinds);
    let kinds = kinds.chain([EventKind::OrchestratorCompleted]);
    kinds.map(|kind| HistoryEvent::new(now, kind)).collect()
}

/// An execution of an instance, before its first event. An instance that is held back has none.
pub(super) fn new_execution(
    env: &Environment,
    record: &InstanceRecord,
) -> Result<Execution, Suspension> {
    let execution = Execution::new(&env.registry, Identity::of(record, env.settings.limits))?;
    env.held.suspension(&record.instance_id).map_or(Ok(execution), Err)
}

pub(super) fn replay(
    env: &Environment,
    record: &InstanceRecord,
    past: &[HistoryEvent],
) -> Result<Execution, Suspension> {
    let mut execution = new_execution(env, record)?;
    execution.replay(past)?;
    Ok(execution)
}

/// Like [`replay`], but for a history without its failures; see [`Execution::replay_rewound`].
pub(super) fn replay_rewound(
    env: &Environment,
    record: &InstanceRecord,
    past: &[HistoryEvent],
    before: usize,
) -> Result<Execution, Suspension> {
    let mut execution = new_execution(env, record)?;
    execution.replay_rewound(past, before)?;
    Ok(execution)
}

/// The first episode of an execution; `unread` are the external events that it inherits.
pub(super) fn first_episode(
    env: &Environment,
    resident: &mut Resident,
    mut started: ExecutionStarted,
    unread: VecDeque<UnreadEvent>,
    now: Timestamp,
) -> Episode {
    let found = env.registry.orchestrator_for(&started.name, started.version.as_deref());
    started.code_hash = found.map(|entry| entry.code_hash);
    started.limits = Some(env.settings.limits.recorded());
    let start = EventKind::from(started);
    match new_execution(env, &resident.record) {
        Ok(mut execution) => {
            execution.inherit(unread);
            let episode = run(&resident.record, &mut execution, now, vec![start]);
            resident.execution = Some(execution);
            // A start is an event, so the episode is never empty.
            episode.unwrap_or_else(Episode::nothing)
        }
        Err(suspension) => {
            let unread = unread.into_iter().map(EventKind::from);
            let events: Vec<_> = std::iter::once(start).chain(unread).collect();
            Episode::set_aside(now, events, suspension, true)
        }
    }
}

/// With `verify_replay`: replays the history, with this episode, from scratch. If the replay
/// differs, the instance is suspended instead, and only the incoming events are kept.
pub(super) fn verified(env: &Environment, resident: &mut Resident, episode: Episode) -> Episode {
    let is_run = !matches!(episode.outcome, Outcome::Suspended(_));
    if !env.settings.verify || !is_run || episode.events.is_empty() {
        return episode;
    }
    resident.past.extend_from_slice(&episode.events);
    if matches!(episode.outcome, Outcome::ContinuedAsNew(_)) {
        return episode;
    }
    let verified =
        new_execution(env, &resident.record).and_then(|execution| execution.verify(&resident.past));
    match (verified, episode.events.first()) {
        (Err(suspension), Some(first)) => {
            let now = first.timestamp;
            Episode::set_aside(now, episode.into_incoming(), suspension, true)
        }
        _ => episode,
    }
}
