//! Batches: one action on all instances that match a filter, as a durable job.
//!
//! Rules:
//! 1. A batch is an orchestration, so it continues after a crash. It reads a page of instances,
//!    acts on each of them, and sets its progress as its custom status.
//! 2. Pages follow the order of ids, and instances that were started after the batch are left out.
//!    So every instance is selected at most once, although a restart may make it match again.
//! 3. The selection is recorded before anything is done, with the version of each instance. The
//!    action on a page may run twice if the process crashes in between. Suspend, resume and
//!    terminate have no further effect the second time. Purge, rewind, restart and raise act only
//!    on an instance that has not changed since it was selected. Because they change the instance
//!    themselves, they act at most once.
//! 4. A retry acts on the instances that failed, so their ids are kept, up to [`IDS_MAX`].
//! 5. A batch never acts on batches. It acts on the library's other internal instances only if the
//!    filter has their name.
//!
//! Read next: `act.rs` (the action on one instance), `served.rs` (how an activity finds its hub).

mod act;
mod served;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::client::{HubError, InstanceQuery, InstanceStatus};
use durable::protocol::{ExecutionId, Json, Timestamp};
use durable::{
    ActivityContext, Error, InstanceId, OrchestrationContext, Result, RuntimeStatus, TaskHub,
    activity, orchestrator,
};
use serde::{Deserialize, Serialize};

pub(crate) use act::{Action, Outcome};
pub(crate) use served::serve;

/// The name of the orchestration.
pub(crate) const NAME: &str = "durable.Batch";

/// The maximum number of instances that are selected at once.
const PAGE: u32 = 100;
/// After this many pages, a batch continues as new, so that its history stays small.
const PAGES: u32 = 20;
/// The maximum number of errors and ids in a report.
const NAMED: usize = 50;
/// The maximum number of failed ids that are kept for a retry, and of ids in a filter. The history
/// records them with each page of a batch.
pub(crate) const IDS_MAX: usize = 1000;

/// What a batch does; the input of its orchestration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Job {
    pub(crate) query: Filter,
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) dry_run: bool,
    #[serde(default = "per_second")]
    pub(crate) per_second: u32,
    /// The position from which it proceeds after it has continued as new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<InstanceId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<DateTime<Utc>>,
    #[serde(default)]
    progress: Progress,
    #[serde(default)]
    failed_ids: Vec<InstanceId>,
}

fn per_second() -> u32 {
    100
}

/// The instances that a batch acts on: those that match all conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Filter {
    /// Only these instances; if there are any, the filter has no other conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) ids: Vec<InstanceId>,
    pub(crate) name: Option<String>,
    pub(crate) status: Vec<RuntimeStatus>,
    pub(crate) prefix: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_from: Option<DateTime<Utc>>,
    pub(crate) created_to: Option<DateTime<Utc>>,
    pub(crate) ended_from: Option<DateTime<Utc>>,
    pub(crate) ended_to: Option<DateTime<Utc>>,
    pub(crate) custom_status: Option<Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) failed_with: Option<String>,
}

/// What a batch has done so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    /// Instances that matched.
    matched: u64,
    /// Instances on which the action had its effect.
    done: u64,
    /// Instances on which the action had no effect, because they had ended, had changed, and so on.
    skipped: u64,
    failed: u64,
    /// The first failures.
    errors: Vec<act::Failure>,
    /// In a dry run, the first ids that matched.
    instance_ids: Vec<InstanceId>,
}

/// The output of a batch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    #[serde(flatten)]
    progress: Progress,
    /// The first instances that failed.
    #[serde(default)]
    pub(crate) failed_ids: Vec<InstanceId>,
}

/// An instance as it was selected.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Selected {
    id: InstanceId,
    execution: ExecutionId,
    updated: Timestamp,
    length: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Page {
    found: Vec<Selected>,
    next: Option<InstanceId>,
}

#[orchestrator(name = "durable.Batch")]
pub(crate) async fn batch(ctx: &OrchestrationContext, job: Job) -> Result<Report> {
    let mut job = job;
    let began = *job.began.get_or_insert(ctx.current_utc_datetime());
    let size = job.per_second.clamp(1, PAGE);
    for _ in 0..PAGES {
        let page = select(job.query.clone(), began, job.after.take(), size).await?;
        job.progress.matched += page.found.len() as u64;
        if job.dry_run {
            let left = NAMED.saturating_sub(job.progress.instance_ids.len());
            job.progress.instance_ids.extend(page.found.into_iter().take(left).map(|it| it.id));
        } else if !page.found.is_empty() {
            for outcome in run(job.action.clone(), page.found).await? {
                job.add(outcome);
            }
        }
        ctx.set_custom_status(&job.progress)?;
        job.after = page.next;
        if job.after.is_none() {
            return Ok(Report { progress: job.progress, failed_ids: job.failed_ids });
        }
        if !job.dry_run {
            ctx.create_timer(Duration::from_secs(1) * size / job.per_second.max(1)).await;
        }
    }
    ctx.continue_as_new(batch(job)).await
}

impl Job {
    pub(crate) fn new(query: Filter, action: Action, dry_run: bool, per_second: u32) -> Self {
        let (progress, failed_ids) = (Progress::default(), Vec::new());
        Self { query, action, dry_run, per_second, after: None, began: None, progress, failed_ids }
    }

    fn add(&mut self, outcome: Outcome) {
        let progress = &mut self.progress;
        match outcome {
            Outcome::Done => progress.done += 1,
            Outcome::Skipped => progress.skipped += 1,
            Outcome::Failed(failure) => {
                progress.failed += 1;
                if self.failed_ids.len() < IDS_MAX {
                    self.failed_ids.push(failure.instance_id.clone());
                }
                if progress.errors.len() < NAMED {
                    progress.errors.push(failure);
                }
            }
        }
    }
}

impl Progress {
    /// The instances that failed, as far as the progress names them.
    pub(crate) fn failed_ids(self) -> Vec<InstanceId> {
        self.errors.into_iter().map(|failure| failure.instance_id).collect()
    }
}

impl Filter {
    fn query(self) -> InstanceQuery {
        let mut find = InstanceQuery::new();
        if let Some(name) = self.name {
            find = find.name(name);
        }
        for status in self.status {
            find = find.status(status);
        }
        if let Some(prefix) = self.prefix {
            find = find.id_prefix(prefix);
        }
        for (key, value) in self.tags {
            find = find.tag(key, value);
        }
        if let Some(time) = self.created_from {
            find = find.created_from(time);
        }
        if let Some(time) = self.created_to {
            find = find.created_to(time);
        }
        if let Some(time) = self.ended_from {
            find = find.ended_from(time);
        }
        if let Some(time) = self.ended_to {
            find = find.ended_to(time);
        }
        if let Some(text) = self.failed_with {
            find = find.failure_contains(text);
        }
        match self.custom_status {
            Some(status) => find.custom_status_json(status),
            None => find,
        }
    }
}

/// A page of instances, as they are now.
#[activity(
    name = "durable.BatchSelect",
    retry(
        max_number_of_attempts = 1000,
        first_retry_interval = "1s",
        backoff_coefficient = 2.0,
        max_retry_interval = "1m"
    )
)]
async fn select(
    ctx: &ActivityContext,
    query: Filter,
    began: DateTime<Utc>,
    after: Option<InstanceId>,
    size: u32,
) -> Result<Page> {
    let hub = served::hub_of(ctx).await?;
    if !query.ids.is_empty() {
        return named(&hub, query.ids, began, after, size as usize).await;
    }
    // The end is exclusive, and what was started at the same moment belongs to the batch.
    let last = began + chrono::TimeDelta::microseconds(1);
    let created_to = query.created_to.map_or(last, |time| time.min(last));
    let query = Filter { created_to: Some(created_to), ..query };
    let mut find = query.query().page_size(size as usize);
    if let Some(id) = after {
        find = find.after(id);
    }
    let page = hub.query(&find).await.map_err(Error::from)?;
    let next = page.next.map(|token| InstanceId::try_from(token.to_string()));
    let next = next.transpose().map_err(Error::from)?;
    let found = page.items.into_iter().filter(|it| it.name != NAME);
    Ok(Page { found: found.map(Selected::from).collect(), next })
}

/// A page of these instances.
async fn named(
    hub: &TaskHub,
    ids: Vec<InstanceId>,
    began: DateTime<Utc>,
    after: Option<InstanceId>,
    size: usize,
) -> Result<Page> {
    let ids: BTreeSet<_> = ids.into_iter().filter(|id| Some(id) > after.as_ref()).collect();
    let next = ids.iter().nth(size - 1).filter(|_| ids.len() > size).cloned();
    let mut found = Vec::new();
    for id in ids.iter().take(size) {
        match hub.instance(id.as_str()).map_err(Error::from)?.status().await {
            Ok(it) if it.name != NAME && it.created_at.to_datetime() <= began => {
                found.push(it.into());
            }
            Ok(_) | Err(HubError::NoSuchInstance(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Page { found, next })
}

impl From<InstanceStatus> for Selected {
    fn from(status: InstanceStatus) -> Self {
        Self {
            id: status.instance_id,
            execution: status.execution_id,
            updated: status.last_updated_at,
            length: status.history_len,
        }
    }
}

/// Acts on the instances of a page.
#[activity(
    name = "durable.BatchRun",
    retry(
        max_number_of_attempts = 1000,
        first_retry_interval = "1s",
        backoff_coefficient = 2.0,
        max_retry_interval = "1m"
    )
)]
async fn run(
    ctx: &ActivityContext,
    action: Action,
    selected: Vec<Selected>,
) -> Result<Vec<Outcome>> {
    let hub = served::hub_of(ctx).await?;
    let mut outcomes = Vec::new();
    for selected in &selected {
        outcomes.push(action.run(&hub, selected).await?);
    }
    Ok(outcomes)
}
