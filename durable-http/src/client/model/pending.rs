//! What an instance waits for.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Entity, Failure, InstanceStatus};

/// What an instance waits for now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PendingWork {
    /// The instance.
    pub status: InstanceStatus,
    /// Its calls, timers and lock requests that have no result yet.
    pub tasks: Vec<PendingTask>,
    /// The names of the events that it waits for, in lower case.
    pub awaited_events: Vec<String>,
    /// The waits for these events, in the same order; empty if the hub has an earlier version.
    #[serde(default)]
    pub event_waits: Vec<EventWait>,
    /// The names of the events that have arrived but were not read.
    pub unread_events: Vec<String>,
    /// The entities that it has locked, as `@name@key`.
    pub locked_entities: Vec<String>,
    /// The entities that it calls or wants to lock, with the instances that hold their locks: at most
    /// 100, without their states.
    #[serde(default)]
    pub awaited_entities: Vec<Entity>,
}

/// A wait for an external event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventWait {
    /// The name of the event, in lower case.
    pub name: String,
    /// The line of code that waits for it, as `file:line`.
    pub source: String,
    /// When the wait began.
    pub since: DateTime<Utc>,
}

/// The most likely reason why an instance is stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PendingCause<'a> {
    /// A call, timer or lock request.
    Task(&'a PendingTask),
    /// An event of this name.
    Event(&'a str),
}

/// The entity that a call or a lock request waits for, and its place in the queue of that entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AwaitedEntity<'a> {
    /// The entity, as `@name@key`.
    pub entity_id: &'a str,
    /// The position in the queue, from 1. The first request is handled next, or now. `None` if this
    /// request is not among the first 10,000 of the queue.
    pub position: Option<u64>,
    /// The other instance that holds the lock of the entity.
    pub locked_by: Option<&'a str>,
    /// When that instance took the lock.
    pub locked_since: Option<DateTime<Utc>>,
}

impl AwaitedEntity<'_> {
    /// Returns the position as an ordinal number, such as `2nd in line`.
    pub fn in_line(&self) -> Option<String> {
        let position = self.position?;
        let suffix = match (position % 10, position % 100) {
            (_, 11..=13) => "th",
            (1, _) => "st",
            (2, _) => "nd",
            (3, _) => "rd",
            _ => "th",
        };
        Some(format!("{position}{suffix} in line"))
    }
}

impl PendingWork {
    /// Returns the entity that a task of this instance waits for. `None` if the task is neither a
    /// call of an entity nor a lock request.
    pub fn awaited_entity<'a>(&'a self, task: &'a PendingTask) -> Option<AwaitedEntity<'a>> {
        let entity_id = match task.kind {
            PendingKind::EntityCall => task.entity_id.as_deref()?,
            PendingKind::Lock => task.waits_for.as_deref()?,
            _ => return None,
        };
        let entity = self.awaited_entities.iter().find(|it| it.entity_id == entity_id);
        let holder = entity.and_then(|it| Some(it.locked_by.as_ref()?.instance_id.as_str()));
        let locked_by = holder.filter(|holder| *holder != self.status.instance_id);
        let locked_since = entity.and_then(|it| it.locked_since).filter(|_| locked_by.is_some());
        Some(AwaitedEntity { entity_id, position: task.position, locked_by, locked_since })
    }

    /// Returns the most likely reason why the instance is stuck: its oldest task other than
    /// a timer; otherwise an event that it waits for; otherwise the timer that is due first. Timers
    /// come last because a timer beside another task is usually a time limit.
    pub fn cause(&self) -> Option<PendingCause<'_>> {
        let is_timer = |task: &&PendingTask| task.kind == PendingKind::Timer;
        let task = self.tasks.iter().filter(|task| !is_timer(task)).min_by_key(|task| task.since);
        let event = || self.awaited_events.first().map(|name| PendingCause::Event(name));
        let timer = || self.tasks.iter().filter(is_timer).min_by_key(|task| task.due_at);
        task.map(PendingCause::Task).or_else(event).or_else(|| timer().map(PendingCause::Task))
    }

    /// Returns the other instances that hold the locks of entities that this instance calls or
    /// wants to lock, each with its entity.
    pub fn lock_holders(&self) -> Vec<(&Entity, &str)> {
        let held = self.awaited_entities.iter().filter_map(|entity| {
            let holder = entity.locked_by.as_ref()?.instance_id.as_str();
            Some((entity, holder))
        });
        held.filter(|(_, holder)| *holder != self.status.instance_id).collect()
    }

    /// Returns the events that were received but not read, each with an awaited name that is almost
    /// the same. One of the two names is most likely misspelled.
    pub fn misspelt_events(&self) -> Vec<(&str, &str)> {
        let almost = |received: &str, awaited: &str| {
            let most = (awaited.chars().count() / 3).min(3);
            (1..=most).contains(&distance(&received.to_lowercase(), awaited))
        };
        let with_awaited = |received: &'_ String| {
            let awaited = self.awaited_events.iter().find(|awaited| almost(received, awaited))?;
            Some(awaited.as_str())
        };
        let pairs = self.unread_events.iter();
        let mut pairs: Vec<_> =
            pairs.filter_map(|it| Some((it.as_str(), with_awaited(it)?))).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

/// The number of characters that must be inserted, removed or replaced to make one text the other
/// (Levenshtein). Texts that are longer than any sensible name count as entirely different.
fn distance(a: &str, b: &str) -> usize {
    const LENGTH_MAX: usize = 100;
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().max(b.len()) > LENGTH_MAX {
        return LENGTH_MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A call, timer or lock request that has no result yet. Its kind decides which fields it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PendingTask {
    /// The number of the request in the history.
    pub event_id: i64,
    /// The line of code that requested the task, as `file:line`.
    pub source: String,
    /// When the task was requested.
    pub since: DateTime<Utc>,
    /// When the timer fires, or when the time limit of the call ends.
    pub due_at: Option<DateTime<Utc>>,
    /// The kind of the task.
    pub kind: PendingKind,
    /// The name of the activity or sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The version of the sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The number of the attempt that runs or waits to run, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When the attempt begins, if it has not begun yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<DateTime<Utc>>,
    /// Why the previous attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// The instance id of the sub-orchestration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// The entity that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<String>,
    /// The operation that is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The entities to lock.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub entities: Vec<String>,
    /// The entity to be locked next, whose queue contains the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// The position of the call or lock request in the queue of the entity, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

/// The kind of a task that an instance waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PendingKind {
    /// A call of an activity.
    Activity,
    /// A call of a sub-orchestration.
    SubOrchestration,
    /// A timer.
    Timer,
    /// A call of an entity.
    EntityCall,
    /// A lock of entities.
    Lock,
    /// A kind that this client does not know, from a newer hub.
    #[serde(other)]
    Other,
}

impl fmt::Display for PendingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pending(more: &serde_json::Value) -> PendingWork {
        let time = "2026-01-02T03:04:05Z";
        let mut value = json!({
            "status": {
                "instanceId": "a", "executionId": "e", "name": "order", "runtimeStatus": "Running",
                "createdAt": time, "lastUpdatedAt": time, "historyLen": 4, "generation": 0,
                "tags": {},
            },
            "tasks": [], "awaitedEvents": [], "unreadEvents": [], "lockedEntities": [],
        });
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn names_that_are_almost_the_same_are_paired() {
        let names = json!({
            "awaitedEvents": ["approval", "go"],
            "unreadEvents": ["Aproval", "Approvals", "Refusal", "no", "Approval"],
        });
        let wanted = [("Approvals", "approval"), ("Aproval", "approval")];
        assert_eq!(pending(&names).misspelt_events(), wanted);
    }

    #[test]
    fn the_distance_of_two_texts_is_that_of_the_shortest_edit() {
        for (a, b, edits) in
            [("", "", 0), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (edits, edits), "{a} {b}");
        }
    }

    #[test]
    fn a_lock_request_has_a_place_in_the_queue_of_one_entity() {
        let time = "2026-01-02T03:04:05Z";
        let entity = |id: &str, holder: &str| {
            json!({
                "entityId": id, "createdAt": time, "lastModified": time, "backlog": 2,
                "lockedSince": time, "state": null, "lockedBy": {
                    "instanceId": holder, "executionId": "e", "name": "order",
                    "taskScheduledId": 1,
                },
            })
        };
        let lock = json!({
            "eventId": 1, "source": "a.rs:1", "since": time, "dueAt": null, "kind": "Lock",
            "entities": ["@shelf@a", "@shelf@b"], "waitsFor": "@shelf@b", "position": 2,
        });
        let entities = [entity("@shelf@a", "a"), entity("@shelf@b", "holder")];
        let pending = pending(&json!({ "tasks": [lock], "awaitedEntities": entities }));
        let awaited = pending.awaited_entity(&pending.tasks[0]).unwrap();
        assert_eq!((awaited.entity_id, awaited.locked_by), ("@shelf@b", Some("holder")));
        assert_eq!(awaited.locked_since, Some(time.parse().unwrap()));
        let in_line = |position| AwaitedEntity { position, ..awaited }.in_line();
        assert_eq!(in_line(None), None);
        let shown = [1, 2, 3, 4, 11, 12, 13, 21, 112].map(|position| in_line(Some(position)));
        let shown = shown.map(|it| it.unwrap().replace(" in line", "")).join(" ");
        assert_eq!(shown, "1st 2nd 3rd 4th 11th 12th 13th 21st 112th");
    }

    #[test]
    fn a_timer_is_the_cause_only_if_nothing_else_is_awaited() {
        let task = |kind: &str, id: i64| {
            json!({
                "eventId": id, "source": "a.rs:1", "since": "2026-01-02T03:04:05Z",
                "dueAt": "2026-01-02T03:05:05Z", "kind": kind,
            })
        };
        let of = |value| match pending(&value).cause() {
            Some(PendingCause::Task(task)) => task.kind.to_string(),
            Some(PendingCause::Event(name)) => name.to_owned(),
            None => "nothing".to_owned(),
        };
        let (timer, activity) = (task("Timer", 1), task("Activity", 2));
        assert_eq!(of(json!({ "tasks": [timer, activity] })), "Activity");
        assert_eq!(of(json!({ "tasks": [timer], "awaitedEvents": ["go"] })), "go");
        assert_eq!(of(json!({ "tasks": [timer] })), "Timer");
        assert_eq!(of(json!({})), "nothing");
    }
}
