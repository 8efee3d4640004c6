//! Reads locks, their holders, and the instances that wait for them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use durable::EntityId;
use serde::Deserialize;

use super::{Locked, Model, Part};
use crate::api::{Failure, model::Items};
use crate::call::Call;
use crate::links::entity_path;
use crate::query::{Query, encode};

/// The number of locks on a page.
const LOCKS: usize = 50;
/// The maximum number of pages of entities that are read to find locks.
const PAGES: usize = 20;
/// The maximum number of waiters of a lock that are shown.
const WAITERS: usize = 20;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entity {
    #[serde(rename = "entityId")]
    id: EntityId,
    locked_by: Option<Request>,
    #[serde(default)]
    locked_since: Option<DateTime<Utc>>,
}

/// A lock request of an instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    instance_id: String,
    task_scheduled_id: i32,
}

#[derive(Debug, Deserialize)]
struct Queued {
    kind: String,
    from: Option<Request>,
}

/// What an instance waits for.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pending {
    tasks: Vec<Task>,
    awaited_events: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task {
    event_id: i32,
    #[serde(default)]
    source: String,
    since: DateTime<Utc>,
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    instance_id: Option<String>,
    #[serde(default)]
    entity_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Timeline {
    lanes: Vec<Lane>,
}

#[derive(Debug, Deserialize)]
struct Lane {
    id: String,
    source: Option<String>,
    bars: Vec<Bar>,
}

#[derive(Debug, Deserialize)]
struct Bar {
    from: DateTime<Utc>,
    phase: String,
}

pub(super) async fn model(call: &Call) -> Result<Model, Failure> {
    let (entities, next) = entities(call).await?;
    let mut holders = BTreeMap::new();
    let mut locks = Vec::new();
    for entity in entities {
        let Some(by) = entity.locked_by else { continue };
        if !holders.contains_key(&by.instance_id) {
            holders.insert(by.instance_id.clone(), holder(call, &by).await);
        }
        let (mut holder, holder_waits) = holders[&by.instance_id].clone();
        holder.since = entity.locked_since.or(holder.since);
        let mut waiters = Vec::new();
        // Its stored backlog is as of its last operation, so it does not show which instances wait
        // now.
        for request in queue(call, &entity.id).await? {
            waiters.push(waiter(call, &request).await);
        }
        locks.push(Locked { entity: entity.id, holder, holder_waits, waiters });
    }
    let longest = |it: &Locked| (it.holder.since, it.holder.instance.clone());
    locks.sort_by_cached_key(|it| (longest(it), it.entity.to_string()));
    Ok(Model { query: call.query.without("fragment"), locks, next })
}

/// Reads locked entities. A page of the API may be empty although more pages follow.
async fn entities(call: &Call) -> Result<(Vec<Entity>, Option<String>), Failure> {
    let mut query = Query::default().with("limit", LOCKS);
    for name in ["name", "prefix", "after"] {
        if let Some(value) = call.query.get(name) {
            query = query.with(name, value);
        }
    }
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page: Items<Entity> = call.api.get("locks", &query).await?;
        found.extend(page.items);
        match page.next {
            Some(next) if found.is_empty() => query = query.with("after", next),
            next => return Ok((found, next)),
        }
    }
    let next = query.get("after").map(str::to_owned);
    Ok((found, next))
}

async fn queue(call: &Call, entity: &EntityId) -> Result<Vec<Request>, Failure> {
    let path = format!("{}/queue", entity_path(entity));
    let queue: Items<Queued> = call.api.get(&path, &Query::default()).await?;
    let locks = queue.items.into_iter().filter(|it| it.kind == "Lock");
    Ok(locks.filter_map(|it| it.from).take(WAITERS).collect())
}

/// What an instance waits for, unless it has ended in the meantime.
async fn pending(call: &Call, instance: &str) -> Option<Pending> {
    let path = format!("instances/{}/pending", encode(instance));
    call.api.get(&path, &Query::default()).await.ok()
}

/// The holder, and what it waits for.
async fn holder(call: &Call, by: &Request) -> (Part, Option<String>) {
    let path = format!("instances/{}/timeline", encode(&by.instance_id));
    let timeline: Option<Timeline> = call.api.get(&path, &Query::default()).await.ok();
    let id = format!("t{}", by.task_scheduled_id);
    let lane = timeline.and_then(|it| it.lanes.into_iter().find(|lane| lane.id == id));
    let held = lane.as_ref().and_then(|it| it.bars.iter().find(|bar| bar.phase == "held"));
    let part = Part {
        instance: by.instance_id.clone(),
        since: held.map(|bar| bar.from),
        source: lane.as_ref().and_then(|it| it.source.clone()),
    };
    let waits = pending(call, &by.instance_id).await.and_then(|it| in_words(&it));
    (part, waits)
}

fn in_words(pending: &Pending) -> Option<String> {
    let Some(task) = pending.tasks.first() else {
        return pending.awaited_events.first().map(|event| format!("event {event}"));
    };
    Some(match (task.kind.as_str(), &task.entity_id, &task.instance_id) {
        ("Activity", ..) => match task.attempt {
            Some(attempt) if attempt > 1 => format!("activity {}, attempt {attempt}", task.name),
            _ => format!("activity {}", task.name),
        },
        ("SubOrchestration", _, Some(child)) => format!("child {child}"),
        ("EntityCall", Some(entity), _) => format!("entity {entity}"),
        ("Timer", ..) => "a timer".to_owned(),
        // The lock that it holds in part: it waits for the next one.
        ("Lock", ..) => "another lock".to_owned(),
        _ => task.name.clone(),
    })
}

async fn waiter(call: &Call, request: &Request) -> Part {
    let pending = pending(call, &request.instance_id).await;
    let tasks = pending.map(|it| it.tasks).unwrap_or_default();
    let task = tasks.into_iter().find(|it| it.event_id == request.task_scheduled_id);
    Part {
        instance: request.instance_id.clone(),
        since: task.as_ref().map(|it| it.since),
        source: task.map(|it| it.source).filter(|it| !it.is_empty()),
    }
}
