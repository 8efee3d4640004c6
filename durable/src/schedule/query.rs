//! Querying schedules and their progress.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::spec::{Plan, Recurrence, after};
use super::state::{Progress, ScheduleStatus, State};
use super::{ENTRY, ID_PREFIX, id_of};
use crate::hub::client::page::{Page, PageToken, Paging, Query};
use crate::payload::payload;
use crate::protocol::{
    EventKind, InstanceId, InstanceRecord, Json, RuntimeStatus, Tags, Timestamp,
};
use crate::store::{InstanceFilter, Store, StoreError};

/// The definition and progress of a schedule.
///
/// ```
/// use durable::schedule::{ScheduleError, ScheduleHandle};
///
/// async fn print(schedule: &ScheduleHandle) -> Result<(), ScheduleError> {
///     let schedule = schedule.describe().await?;
///     println!("{}: {} runs, next at {:?}", schedule.id, schedule.runs, schedule.next_runs(3));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduleDescription {
    /// Its id.
    pub id: String,
    /// Its status.
    pub status: ScheduleStatus,
    /// Its recurrence.
    pub recurrence: Recurrence,
    /// There is no tick before this time.
    #[serde(serialize_with = "micros_if_set")]
    pub start_at: Option<DateTime<Utc>>,
    /// There is no tick after this time.
    #[serde(serialize_with = "micros_if_set")]
    pub end_at: Option<DateTime<Utc>>,
    /// Whether the last of several missed ticks runs late.
    pub start_immediately_if_late: bool,
    /// The id prefix of started instances, if it is not the schedule's id.
    pub instance_id_prefix: Option<String>,
    /// The orchestration that it starts.
    pub orchestration: String,
    /// The version of the orchestration.
    pub version: Option<String>,
    /// The input.
    pub input: Json,
    /// The tags, in addition to `durable.schedule`.
    pub tags: Tags,
    /// When the schedule was created.
    #[serde(serialize_with = "micros")]
    pub created_at: DateTime<Utc>,
    /// When it last started an instance.
    #[serde(serialize_with = "micros_if_set")]
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it will start the next instance; `None` while it is paused and after it has ended.
    #[serde(serialize_with = "micros_if_set")]
    pub next_run_at: Option<DateTime<Utc>>,
    /// The number of instances it has started.
    pub runs: u64,
}

impl ScheduleDescription {
    /// Returns the next `count` ticks, beginning with [`next_run_at`](Self::next_run_at): fewer if
    /// the schedule ends before, none while it is paused.
    pub fn next_runs(&self, count: usize) -> Vec<DateTime<Utc>> {
        let Some(first) = self.next_run_at else { return Vec::new() };
        let plan = Plan {
            recurrence: self.recurrence.clone(),
            start_at: self.start_at,
            end_at: self.end_at,
            start_immediately_if_late: self.start_immediately_if_late,
            instance_id_prefix: None,
        };
        // Ticks of an interval are counted from the first, which is one of them.
        let next = |tick: &DateTime<Utc>| plan.first(first, after(*tick));
        std::iter::successors(Some(first), next).take(count).collect()
    }
}

/// A time in the same form as every other time in JSON: with microseconds.
fn micros<S: Serializer>(time: &DateTime<Utc>, to: S) -> Result<S::Ok, S::Error> {
    Timestamp::new(*time).serialize(to)
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn micros_if_set<S: Serializer>(time: &Option<DateTime<Utc>>, to: S) -> Result<S::Ok, S::Error> {
    time.map(Timestamp::new).serialize(to)
}

/// A query for the schedules that match all conditions.
///
/// ```
/// # use durable::prelude::*;
/// use durable::schedule::{ScheduleQuery, ScheduleStatus};
///
/// # async fn go_on(hub: TaskHub) -> Result<()> {
/// let paused = ScheduleQuery::new().id_prefix("customer-").status(ScheduleStatus::Paused);
/// let mut paused = hub.stream(paused);
/// while let Some(schedule) = paused.try_next().await? {
///     println!("{} has run {} times", schedule.id, schedule.runs);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug, Default)]
pub struct ScheduleQuery {
    id_prefix: String,
    statuses: Vec<ScheduleStatus>,
    paging: Paging,
}

impl ScheduleQuery {
    /// Selects all schedules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds only schedules whose id begins with this prefix.
    pub fn id_prefix(self, prefix: impl Into<String>) -> Self {
        Self { id_prefix: prefix.into(), ..self }
    }

    /// Finds only schedules with this status. If called several times, any of the statuses matches.
    pub fn status(mut self, status: ScheduleStatus) -> Self {
        self.statuses.push(status);
        self
    }

    /// Sets the maximum number of schedules on a page; by default 100.
    pub fn page_size(self, schedules: usize) -> Self {
        Self { paging: self.paging.with_size(schedules), ..self }
    }

    /// Finds only schedules after this position: the [`next`](Page::next) of the previous page.
    pub fn after(self, token: impl Into<PageToken>) -> Self {
        Self { paging: self.paging.starting_after(token.into()), ..self }
    }

    fn matches(&self, found: &ScheduleDescription) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&found.status)
    }
}

impl Query for ScheduleQuery {
    type Item = ScheduleDescription;

    fn paging(&mut self) -> &mut Paging {
        &mut self.paging
    }

    fn read_page(
        &self,
        store: &dyn Store,
        _now: Timestamp,
    ) -> Result<Page<ScheduleDescription>, StoreError> {
        let filter = InstanceFilter {
            name: Some(ENTRY.name.to_owned()),
            id_prefix: format!("{ID_PREFIX}{}", self.id_prefix),
            ..InstanceFilter::default()
        };
        let found = store.instances(&filter, self.paging.after_id(), self.paging.size)?;
        let mut schedules = Vec::new();
        for record in found.instances {
            // It may have been deleted since the page was read.
            let described = describe(store, &record.instance_id)?;
            schedules.extend(described.filter(|description| self.matches(description)));
        }
        Ok(Page::new(schedules, found.next, found.scanned))
    }
}

/// Reads a schedule: its progress from the record, its definition from the input.
pub(super) fn describe(
    store: &dyn Store,
    id: &InstanceId,
) -> Result<Option<ScheduleDescription>, StoreError> {
    let mut looked_at = None;
    loop {
        let Some(record) = store.instance(id)? else { return Ok(None) };
        if record.name != ENTRY.name {
            return Ok(None);
        }
        let history = store.history(id, record.execution_id, 0)?;
        let input = history.into_iter().find_map(|event| match event.kind {
            EventKind::ExecutionStarted(started) => Some(started.input),
            _ => None,
        });
        match input {
            Some(input) => return description(&record, &input).map(Some),
            // It continued as new between the two reads.
            None if looked_at != Some(record.execution_id) => looked_at = Some(record.execution_id),
            None => return Err(StoreError::damaged(format!("`{id}` has no beginning"))),
        }
    }
}

fn description(record: &InstanceRecord, input: &Json) -> Result<ScheduleDescription, StoreError> {
    let damaged = |error| StoreError::damaged(format!("`{}`: {error}", record.instance_id));
    let state = payload::<State>().decode(input).map_err(damaged)?;
    let said = record.custom_status.as_ref();
    let progress: Option<Progress> =
        said.map(|said| payload().decode(said)).transpose().map_err(damaged)?;
    let progress = progress.as_ref();
    let status = match record.runtime_status {
        RuntimeStatus::Completed | RuntimeStatus::Failed | RuntimeStatus::Terminated => {
            ScheduleStatus::Ended
        }
        RuntimeStatus::Suspended => ScheduleStatus::Suspended,
        RuntimeStatus::Running | RuntimeStatus::Pending => {
            progress.map_or(ScheduleStatus::Active, |progress| progress.status)
        }
    };
    let State { plan, target, .. } = state;
    let next_run_at = progress.and_then(|progress| progress.next_run_at);
    Ok(ScheduleDescription {
        id: id_of(&record.instance_id).to_owned(),
        status,
        recurrence: plan.recurrence,
        start_at: plan.start_at,
        end_at: plan.end_at,
        start_immediately_if_late: plan.start_immediately_if_late,
        instance_id_prefix: plan.instance_id_prefix,
        orchestration: target.name,
        version: target.version,
        input: target.input,
        tags: target.tags,
        created_at: record.created_at.to_datetime(),
        last_run_at: progress.and_then(|progress| progress.last_run_at),
        next_run_at: next_run_at.filter(|_| status != ScheduleStatus::Ended),
        runs: progress.map_or(0, |progress| progress.runs),
    })
}
