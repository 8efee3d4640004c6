//! Operations on schedules.

use durable::prelude::*;
use durable::protocol::Timestamp;
use durable::schedule::{Schedule as Every, ScheduleDescription, ScheduleQuery, ScheduleStatus};

use super::act::{Checked, holds};
use super::answer::{Asked, Done};
use super::op::Schedule;
use crate::interpret::sim_program;
use crate::program::{Node, Program, When};
use crate::rules::{Committed, Shown};

/// The number of ticks of a schedule.
const TICKS: i32 = 20;

pub(super) async fn schedule(
    hub: &TaskHub,
    id: u8,
    what: Schedule,
    committed: &Committed,
) -> Checked {
    let name = format!("s{id}");
    match what {
        Schedule::Describe => describe(hub, &name, committed).await,
        Schedule::List => list(hub, committed).await,
        what => change(hub, &name, what, committed).await,
    }
}

async fn change(hub: &TaskHub, name: &str, what: Schedule, committed: &Committed) -> Checked {
    let Ok(handle) = hub.schedule(name) else { return Ok(()) };
    let plan = |every: When| {
        let end = hub.current_utc_datetime() + every.duration() * TICKS.unsigned_abs();
        Every::every(every.duration()).end_at(end)
    };
    let target = sim_program(Program::once(Node::Timer(When::Now)), 0);
    if !matches!(what, Schedule::Create(_)) {
        committed.disturbs_schedule(name);
    }
    let change = committed.begins_change(name);
    let driver = handle.instance().instance_id().to_string();
    let asked = Asked::new(committed, &driver);
    let (answer, done) = match what {
        Schedule::Create(every) => {
            let created = hub.create_schedule(name, plan(every).of(target)).await;
            (created.map(drop), Done::Created)
        }
        Schedule::Update(every) => (handle.update(plan(every)).await, Done::Raised),
        Schedule::Pause => (handle.pause().await, Done::Raised),
        Schedule::Resume => (handle.resume().await, Done::Raised),
        _ => {
            committed.begins_deletion(name);
            committed.asks_end(&driver);
            committed.asks_purge(&driver, false);
            (handle.delete().await, Done::Purged)
        }
    };
    let is_paused = answer.is_ok() && matches!(what, Schedule::Pause);
    let paused = is_paused.then(|| Timestamp::new(hub.current_utc_datetime()));
    committed.ends_change(name, change, paused);
    asked.scheduled(answer.as_ref().copied(), done)
}

async fn describe(hub: &TaskHub, name: &str, committed: &Committed) -> Checked {
    let Ok(handle) = hub.schedule(name) else { return Ok(()) };
    let asked = Asked::new(committed, handle.instance().instance_id().as_str());
    let before = committed.shown(name);
    let found = handle.describe().await;
    asked.scheduled(found.as_ref().map(drop), Done::Described)?;
    found.map_or(Ok(()), |found| is_described(&found, &before, committed))
}

/// The pages of all schedules, of one schedule each.
async fn list(hub: &TaskHub, committed: &Committed) -> Checked {
    let before = [committed.shown("s0"), committed.shown("s1")];
    let pages = hub.stream(ScheduleQuery::new().page_size(1));
    let Ok(found) = pages.try_collect().await else { return Ok(()) };
    for schedule in &found {
        is_described(schedule, &before[usize::from(schedule.id == "s1")], committed)?;
    }
    Ok(())
}

/// I16 for schedules: a schedule that was paused before the request, and not resumed since, is not
/// shown as active; and the number of runs is not lower than a number shown before the request.
///
/// "Its ticks are skipped until it is resumed" (`pause`); "when it will start the next instance; `None`
/// while it is paused and after it has ended" (`next_run_at`).
fn is_described(schedule: &ScheduleDescription, before: &Shown, committed: &Committed) -> Checked {
    let ScheduleDescription { id, status, runs, created_at, next_run_at, .. } = schedule;
    let (now, created_at) = (committed.shown(id), Timestamp::new(*created_at));
    let is_active = *status == ScheduleStatus::Active;
    holds(!(is_active && before.stays_paused(&now)), || {
        format!("I16 schedule {id} is shown as active, and was paused")
    })?;
    let may_run = !matches!(status, ScheduleStatus::Paused | ScheduleStatus::Ended);
    holds(may_run || next_run_at.is_none(), || {
        format!("I16 schedule {id} is shown as {status} and with a next run")
    })?;
    committed.shows(id, created_at, *runs);
    let most = before.runs(created_at, &now);
    holds(*runs >= most, || {
        format!("I16 schedule {id} is shown with {runs} runs, and had {most} before")
    })
}
