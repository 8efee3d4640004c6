//! The list of instances, and its files.

use std::time::Duration;

use durable::client::NamedCall;
use durable::protocol::Json;
use durable_ui::UiOptions;

use crate::common::{HOSTILE, app, get, hub};

#[tokio::test]
async fn text_of_users_is_never_markup() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for path in ["/", "/instances", "/instances?prefix=%3C"] {
        let body = get(&app, path).await.body;
        assert!(!body.contains("<img") && !body.contains("<script>"), "{path}: {body}");
        assert!(!body.contains(HOSTILE));
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_list_shows_what_the_address_asks_for() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let shown = async |query: &str| {
        let body = get(&app, &format!("/instances{query}")).await.body;
        let ids = ["running-1", "suspended-1", "terminated-1", "failed-1", "completed-1"];
        let row = |id: &&str| body.contains(&format!("href=\"/durable/instances/{id}\""));
        ids.into_iter().filter(row).collect::<Vec<_>>()
    };
    assert_eq!(shown("").await.len(), 5);
    assert_eq!(shown("?status=failed,completed").await, ["failed-1", "completed-1"]);
    assert_eq!(shown("?status=failed&status=suspended").await, ["suspended-1", "failed-1"]);
    assert_eq!(shown("?name=hello").await, ["completed-1"]);
    assert_eq!(shown("?prefix=te").await, ["terminated-1"]);
    assert_eq!(shown("?tag=note:other").await, [""; 0]);
    assert_eq!(shown("?to=2026-11-28T13:00:00Z").await, [""; 0]);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_list_and_its_files_are_in_the_order_that_the_address_asks_for() {
    let hub = hub().await;
    hub.advance(Duration::from_hours(1)).await;
    let text = Json::parse("\"last\"").unwrap();
    hub.start_named(NamedCall::new("hello").input_json(text).instance_id("last")).await.unwrap();
    hub.settle().await;
    let app = app(&hub, UiOptions::new());
    let files = async |query: &str| {
        let csv = get(&app, &format!("/instances.export?format=csv{query}")).await.body;
        let ids: Vec<_> = csv.lines().skip(1).map(|line| line.split(',').next()).collect();
        ids.into_iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    let newest = files("").await;
    assert_eq!((newest.len(), &*newest[0]), (7, "last"));
    let oldest = files("&sort=created").await;
    assert!(oldest.iter().rev().eq(&newest), "{oldest:?}");
    let body = get(&app, "/instances?sort=created&limit=1").await.body;
    let last = "href=\"/durable/instances/last\"";
    assert!(!body.contains(last));
    assert!(body.contains("aria-sort=\"ascending\"") && body.contains("sort=-created"));
    assert!(get(&app, "/instances?limit=1").await.body.contains(last));
    assert_eq!(get(&app, "/instances?sort=name").await.status, 400);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn instances_are_found_by_the_text_of_their_failure() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let rows = async |text: &str| {
        let page = get(&app, &format!("/instances?failedWith={text}")).await;
        assert_eq!(page.status, 200);
        page.body.matches("name=\"pick\"").count()
    };
    assert_eq!(rows("alert(1)").await, 1);
    assert_eq!(rows("another").await, 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn pages_are_linked() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let (mut path, mut seen) = ("/instances?limit=2".to_owned(), Vec::new());
    loop {
        let body = get(&app, &path).await.body;
        let rows = body.matches("name=\"pick\"").count();
        seen.push(rows);
        let Some(at) = body.find("rel=\"next\"") else { break };
        let href = body[at..].split('"').nth(3).unwrap().replace("&amp;", "&");
        path = href.strip_prefix("/durable").unwrap().to_owned();
    }
    assert_eq!(seen.iter().sum::<usize>(), 6);
    assert!(seen.len() >= 3, "{seen:?}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_fragment_has_neither_frame_nor_histogram() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let body = get(&app, "/instances?fragment=live").await.body;
    assert!(
        body.contains("id=\"list\"") && !body.contains("<html") && !body.contains("class=\"ch\"")
    );
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_list_is_exported_as_csv_and_json_lines() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let csv = get(&app, "/instances.export?format=csv&status=failed").await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"instances.csv\"");
    let lines: Vec<_> = csv.body.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[1].starts_with("failed-1,failing,,Failed,2026-11-28T14:00:"), "{}", lines[1]);
    let jsonl = get(&app, "/instances.export?format=jsonl").await;
    assert_eq!(jsonl.body.lines().count(), 6);
    let first: serde_json::Value =
        serde_json::from_str(jsonl.body.lines().next().unwrap()).unwrap();
    assert!(first["instanceId"].is_string());
    assert_eq!(get(&app, "/instances.export?format=xml").await.status, 400);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_overview_reads_few_instances_at_first_and_all_in_its_fragment() {
    let hub = hub().await;
    hub.advance(Duration::from_secs(1)).await;
    let text = Json::parse("\"x\"").unwrap();
    for number in 0..2_001 {
        let call = NamedCall::new("hello").input_json(text.clone());
        hub.start_named(call.instance_id(format!("more-{number:04}"))).await.unwrap();
    }
    hub.settle().await;
    let app = app(&hub, UiOptions::new());
    let body = get(&app, "/").await.body;
    assert!(body.contains("data-partial") && body.contains("Read all"), "{body}");
    assert!(!body.contains("suspended-1") && !body.contains("failed-1"), "{body}");
    assert!(!body.contains("Nothing has failed"), "{body}");
    for path in ["?fragment=live", "?all=1"] {
        let body = get(&app, path).await.body;
        assert!(body.contains("suspended-1") && body.contains("failed-1"), "{body}");
        assert!(body.contains("<b>2,002</b>"), "{body}");
        assert!(!body.contains("data-partial") && !body.contains("<noscript>"), "{body}");
    }
    hub.shutdown().await.unwrap();
}
