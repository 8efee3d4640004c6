//! The orchestrator that drives a schedule: one execution per tick or command.
//!
//! The histories of running schedules record its requests and their order, so any change here must
//! fit them.

use chrono::{DateTime, Utc};

use super::state::{Command, State, Wait};
use super::{TAG, id_of};
use crate::error::{Error, Result};
use crate::orchestration::{NamedStart, OrchestrationContext, Race2, race};
use crate::protocol::InstanceId;

/// Waits for the next tick or command, then continues as new, so that the history stays small.
#[crate::orchestrator(name = "durable.Schedule", crate = crate)]
pub(super) async fn schedule(ctx: &OrchestrationContext, state: State) -> Result<()> {
    let mut state = state;
    let began = ctx.current_utc_datetime();
    state.begin(began);
    let wait = state.wait(began);
    ctx.set_status_unchecked(state.progress(wait == Wait::Over));
    let command = ctx.wait_for_event::<Command>();
    let told = match wait {
        Wait::Over => return Ok(()),
        Wait::Told => Some(command.await),
        Wait::Until(time) => match race((command, ctx.create_timer(time))).await {
            Race2::First(command) => Some(command),
            Race2::Second(()) => None,
        },
    };
    let now = ctx.current_utc_datetime();
    // Due ticks come before the command, because they were due before it; after a restart both
    // arrive at once.
    for tick in state.due(now) {
        ctx.start_named(run_of(&state, ctx.instance_id(), tick)?);
    }
    match told {
        Some(Ok(command)) => state.obey(command, now),
        // Raised by a client directly, not through a handle.
        Some(Err(unreadable)) => tracing::warn!(schedule = %ctx.instance_id(), "{unreadable}"),
        None => {}
    }
    ctx.continue_as_new(schedule(state)).await
}

/// The instance for a tick. Its id is derived from the tick, so no tick runs twice.
fn run_of(state: &State, schedule: &InstanceId, tick: DateTime<Utc>) -> Result<NamedStart> {
    let schedule = id_of(schedule);
    let prefix = state.plan.instance_id_prefix.as_deref().unwrap_or(schedule);
    let instance_id = InstanceId::new(format!("{prefix}-{}", tick.format("%Y%m%dT%H%M%S%.fZ")));
    let target = state.target.clone();
    let mut tags = target.tags;
    tags.insert(TAG.to_owned(), schedule.to_owned());
    Ok(NamedStart {
        instance_id: instance_id.map_err(Error::from)?,
        name: target.name,
        version: target.version,
        input: target.input,
        tags,
    })
}
