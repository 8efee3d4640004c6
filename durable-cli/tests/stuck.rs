//! Five instances that are stuck. The list and the page of each instance name the cause, in the dashboard
//! and on the command line.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use durable::prelude::*;
use durable::testing::TestHub;
use durable_cli::{Exit, Io, run_on};
use durable_http::HttpOptions;
use durable_http::client::Client;
use durable_ui::UiOptions;
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

#[derive(Default, Serialize, Deserialize)]
struct Shelf(u32);

#[entity(name = "shelf")]
impl Shelf {
    fn add(&mut self, items: u32) -> u32 {
        self.0 += items;
        self.0
    }
}

#[activity(name = "charge")]
async fn charge() -> Result<()> {
    Err(Error::msg("connection to bank.example refused"))
}

#[orchestrator(name = "pays")]
async fn pays(_ctx: &OrchestrationContext) -> Result<()> {
    let policy = RetryPolicy::new(9, Duration::from_mins(1));
    Ok(charge().retry(policy).await?)
}

#[orchestrator(name = "asks")]
async fn asks(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(ctx.wait_for_external_event("Approval").await?)
}

#[orchestrator(name = "locks")]
async fn locks(ctx: &OrchestrationContext) -> Result<()> {
    let _shelf = ctx.lock_entities(Shelf::at("tray")).await?;
    let _counted: u32 = ctx.wait_for_external_event("Counted").await?;
    Ok(())
}

#[orchestrator(name = "calls")]
async fn calls(_ctx: &OrchestrationContext) -> Result<()> {
    Ok(sleeps().instance_id("parcel").await?)
}

#[orchestrator(name = "sleeps")]
async fn sleeps(ctx: &OrchestrationContext) -> Result<()> {
    ctx.create_timer(Duration::from_hours(8)).await;
    Ok(())
}

/// The hubs that run the code as it was before the change.
static UNCHANGED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn is_changed(hub: u32) -> bool {
    !UNCHANGED.lock().unwrap().contains(&hub)
}

#[orchestrator(name = "ships")]
async fn ships(ctx: &OrchestrationContext, hub: u32) -> Result<()> {
    if is_changed(hub) {
        charge().await?;
    }
    ctx.create_timer(Duration::from_hours(1)).await;
    Ok(())
}

struct World {
    hub: TestHub,
    pages: Router,
    client: Client,
}

impl World {
    async fn new() -> Self {
        static HUBS: AtomicU32 = AtomicU32::new(0);
        let number = HUBS.fetch_add(1, Ordering::Relaxed);
        UNCHANGED.lock().unwrap().insert(number);
        let hub = TestHub::builder().open().await.unwrap();
        hub.start(pays().instance_id("retries")).await.unwrap();
        hub.start(asks().instance_id("misspelt")).await.unwrap();
        hub.instance("misspelt").unwrap().raise_event("Aproval", &true).await.unwrap();
        for id in ["holder", "next", "waiter"] {
            hub.start(locks().instance_id(id)).await.unwrap();
            hub.settle().await;
        }
        hub.start(calls().instance_id("parent")).await.unwrap();
        hub.start(ships(number).instance_id("changed")).await.unwrap();
        // Six attempts have failed.
        hub.advance(Duration::from_secs(330)).await;
        UNCHANGED.lock().unwrap().remove(&number);
        let hub = hub.reopen().await.unwrap();
        hub.settle().await;
        let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
        let pages = durable_ui::router(&hub, UiOptions::new());
        Self { hub, pages, client }
    }

    /// The words of a page, without markup.
    async fn page(&self, path: &str) -> String {
        let request = Request::get(path).header("host", "localhost").body(Body::empty()).unwrap();
        let answer = self.pages.clone().oneshot(request).await.unwrap();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        let html = String::from_utf8(body.to_vec()).unwrap();
        let parts = html.split('<').map(|part| part.split_once('>').map_or("", |it| it.1));
        parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    async fn run(&self, line: &str) -> String {
        let mut io = Io::captured().with_now(self.hub.now());
        let exit = run_on(self.client.clone(), line.split(' '), &mut io).await;
        assert_eq!(exit, Exit::Ok, "{line}: {}", io.errors());
        io.output()
    }
}

#[tokio::test]
async fn the_page_of_each_instance_names_its_cause() {
    let world = World::new().await;
    for (id, cause) in [
        ("retries", "It waits for activity charge. Attempt 7 begins in 30 s, at"),
        ("retries", "connection to bank.example refused"),
        ("misspelt", "It waits for event approval, which has not arrived."),
        ("misspelt", "when it arrivesdurable-cli/tests/stuck.rs:"),
        (
            "misspelt",
            "Event Aproval has arrived and is not read. It waits for approval: one of the",
        ),
        (
            "waiter",
            "It waits for the lock of shelf/tray, held by holder for 5 m 30 s, 2nd in line.",
        ),
        ("waiter", "2nd in line, shelf/tray is locked by holder since"),
        (
            "waiter",
            "holder holds the lock of shelf/tray. It waits for event counted, which has not arrived.",
        ),
        ("parent", "It waits for child parcel (sleeps)."),
        ("parent", "Child parcel. It waits for a timer, which fires in 7 h 54 m, at"),
        ("changed", "Suspended by the runtime: DURABLE0101."),
        ("changed", "activity `charge`"),
        ("changed", "It continues by itself when the program runs with code that fits its history"),
    ] {
        let page = world.page(&format!("/instances/{id}")).await;
        assert!(page.contains(cause), "{id}: {page}");
    }
    let page = world.page("/instances/waiter").await;
    assert!(page.contains("shelf/tray") && !page.contains("@shelf@tray"), "{page}");
    let page = world.page("/instances/holder/entities").await;
    assert!(page.contains("shelf/tray0locks 1waits or holds"), "{page}");
    world.hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_overview_and_the_list_name_the_causes() {
    let world = World::new().await;
    let page = world.page("/").await;
    for cause in [
        "activity charge, attempt 7 in 30 s connection to bank.example refused",
        "event approval Aproval has arrived: misspelt?",
        "lock shelf/tray, held by holder for 5 m 30 s, 1st in line",
        "event counted, it has locked shelf/tray",
        "child parcel (sleeps)",
        "DURABLE0101 event 3 recorded a timer due",
        "; this replay requests activity `charge` at durable-cli/tests/stuck.rs:",
    ] {
        assert!(page.contains(cause), "{cause}: {page}");
    }
    assert_eq!(page.matches("changedships").count(), 1, "{page}");
    let page = world.page("/instances?status=suspended").await;
    assert!(page.contains("DURABLE0101 event 3 recorded a timer due"), "{page}");
    let page = world.page("/instances?status=running&sort=created").await;
    assert!(page.contains("lock shelf/tray, held by holder for 5 m 30 s, 2nd in line"), "{page}");
    let page = world.page("/instances?status=running").await;
    assert!(!page.contains("2nd in line"), "{page}");
    let page = world.page("/locks").await;
    assert!(page.contains("shelf/trayHoldsholder"), "{page}");
    world.hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn one_command_names_the_cause_of_each_instance() {
    let world = World::new().await;
    let list = world.run("durable pending").await;
    for (id, cause) in [
        (
            "retries",
            "activity charge, attempt 7 in 30s; the last one failed: durable::Error: connection",
        ),
        ("misspelt", "event approval; `Aproval` was received: misspelt?"),
        ("waiter", "lock of shelf/tray, locked by holder for 5m30s, 2nd in line"),
        ("parent", "child parcel (sleeps)"),
        ("parcel", "timer in 7h54m"),
        ("holder", "event counted; it has locked shelf/tray"),
        ("changed", "suspended: DURABLE0101: event 3 recorded a timer due"),
        ("changed", "; this replay requests activity `charge` at durable-cli/tests/stuck.rs:"),
    ] {
        let line = list.lines().find(|line| line.starts_with(id)).unwrap();
        assert!(line.contains(cause), "{list}");
    }
    for (id, cause) in [
        ("retries", "connection to bank.example refused"),
        ("misspelt", "event approval  5m30s ago              durable-cli/tests/stuck.rs:"),
        ("misspelt", "deliver it again: durable raise misspelt approval"),
        ("waiter", "shelf/tray is locked by holder for 5m30s, 2nd in line\n"),
        ("waiter", "\n\nholder is Running\n"),
        ("waiter", "next: deliver `counted`: durable raise holder counted -i JSON\n"),
        ("parent", "\n\nparcel is Running\n"),
        ("changed", "requests activity `charge`"),
        ("changed", "next: run the program with code that fits"),
    ] {
        let text = world.run(&format!("durable pending {id}")).await;
        assert!(text.contains(cause), "{id}: {text}");
    }
    for (id, cause) in [
        ("retries", "waits for: activity charge, attempt 7"),
        ("waiter", "waits for: lock of shelf/tray, locked by holder for"),
        ("changed", "DURABLE0101"),
    ] {
        let text = world.run(&format!("durable get {id}")).await;
        assert!(text.contains(cause), "{id}: {text}");
    }
    world.hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn resuming_an_instance_whose_code_does_not_fit_fails_with_the_remedy() {
    let world = World::new().await;
    for ids in ["changed", "changed nobody"] {
        let mut io = Io::captured().with_now(world.hub.now());
        let line = format!("durable resume {ids}");
        let exit = run_on(world.client.clone(), line.split(' '), &mut io).await;
        assert_eq!((exit, &*io.output()), (Exit::InstanceFailed, ""));
        for text in [
            "error: the instance was not resumed, because its code is missing or does not fit its history",
            "; run the program with code that fits, and the instance continues by itself\n",
            "DURABLE0101: orchestration `ships` (instance `changed`) no longer does",
        ] {
            assert!(io.errors().contains(text), "{}", io.errors());
        }
    }
    world.hub.shutdown().await.unwrap();
}
