//! Statistics of activities over recent instances: attempts, failures and run times by name.
//!
//! They are computed from histories, so they include the time before the last restart and add no
//! work to the hot path. The cost is bounded by the number of instances and events that a request
//! reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceStatus};
use durable::protocol::{EventKind, FailureDetails, HistoryEvent, InstanceId, Timestamp};
use serde::Serialize;

use super::{Refusal, list};
use crate::call::Call;
use crate::json::{self, Object};
use crate::problem::Problem;
use crate::recorded::{Incomplete, Recorded};

/// The maximum number of events that a request reads.
const EVENTS_MAX: u64 = 50_000;

/// The statistics of the newest instances that match the filter, at most `limit`.
pub(super) async fn activities(call: Call) -> Result<Response, Refusal> {
    let find = list::filter(&call)?.newest_first().page_size(call.limit()?);
    let page = call.hub().query(&find).await?;
    let (mut all, mut instances, mut events) = (Statistics::default(), 0_u64, 0);
    let mut is_partial = page.next.is_some();
    for status in &page.items {
        if events + status.history_len > EVENTS_MAX {
            is_partial = true;
            continue;
        }
        if let Some(read) = history(&call, status).await? {
            events += read.len() as u64;
            instances += 1;
            all.add(&status.instance_id, &read);
        }
    }
    let body = Object::new()
        .with("items", &all.shown())
        .with("instances", &instances)
        .with("events", &events)
        .with("approximate", &is_partial);
    Ok(json::answer(StatusCode::OK, &body))
}

/// `None` if the history was replaced while it was read, or the instance was purged.
async fn history(
    call: &Call,
    status: &InstanceStatus,
) -> Result<Option<Vec<HistoryEvent>>, Problem> {
    let instance = call.hub().instance(status.instance_id.as_str()).map_err(HubError::from)?;
    let mut recorded = Recorded::new(instance, status);
    let mut history = Vec::new();
    loop {
        match recorded.page().await {
            Ok(Some(events)) => history.extend(events),
            Ok(None) => return Ok(Some(history)),
            Err(Incomplete::Replaced | Incomplete::Unreadable(HubError::NoSuchInstance(_))) => {
                return Ok(None);
            }
            Err(Incomplete::Unreadable(error)) => return Err(error.into()),
        }
    }
}

/// The attempts of the activities of some instances, by name.
#[derive(Debug, Default)]
struct Statistics(BTreeMap<String, Attempts>);

#[derive(Debug, Default)]
struct Attempts {
    calls: u64,
    ended: u64,
    failed: u64,
    /// The run times of attempts whose beginning is recorded, in microseconds.
    ran: Vec<u64>,
    /// How long first attempts waited for a worker, in microseconds.
    waited: Vec<u64>,
    last_failure: Option<LastFailure>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LastFailure {
    instance_id: InstanceId,
    at: Timestamp,
    error_type: String,
    message: String,
}

/// The attempts of an activity, as the API shows them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    calls: u64,
    attempts: u64,
    failed_attempts: u64,
    median_micros: Option<u64>,
    p95_micros: Option<u64>,
    max_micros: Option<u64>,
    waited_p95_micros: Option<u64>,
    last_failure: Option<LastFailure>,
}

/// How an attempt ended.
struct Ended<'a> {
    at: Timestamp,
    began: Option<Timestamp>,
    attempt: Option<u32>,
    failure: Option<&'a FailureDetails>,
}

impl Statistics {
    fn add(&mut self, id: &InstanceId, history: &[HistoryEvent]) {
        let mut calls: HashMap<i32, (&str, Timestamp)> = HashMap::new();
        // A failure that arrives while the instance is suspended is recorded again when it is retried.
        let mut failed = BTreeSet::new();
        for event in history {
            let at = event.timestamp;
            let (task, ended) = match &event.kind {
                EventKind::TaskScheduled { name, .. } => {
                    calls.insert(event.event_id, (name, at));
                    self.of(name).calls += 1;
                    continue;
                }
                EventKind::TaskCompleted { task_scheduled_id, attempt, began, .. } => {
                    let ended = Ended { at, began: *began, attempt: *attempt, failure: None };
                    (*task_scheduled_id, ended)
                }
                EventKind::TaskFailed { task_scheduled_id, failure, attempt, began } => {
                    failed.insert(*task_scheduled_id);
                    let failure = Some(failure);
                    (*task_scheduled_id, Ended { at, began: *began, attempt: *attempt, failure })
                }
                EventKind::TaskAttemptFailed {
                    task_scheduled_id, attempt, failure, began, ..
                } => {
                    if failed.remove(task_scheduled_id) {
                        continue;
                    }
                    let (attempt, failure) = (Some(*attempt), Some(failure));
                    (*task_scheduled_id, Ended { at, began: *began, attempt, failure })
                }
                _ => continue,
            };
            // Attempts of sub-orchestrations are recorded in the same way.
            if let Some((name, scheduled)) = calls.get(&task) {
                self.of(name).end(id, *scheduled, &ended);
            }
        }
    }

    fn of(&mut self, name: &str) -> &mut Attempts {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), Attempts::default());
        }
        self.0.entry(name.to_owned()).or_default()
    }

    fn shown(self) -> Vec<Shown> {
        self.0.into_iter().map(|(name, attempts)| attempts.shown(name)).collect()
    }
}

impl Attempts {
    fn end(&mut self, id: &InstanceId, scheduled: Timestamp, ended: &Ended<'_>) {
        self.ended += 1;
        if let Some(began) = ended.began {
            self.ran.push(micros(ended.at, began));
            if ended.attempt == Some(1) {
                self.waited.push(micros(began, scheduled));
            }
        }
        let Some(failure) = ended.failure else { return };
        self.failed += 1;
        if self.last_failure.as_ref().is_none_or(|last| last.at < ended.at) {
            self.last_failure = Some(LastFailure {
                instance_id: id.clone(),
                at: ended.at,
                error_type: failure.error_type.clone(),
                message: failure.message.clone(),
            });
        }
    }

    fn shown(mut self, name: String) -> Shown {
        self.ran.sort_unstable();
        self.waited.sort_unstable();
        Shown {
            name,
            calls: self.calls,
            attempts: self.ended,
            failed_attempts: self.failed,
            median_micros: percentile(&self.ran, 50),
            p95_micros: percentile(&self.ran, 95),
            max_micros: self.ran.last().copied(),
            waited_p95_micros: percentile(&self.waited, 95),
            last_failure: self.last_failure,
        }
    }
}

fn micros(until: Timestamp, from: Timestamp) -> u64 {
    u64::try_from(until.since(from).as_micros()).unwrap_or(u64::MAX)
}

/// The smallest value that at least this many percent of the values do not exceed.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(id: i32, second: u32, kind: &serde_json::Value) -> HistoryEvent {
        let event = json!({ "event_id": id, "timestamp": at(second), "kind": kind });
        serde_json::from_value(event).unwrap()
    }

    fn at(second: u32) -> String {
        format!("2026-01-02T03:04:{second:02}Z")
    }

    #[test]
    fn attempts_are_counted_once_and_those_of_children_are_left_out() {
        let failure =
            json!({ "error_type": "", "message": "broken", "inner": null, "non_retriable": false });
        let failed = |id: i32, attempt: u32, began: Option<u32>| {
            json!({ "TaskAttemptFailed": {
                "task_scheduled_id": id, "attempt": attempt, "failure": failure,
                "retry_at": at(50), "began": began.map(at),
            } })
        };
        let history = [
            event(
                0,
                0,
                &json!({ "TaskScheduled": {
                "name": "charge", "version": null, "input": 1, "source": null,
            } }),
            ),
            event(-1, 4, &failed(0, 1, Some(1))),
            // It failed while the instance was suspended, and was retried when it resumed.
            event(
                -1,
                10,
                &json!({ "TaskFailed": {
                "task_scheduled_id": 0, "failure": failure, "attempt": 2,
            } }),
            ),
            event(-1, 12, &failed(0, 2, None)),
            event(
                -1,
                20,
                &json!({ "TaskCompleted": {
                "task_scheduled_id": 0, "result": 1, "attempt": 3, "began": at(13),
            } }),
            ),
            event(
                1,
                20,
                &json!({ "SubOrchestrationInstanceCreated": {
                "instance_id": "child", "name": "ship", "version": null, "input": 1,
                "source": null,
            } }),
            ),
            event(-1, 21, &failed(1, 1, None)),
        ];
        let mut all = Statistics::default();
        all.add(&InstanceId::try_from("a".to_owned()).unwrap(), &history);
        let shown = serde_json::to_value(all.shown()).unwrap();
        assert_eq!(
            shown,
            json!([{
                "name": "charge", "calls": 1, "attempts": 3, "failedAttempts": 2,
                "medianMicros": 3_000_000, "p95Micros": 7_000_000, "maxMicros": 7_000_000,
                "waitedP95Micros": 1_000_000, "lastFailure": {
                    "instanceId": "a", "at": "2026-01-02T03:04:10.000000Z", "errorType": "",
                    "message": "broken",
                },
            }])
        );
    }

    #[test]
    fn a_percentile_is_a_value_that_occurs() {
        let of = |count: u64, percent| percentile(&(1..=count).collect::<Vec<_>>(), percent);
        assert_eq!([of(0, 50), of(1, 50), of(2, 50), of(3, 50)], [None, Some(1), Some(1), Some(2)]);
        assert_eq!([of(1, 95), of(20, 95), of(100, 95)], [Some(1), Some(19), Some(95)]);
    }
}
