//! Snapshots of screens from fixed models. After a deliberate change, `UPDATE_EXPECT=1 cargo test
//! -p durable-ui --lib` rewrites them.

mod of_hub;

use std::collections::BTreeMap;

use durable_http::client::{Histogram, PendingWork};
use expect_test::expect_file;
use maud::Markup;
use serde_json::{Value, json};

use super::{instances, overview};
use crate::api::model;
use crate::call::{Access, View};
use crate::links::Links;
use crate::query::Query;

/// A page of the hub `shop`, at a fixed time.
pub(crate) fn view() -> View {
    View {
        links: Links::new("/durable"),
        theme: None,
        name: "shop".to_owned(),
        version: "1.2.3".to_owned(),
        access: Access::Admin,
        now: "2026-11-28T14:32:08Z".parse().unwrap(),
        has_key: false,
        trace_url: None,
        source_root: None,
    }
}

/// A value of the API.
pub(crate) fn of_api<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

/// A tag on each line, so that changes can be read.
pub(crate) fn lines(markup: Markup) -> String {
    markup.into_string().replace("><", ">\n<") + "\n"
}

fn instance(id: &str, status: &str, more: &Value) -> model::Instance {
    let mut value = json!({
        "instanceId": id,
        "name": "checkout",
        "version": "3",
        "runtimeStatus": status,
        "createdAt": "2026-11-28T14:06:20Z",
        "lastUpdatedAt": "2026-11-28T14:29:03Z",
    });
    let more = more.as_object().unwrap().clone();
    value.as_object_mut().unwrap().extend(more);
    of_api(value)
}

fn pending(tasks: &Value) -> PendingWork {
    of_api(json!({
        "status": {
            "instanceId": "order-1", "executionId": "e", "name": "checkout", "version": "3",
            "runtimeStatus": "Running", "createdAt": "2026-11-28T14:06:20Z",
            "lastUpdatedAt": "2026-11-28T14:29:03Z", "tags": {}, "generation": 0, "historyLen": 4,
        },
        "tasks": tasks, "awaitedEvents": [], "unreadEvents": [], "lockedEntities": [],
    }))
}

fn histogram() -> Histogram {
    of_api(json!({
        "seconds": 60,
        "items": [
            {"at": "2026-11-28T14:30:00Z", "counts": {"Running": 12, "Failed": 3}},
            {"at": "2026-11-28T14:31:00Z", "counts": {}},
            {"at": "2026-11-28T14:32:00Z", "counts": {"Completed": 1}},
        ],
        "approximate": false,
    }))
}

#[test]
fn the_list_of_instances() {
    let failure = json!({"errorType": "AcquirerError", "message": "503 connect timeout after 8 s"});
    let suspension = json!({"code": "DURABLE0101", "reason": "the code does not fit the history"});
    let steps = json!({"done": 6, "of": 8, "message": "charging the card"});
    let items = vec![
        instance(
            "order-2026-11-28-004217",
            "Running",
            &json!({"customStatus": steps, "tags": {"region": "eu"}}),
        ),
        instance("order-<b>", "Failed", &json!({"failure": failure})),
        instance("order-3", "Suspended", &json!({"suspension": suspension})),
        instance(
            "order-4",
            "Completed",
            &json!({"customStatus": "shipped", "parent": {"instanceId": "order-3"}}),
        ),
    ];
    let query = Query::parse(Some("status=running,failed&name=checkout&tag=region:eu&from=-1h"));
    let filter = instances::Filter::read(&query, view().now).unwrap();
    let page = model::Items { items, next: Some("order-4".to_owned()) };
    let (waits, histogram) = (BTreeMap::new(), Some(histogram()));
    let model = instances::Model { query, filter, page, waits, histogram };
    let markup = instances::screen(&view(), &model);
    expect_file!["snapshots/instances.html"].assert_eq(&lines(markup));
}

#[test]
fn an_empty_list_of_instances() {
    let query = Query::parse(Some("name=checkout&status=failed"));
    let filter = instances::Filter::read(&query, view().now).unwrap();
    let page = model::Items { items: Vec::new(), next: None };
    let waits = BTreeMap::new();
    let model = instances::Model { query, filter, page, waits, histogram: None };
    let markup = instances::screen(&view(), &model);
    expect_file!["snapshots/instances_empty.html"].assert_eq(&lines(markup));
}

#[test]
fn the_overview() {
    let failure = json!({"errorType": "AcquirerError", "message": "503 connect timeout"});
    let mut model = overview::Model {
        range: 1,
        is_first: false,
        is_cut: false,
        counts: of_api(
            json!({"count": 1346, "groups": {"Running": 1284, "Failed": 61}, "approximate": false}),
        ),
        charts: Some([histogram(), histogram()]),
        oldest: vec![(
            instance("order-1", "Running", &json!({})),
            Some(pending(&json!([{
                "eventId": 4, "source": "src/checkout.rs:74", "since": "2026-11-28T14:31:00Z",
                "kind": "Activity", "name": "charge_card", "attempt": 7,
                "retryAt": "2026-11-28T14:32:13Z",
                "lastFailure": {"errorType": "AcquirerError", "message": "503 connect timeout", "nonRetriable": false},
            }]))),
        )],
        activities: of_api(json!([
            {"instanceId": "order-1", "executionId": "e", "name": "charge_card", "since": "2026-11-28T14:31:00Z", "attempt": 7, "eventId": 4},
            {"instanceId": "order-2", "executionId": "e", "name": "charge_card", "since": "2026-11-28T14:32:00Z", "attempt": 1, "eventId": 4},
        ])),
        suspended: vec![instance(
            "order-3",
            "Suspended",
            &json!({"suspension": {"code": null, "reason": "closed until Monday"}}),
        )],
        failed: vec![instance("order-4", "Failed", &json!({"failure": failure}))],
        schedules: of_api(json!([{
            "id": "daily",
            "status": "Active",
            "recurrence": {"cron": "5 0 * * *"},
            "orchestration": "daily_orders",
            "lastRunAt": null,
            "nextRunAt": "2026-11-29T00:05:00Z",
        }])),
        hub: of_api(json!({"version": "0.1.0", "partitions": 16, "diskBytes": 3_435_973_836_u64})),
    };
    let markup = overview::screen(&view(), &model);
    expect_file!["snapshots/overview.html"].assert_eq(&lines(markup));

    // What a search has not found so far may still exist.
    (model.is_first, model.is_cut, model.counts.approximate) = (true, true, true);
    (model.oldest, model.failed) = (Vec::new(), Vec::new());
    let markup = overview::screen(&view(), &model).0;
    assert!(markup.contains("<b>1,284+</b>") && markup.contains("<b>0+</b>"), "{markup}");
    assert!(!markup.contains("Nothing runs") && !markup.contains("Nothing has failed"), "{markup}");
    assert_eq!(markup.matches("None so far").count(), 2, "{markup}");
    assert!(markup.contains("<noscript>") && markup.contains("all=1"), "{markup}");
}
