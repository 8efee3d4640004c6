//! What a shell completes, asked in the way in which bash asks.

use std::process::Command;
use std::time::Duration;

use durable::EntityId;
use durable::prelude::*;
use durable::protocol::Json;
use durable::schedule::Schedule;
use durable_http::HttpOptions;
use durable_http::client::Client;
use serde::{Deserialize, Serialize};

#[orchestrator(name = "order")]
async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    let _approved: bool = ctx.wait_for_external_event("Approval").await?;
    Ok(cents)
}

#[derive(Default, Serialize, Deserialize)]
struct Stock(u32);

#[entity(name = "Stock")]
impl Stock {
    fn add(&mut self, items: u32) -> u32 {
        self.0 += items;
        self.0
    }

    fn amount(&self) -> u32 {
        self.0
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Shelf(u32);

#[entity(name = "shelf")]
impl Shelf {
    fn fill(&mut self, items: u32) {
        self.0 += items;
    }
}

/// What bash offers for the last word of a line, without the descriptions. `place` is a variable of the
/// environment that names the hub.
async fn offered(place: (&str, &str), line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command.args(["--".to_owned()].into_iter().chain(words.clone()));
    command.env("COMPLETE", "bash").env("_CLAP_IFS", "\n");
    command.env_remove("DURABLE_HUB").env(place.0, place.1);
    command.env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string());
    let asked = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(asked.status.success(), "{line}: {}", String::from_utf8_lossy(&asked.stderr));
    String::from_utf8(asked.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// Bash offers these words. A shell waits for 200 ms only, in which a busy machine may not answer, so it is
/// asked again.
async fn check(place: (&str, &str), line: &str, wanted: &[&str]) {
    let mut found = Vec::new();
    for _try in 0..50 {
        found = offered(place, line).await;
        found.retain(|it| !it.starts_with('-'));
        if found == wanted {
            return;
        }
    }
    assert_eq!(found, wanted, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_names_events_and_operations_of_the_hub_are_completed() {
    let hub = TaskHub::builder().in_memory().open().await.unwrap();
    hub.start(order(1).instance_id("order-1")).await.unwrap();
    hub.start(order(2).instance_id("order-2")).await.unwrap().suspend("a test").await.unwrap();
    hub.start(order(3).instance_id("refund-1")).await.unwrap();
    let daily = Schedule::every(Duration::from_hours(24)).of(order(5));
    hub.create_schedule("daily", daily).await.unwrap();
    let server = durable_http::serve(&hub, HttpOptions::new().listen("127.0.0.1:0")).await.unwrap();
    let place = server.url();
    let client = Client::connect(&place).unwrap();
    for (name, key, operation) in [
        ("stock", "mug", "add"),
        ("stock", "mouse", "add"),
        ("stock", "pen", "add"),
        ("shelf", "top", "fill"),
    ] {
        let id = EntityId::new(name, key).unwrap();
        client.call_entity(&id, operation, &Json::parse("1").unwrap()).await.unwrap();
    }
    for (line, wanted) in [
        ("durable get order", &["order-1", "order-2"][..]),
        ("durable resume ", &["order-2"]),
        ("durable start ", &["order"]),
        ("durable raise order-1 ", &["approval"]),
        ("durable entity get s", &["shelf/", "stock/"]),
        ("durable entity get st", &["stock/mouse", "stock/mug", "stock/pen"]),
        ("durable entity get stock/m", &["stock/mouse", "stock/mug"]),
        ("durable entity call stock/mug ", &["add", "amount"]),
        ("durable entity skip stock/", &[]),
        ("durable schedule pause d", &["daily"]),
        ("durable list --status s", &["suspended"]),
    ] {
        check(("DURABLE_HUB", &place), line, wanted).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("durable");
    std::fs::create_dir(&config).unwrap();
    let profile = format!("[profiles.here]\nhub = \"{place}\"\n");
    std::fs::write(config.join("config.toml"), profile).unwrap();
    let variable = ("XDG_CONFIG_HOME", folder.path().to_str().unwrap());
    check(variable, "durable --profile here get r", &["refund-1"]).await;
    check(variable, "durable --path /nonexistent get r", &[]).await;
    assert!(server.shutdown().await);
    hub.shutdown().await.unwrap();
}
