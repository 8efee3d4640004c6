//! Instances that are stuck: the page of each names the cause, and so does the overview.

use std::time::Duration;

use durable::prelude::*;
use durable::testing::TestHub;
use durable_ui::UiOptions;
use serde::{Deserialize, Serialize};

use crate::common::{app, get};

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

async fn stuck() -> TestHub {
    let hub = TestHub::builder().open().await.unwrap();
    hub.start(pays().instance_id("retries")).await.unwrap();
    hub.start(asks().instance_id("misspelt")).await.unwrap();
    hub.instance("misspelt").unwrap().raise_event("Aproval", &true).await.unwrap();
    hub.start(locks().instance_id("holder")).await.unwrap();
    hub.settle().await;
    hub.start(locks().instance_id("waiter")).await.unwrap();
    hub.start(calls().instance_id("parent")).await.unwrap();
    hub.settle().await;
    hub
}

/// The words of a page, without markup.
fn words(html: &str) -> String {
    let parts = html.split('<').map(|part| part.split_once('>').map_or("", |it| it.1));
    parts.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn each_cause_is_in_the_panel_of_its_instance() {
    let hub = stuck().await;
    let app = app(&hub, UiOptions::new());
    for (id, cause) in [
        ("retries", "It waits for activity charge. Attempt 2 begins in 1 m 00 s, at"),
        ("retries", "connection to bank.example refused"),
        ("misspelt", "It waits for event approval, which has not arrived."),
        (
            "misspelt",
            "Event Aproval has arrived and is not read. It waits for approval: one of the",
        ),
        ("waiter", "It waits for the lock of shelf/tray."),
        (
            "waiter",
            "holder holds the lock of shelf/tray. It waits for event counted, which has not arrived.",
        ),
        ("parent", "It waits for child parcel."),
        ("parent", "Child parcel. It waits for a timer, which fires in 8 h 00 m, at"),
    ] {
        let page = words(&get(&app, &format!("/instances/{id}")).await.body);
        assert!(page.contains(cause), "{id}: {page}");
    }
    let page = words(&get(&app, "/instances/holder/entities").await.body);
    assert!(page.contains("shelf/tray0locks 1waits or holds"), "{page}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_overview_says_what_the_oldest_instances_wait_for() {
    let hub = stuck().await;
    let app = app(&hub, UiOptions::new());
    let page = words(&get(&app, "/").await.body);
    for cause in [
        "activity charge, attempt 2 in 1 m 00 s connection to bank.example refused",
        "event approval Aproval has arrived: misspelt?",
        "lock shelf/tray",
        "child parcel",
    ] {
        assert!(page.contains(cause), "{cause}: {page}");
    }
    hub.shutdown().await.unwrap();
}
