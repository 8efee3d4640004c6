//! Schedules: orchestrations that are started at intervals.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use durable::client::NamedCall;
use durable::protocol::{Json, Timestamp};
use durable::schedule::{
    InvalidSchedule, Schedule, ScheduleDescription, ScheduleError, ScheduleHandle, ScheduleQuery,
    ScheduleStatus, ScheduledCall,
};
use serde::{Deserialize, Serialize};

use super::list::page;
use super::{Refusal, show};
use crate::call::Call;
use crate::json::{self, with_header};
use crate::links::encode;
use crate::problem::Problem;

/// The number of upcoming ticks in the details of a schedule.
const NEXT_RUNS: usize = 5;

#[derive(Serialize)]
struct Details {
    #[serde(flatten)]
    description: ScheduleDescription,
    next_runs: Vec<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    id: Option<String>,
    cron: Option<String>,
    every_seconds: Option<f64>,
    name: String,
    version: Option<String>,
    #[serde(default = "Json::null")]
    input: Json,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    start_at: Option<DateTime<Utc>>,
    end_at: Option<DateTime<Utc>>,
    instance_id_prefix: Option<String>,
    #[serde(default)]
    start_immediately_if_late: bool,
}

impl Wanted {
    fn call(self) -> Result<ScheduledCall, Problem> {
        let invalid = |error: InvalidSchedule| Problem::from(ScheduleError::Invalid(error));
        let mut schedule = match (self.cron, self.every_seconds) {
            (Some(pattern), None) => Schedule::cron(pattern).map_err(invalid)?,
            (None, Some(seconds)) => {
                let interval = Duration::try_from_secs_f64(seconds);
                let interval = interval.map_err(|_| {
                    Problem::invalid(format!("`everySeconds` is {seconds}; give a positive number"))
                })?;
                Schedule::every(interval)
            }
            _ => return Err(Problem::invalid("give either `cron` or `everySeconds`")),
        };
        if let Some(time) = self.start_at {
            schedule = schedule.start_at(time);
        }
        if let Some(time) = self.end_at {
            schedule = schedule.end_at(time);
        }
        if let Some(prefix) = self.instance_id_prefix {
            schedule = schedule.instance_id_prefix(prefix);
        }
        let mut call = NamedCall::new(self.name).input_json(self.input);
        for (key, value) in self.tags {
            call = call.tag(key, value);
        }
        if let Some(version) = self.version {
            call = call.version(version);
        }
        Ok(schedule.start_immediately_if_late(self.start_immediately_if_late).of_named(call))
    }
}

pub(super) async fn create(call: Call) -> Result<Response, Refusal> {
    let mut wanted: Wanted = call.body_as()?;
    let Some(id) = wanted.id.take() else {
        return Err(Problem::invalid("the body: give the `id` of the schedule").into());
    };
    let schedule = call.hub().create_schedule(&id, wanted.call()?).await?;
    let location = call.place().below(&format!("schedules/{}", encode(&id)));
    let body = show::camel(&schedule.describe().await?);
    Ok(with_header(json::answer(StatusCode::CREATED, &body), "location", &location))
}

pub(super) async fn update(call: Call) -> Result<Response, Refusal> {
    let schedule = schedule(&call)?;
    let wanted: Wanted = call.body_as()?;
    if wanted.id.as_deref().is_some_and(|id| id != schedule.id()) {
        return Err(Problem::invalid("the body: `id` is not that of the path").into());
    }
    schedule.update(wanted.call()?).await?;
    now(&schedule).await
}

pub(super) async fn list(call: Call) -> Result<Response, Refusal> {
    let mut find = ScheduleQuery::new().page_size(call.limit()?);
    if let Some(prefix) = call.query.get("prefix") {
        find = find.id_prefix(prefix);
    }
    if let Some(status) = call.query.get("status") {
        let read = serde_json::from_value::<ScheduleStatus>(status.into());
        find = find.status(read.map_err(|_| {
            let status = status.escape_debug();
            Problem::invalid(format!(
                "`status` is `{status}`; give Active, Paused, Suspended or Ended"
            ))
        })?);
    }
    if let Some(token) = call.after()? {
        find = find.after(token);
    }
    Ok(page(&call, &call.hub().query(&find).await?))
}

pub(super) async fn details(call: Call) -> Result<Response, Refusal> {
    let description = schedule(&call)?.describe().await?;
    let next_runs = description.next_runs(NEXT_RUNS).into_iter().map(Timestamp::new).collect();
    let body = show::camel(&Details { description, next_runs });
    Ok(json::answer(StatusCode::OK, &body))
}

pub(super) async fn pause(call: Call) -> Result<Response, Refusal> {
    let schedule = schedule(&call)?;
    schedule.pause().await?;
    now(&schedule).await
}

pub(super) async fn resume(call: Call) -> Result<Response, Refusal> {
    let schedule = schedule(&call)?;
    schedule.resume().await?;
    now(&schedule).await
}

pub(super) async fn delete(call: Call) -> Result<Response, Refusal> {
    schedule(&call)?.delete().await?;
    Ok(json::empty(StatusCode::NO_CONTENT))
}

fn schedule(call: &Call) -> Result<ScheduleHandle, Problem> {
    Ok(call.hub().schedule(call.params.get("id"))?)
}

async fn now(schedule: &ScheduleHandle) -> Result<Response, Refusal> {
    Ok(show::answer(StatusCode::OK, &schedule.describe().await?))
}
