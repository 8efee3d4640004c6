//! Snapshots of the screens about locks, entities, schedules, batches, activities and the hub.

use durable::EntityId;
use expect_test::expect_file;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{lines, of_api as of, view};
use crate::api::model::{Instance, Items};
use crate::call::{Access, View};
use crate::query::Query;
use crate::screens::{activities, batches, entities, grid, hub, locks, schedules};

const ORDER: &str = "order-2026-11-28-004217";
const CREATED: &str = "2026-11-28T14:20:00Z";

fn page<T: DeserializeOwned>(items: Vec<Value>) -> Items<T> {
    Items { items: items.into_iter().map(of).collect(), next: None }
}

fn instance(id: &str, status: &str) -> Instance {
    of(json!({
        "instanceId": id, "name": "checkout", "version": "3", "runtimeStatus": status,
        "createdAt": CREATED, "lastUpdatedAt": "2026-11-28T14:21:30Z",
    }))
}

fn entity(name: &str, key: &str) -> EntityId {
    EntityId::new(name, key).unwrap()
}

fn part(instance: &str, since: &str) -> locks::Part {
    locks::Part {
        instance: instance.to_owned(),
        since: Some(since.parse().unwrap()),
        source: Some("src/checkout.rs:74".to_owned()),
    }
}

#[test]
fn locks_are_drawn_and_listed() {
    let lock = |key: &str, holder: &str, waiters: &[&str]| locks::Locked {
        entity: entity("account", key),
        holder: part(holder, "2026-11-28T14:20:25Z"),
        holder_waits: Some("activity charge_card, attempt 7".to_owned()),
        waiters: waiters.iter().map(|it| part(it, "2026-11-28T14:22:17Z")).collect(),
    };
    let many: Vec<_> = (0..7).map(|it| format!("payout-{it}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let locks = vec![
        lock("c-88213", ORDER, &["refund-10933", "<b>\"&"]),
        lock("shop-eur", ORDER, &[]),
        lock("shop-usd", "audit-1", &many),
    ];
    let model = locks::Model { query: Query::default(), locks, next: None };
    let markup = locks::screen(&view(), &model);
    expect_file!["snapshots/locks.html"].assert_eq(&lines(markup));

    let reader = View { access: Access::Read, ..view() };
    assert!(!locks::screen(&reader, &model).0.contains("data-send"));
}

fn account() -> Value {
    json!({
        "entityId": "@account@c-88213", "createdAt": "2026-03-02T09:11:00Z",
        "lastModified": CREATED, "state": { "owner": "<c-88213>", "balance": 48210 },
        "lockedBy": { "instanceId": ORDER },
    })
}

fn account_code() -> Value {
    json!({
        "name": "account", "file": "src/account.rs", "line": 12,
        "operations": [{ "name": "deposit" }, { "name": "withdraw" }],
    })
}

#[test]
fn entities_are_listed() {
    let model = entities::Model {
        query: Query::parse(Some("name=account")),
        names: vec!["account".to_owned(), "stock".to_owned()],
        page: page(vec![account()]),
    };
    let markup = entities::screen(&view(), &model);
    expect_file!["snapshots/entities.html"].assert_eq(&lines(markup));
}

#[test]
fn an_entity_is_shown_with_its_queue() {
    let model = entities::one::Model {
        entity: of(account()),
        queue: vec![
            of(json!({ "kind": "Lock", "operation": null, "from": { "instanceId": "refund-1" } })),
            of(json!({ "kind": "Signal", "operation": "deposit", "from": null })),
        ],
        signals: vec![of(json!({
            "operation": "withdraw", "input": { "cents": 5 }, "dueAt": "2026-11-28T15:00:00Z",
        }))],
        function: Some(of(account_code())),
    };
    let markup = entities::one::screen(&view(), &model);
    expect_file!["snapshots/entity.html"].assert_eq(&lines(markup));

    let reader = View { access: Access::Read, ..view() };
    assert!(!entities::one::screen(&reader, &model).0.contains("data-send"));
}

fn nightly(status: &str) -> Value {
    json!({
        "id": "nightly", "status": status, "recurrence": { "cron": "0 3 * * *" },
        "startAt": null, "endAt": "2027-01-01T00:00:00Z", "startImmediatelyIfLate": false,
        "instanceIdPrefix": null, "orchestration": "cleanup", "version": "2", "input": 7,
        "tags": { "team": "ops" }, "createdAt": CREATED, "lastRunAt": "2026-11-28T03:00:00Z",
        "nextRunAt": "2026-11-29T03:00:00Z", "runs": 148,
        "nextRuns": ["2026-11-29T03:00:00Z", "2026-11-30T03:00:00Z"],
    })
}

#[test]
fn schedules_are_listed_with_their_last_run() {
    let last = ("nightly".to_owned(), instance("nightly-20261128T030000Z", "Failed"));
    let model = schedules::Model {
        query: Query::default(),
        page: page(vec![nightly("Active")]),
        names: vec!["cleanup".to_owned()],
        last: [last].into(),
    };
    let markup = schedules::screen(&view(), &model);
    expect_file!["snapshots/schedules.html"].assert_eq(&lines(markup));
}

#[test]
fn a_schedule_is_shown_with_its_ticks() {
    let model = schedules::one::Model {
        schedule: of(nightly("Active")),
        last: Some(instance("nightly-20261128T030000Z", "Completed")),
    };
    let markup = schedules::one::screen(&view(), &model);
    expect_file!["snapshots/schedule.html"].assert_eq(&lines(markup));

    // A paused one is resumed, one that has ended is neither.
    let buttons = |status: &str, access: Access| {
        let model = schedules::one::Model { schedule: of(nightly(status)), last: None };
        let view = View { access, ..view() };
        let html = schedules::one::screen(&view, &model).0;
        let all = ["Pause", "Resume", "Run now", "Edit", "Delete"];
        all.into_iter().filter(|it| html.contains(&format!(">{it}</button>"))).collect::<Vec<_>>()
    };
    assert_eq!(buttons("Active", Access::Admin), ["Pause", "Run now", "Edit", "Delete"]);
    assert_eq!(buttons("Paused", Access::Operate), ["Resume", "Run now", "Edit"]);
    assert_eq!(buttons("Ended", Access::Operate), ["Run now"]);
    assert_eq!(buttons("Active", Access::Read), [""; 0]);
}

fn batch() -> Value {
    json!({
        "id": "batch-1", "runtimeStatus": "Running", "createdAt": CREATED,
        "lastUpdatedAt": CREATED,
        "progress": {
            "matched": 4812, "done": 1200, "skipped": 3, "failed": 1,
            "errors": [{ "instanceId": ORDER, "code": "finished", "detail": "it has <ended>" }],
            "instanceIds": [],
        },
        "query": { "name": "checkout", "status": ["Failed"], "prefix": null, "tags": {} },
        "action": { "rewind": { "reason": "the supplier is back" } },
        "dryRun": false, "perSecond": 100, "failure": null,
    })
}

#[test]
fn batches_are_listed_and_shown() {
    let model = batches::Model { query: Query::default(), page: page(vec![batch()]) };
    let markup = batches::screen(&view(), &model);
    expect_file!["snapshots/batches.html"].assert_eq(&lines(markup));

    let markup = batches::one::screen(&view(), &of(batch()));
    expect_file!["snapshots/batch.html"].assert_eq(&lines(markup));
}

fn charge_card() -> Value {
    json!({
        "name": "charge_card", "version": null, "file": "src/checkout.rs", "line": 40,
        "parameters": [{ "name": "cents", "typeName": "Vec<u32>" }],
    })
}

#[test]
fn the_hub_is_shown_with_its_functions() {
    let model = hub::Model {
        hub: of(json!({
            "taskHubName": "shop", "version": "1.2.3", "partitions": 8, "diskBytes": 18_637,
            "memoryBytes": 0, "figures": { "commits": 1284 }, "freePartitions": [7],
            "parkedPartitions": [{ "partition": 3, "reason": "a message cannot be decoded" }],
            "pinnedPartitions": [{ "partition": 1, "node": "worker-1:17" }],
            "frozenPartitions": [{ "partition": 2, "reason": "for a look" }],
            "nodes": [{
                "name": "web-1:4711", "isClient": true, "isThis": true, "partitions": [],
                "joinedAt": "2026-11-28T14:00:00Z", "seenAt": "2026-11-28T14:31:00Z",
            }, {
                "name": "worker-1:17", "isClient": false, "isThis": false,
                "partitions": [0, 1, 2, 4, 5, 6], "joinedAt": "2026-11-27T14:00:00Z",
                "seenAt": "2026-11-28T14:31:01Z",
            }],
        })),
        functions: of(json!({
            "orchestrators": [{
                "name": "checkout", "version": "3", "file": "src/checkout.rs", "line": 20,
                "parameters": [],
            }],
            "activities": [charge_card()],
            "entities": [account_code()],
        })),
    };
    let markup = hub::screen(&view(), &model);
    expect_file!["snapshots/hub.html"].assert_eq(&lines(markup));
}

#[test]
fn a_hub_of_one_process_says_so() {
    let model = hub::Model {
        hub: of(json!({
            "taskHubName": "shop", "version": "1.2.3", "partitions": 4,
            "nodes": [{
                "name": "process 17", "isClient": false, "isThis": true,
                "partitions": [0, 1, 2, 3], "joinedAt": "2026-11-28T14:31:00Z",
                "seenAt": "2026-11-28T14:31:00Z",
            }],
        })),
        functions: of(json!({ "orchestrators": [], "activities": [], "entities": [] })),
    };
    let markup = lines(hub::screen(&view(), &model));
    assert!(markup.contains("process 17"), "{markup}");
    assert!(markup.contains("this process") && markup.contains("0\u{2013}3"), "{markup}");
    // Since when is not known.
    assert!(!markup.contains("ago"), "{markup}");
}

#[test]
fn activities_are_grouped_by_name() {
    let running = |name: &str, since: &str| {
        of(json!({
            "instanceId": ORDER, "executionId": "e", "eventId": 5, "name": name, "attempt": 2,
            "since": since,
        }))
    };
    let model = activities::Model {
        functions: vec![of(charge_card())],
        running: vec![
            running("charge_card", "2026-11-28T14:30:00Z"),
            running("charge_card", "2026-11-28T14:31:00Z"),
            running("removed", "2026-11-28T14:32:00Z"),
        ],
        waiting: [("charge_card".to_owned(), 7)].into(),
        concurrency: 16,
        statistics: of(json!({
            "items": [{
                "name": "charge_card", "calls": 3, "attempts": 5, "failedAttempts": 2,
                "medianMicros": 840, "p95Micros": 12_400, "maxMicros": 7_300_000,
                "waitedP95Micros": 20, "lastFailure": {
                    "instanceId": ORDER, "at": "2026-11-28T14:31:00Z", "errorType": "",
                    "message": "the bank does not answer",
                },
            }, {
                "name": "ship", "calls": 1, "attempts": 0, "failedAttempts": 0,
                "medianMicros": null, "p95Micros": null, "maxMicros": null,
                "waitedP95Micros": null, "lastFailure": null,
            }],
            "instances": 100, "events": 60, "approximate": true,
        })),
    };
    let markup = activities::screen(&view(), &model);
    expect_file!["snapshots/activities.html"].assert_eq(&lines(markup));
}

#[test]
fn a_grid_has_a_row_for_each_task_and_a_column_for_each_run() {
    let lane = |kind: &str, name: &str, state: &str, until: Value| {
        of(json!({
            "id": "t5", "kind": kind, "name": name, "state": state, "since": CREATED,
            "until": until, "fold": null,
        }))
    };
    let end = json!("2026-11-28T14:20:06Z");
    let run = |id: &str, status: &str, lanes| grid::Run { instance: instance(id, status), lanes };
    let model = grid::Model {
        names: vec!["checkout".to_owned()],
        name: Some("checkout".to_owned()),
        runs: vec![
            run(
                ORDER,
                "Running",
                vec![
                    lane("instance", "checkout", "running", Value::Null),
                    lane("activity", "price_line", "completed", end.clone()),
                    lane("activity", "price_line", "failed", end.clone()),
                    lane("timer", "", "waiting", Value::Null),
                ],
            ),
            run("order-1", "Completed", vec![lane("activity", "price_line", "completed", end)]),
        ],
    };
    let markup = grid::screen(&view(), &model);
    expect_file!["snapshots/grid.html"].assert_eq(&lines(markup));
}
