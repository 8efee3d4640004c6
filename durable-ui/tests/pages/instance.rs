//! The page of an instance, and the comparison of two.

use durable::prelude::*;
use durable::testing::TestHub;
use durable_ui::UiOptions;

use crate::common::{HOSTILE, app, get, hub};

#[tokio::test]
async fn the_page_of_an_instance_says_why_it_is_where_it_is() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for (id, why) in [
        ("running-1", "It waits for event"),
        ("suspended-1", "A client suspended it."),
        ("terminated-1", "It was terminated."),
        ("failed-1", "Why it failed"),
    ] {
        let page = get(&app, &format!("/instances/{id}")).await;
        assert_eq!(page.status, 200, "{id}: {}", page.body);
        assert!(page.body.contains(why), "{id}: {}", page.body);
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_under_another_name_than_the_awaited_one_is_told() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    hub.instance("running-1").unwrap().raise_event("Aproval", &true).await.unwrap();
    hub.settle().await;
    let page = get(&app, "/instances/running-1").await;
    assert!(page.body.contains("is probably misspelt"), "{}", page.body);
    assert!(page.body.contains("value=\"approval\""), "the form knows the awaited name");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_tab_shows_its_part_of_the_instance() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for (tab, part) in [
        ("", "aria-label=\"Tasks and events\""),
        ("history", "Tasks and events"),
        ("history?rows=full", "ExecutionStarted"),
        ("history?rows=full&q=nothing", "No event matches."),
        ("history?e=1", "id=\"e1\""),
        ("pending", "approval"),
        ("source", "waits here"),
        ("sequence", "The instance has called nothing"),
        ("children", "No children."),
        ("entities", "No entities."),
        ("io", "No output."),
    ] {
        let page = get(&app, &format!("/instances/running-1/{tab}")).await;
        assert_eq!(page.status, 200, "{tab}: {}", page.body);
        assert!(page.body.contains(part) || tab == "sequence", "{tab}: {}", page.body);
        assert!(!page.body.contains(HOSTILE), "{tab}");
    }
    assert_eq!(get(&app, "/instances/running-1/other").await.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_lines_at_which_an_instance_waits_are_shown_if_the_source_is_there() {
    let hub = hub().await;
    let page = get(&app(&hub, UiOptions::new()), "/instances/running-1/source").await;
    assert!(!page.body.contains("vscode:"), "{}", page.body);
    // Tests are compiled in the root of the workspace.
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let app = app(&hub, UiOptions::new().source_root(root));
    let page = get(&app, "/instances/running-1/source").await;
    assert!(page.body.contains("href=\"vscode://file/"), "{}", page.body);
    assert!(page.body.contains("wait_for_external_event"), "{}", page.body);
    hub.shutdown().await.unwrap();
}

/// Its history has more events than a timeline shows.
#[orchestrator(name = "talkative")]
async fn talkative(ctx: &OrchestrationContext) -> Result<()> {
    for _ in 0..50_000 {
        ctx.send_event("nobody", "Hello", &1)?;
    }
    Ok(ctx.wait_for_external_event("Stop").await?)
}

#[tokio::test]
async fn the_page_of_an_instance_with_a_long_history_shows_its_newest_events() {
    let hub = TestHub::open().await.unwrap();
    hub.start(talkative().instance_id("long")).await.unwrap();
    hub.settle().await;
    let app = app(&hub, UiOptions::new());
    for tab in ["", "history", "source"] {
        let page = get(&app, &format!("/instances/long/{tab}")).await;
        assert_eq!(page.status, 200, "{tab}: {}", page.body);
        assert!(page.body.contains("The history has 50,00"), "{tab}: {}", page.body);
        assert!(page.body.contains("id=\"e50001\""), "{tab}: {}", page.body);
        assert!(!page.body.contains("id=\"e1\""), "{tab}: {}", page.body);
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn actions_fit_the_status_and_are_left_out_if_the_dashboard_only_shows() {
    let hub = hub().await;
    let acts = app(&hub, UiOptions::new());
    let has = |body: &str, action: &str| body.contains(&format!("data-open=\"do-{action}\""));
    let running = get(&acts, "/instances/running-1").await.body;
    assert!(has(&running, "suspend") && has(&running, "raise") && has(&running, "terminate"));
    assert!(!has(&running, "purge") && !has(&running, "rewind") && !has(&running, "resume"));
    let failed = get(&acts, "/instances/failed-1").await.body;
    assert!(has(&failed, "rewind") && has(&failed, "purge") && !has(&failed, "suspend"));
    assert!(has(&get(&acts, "/instances/suspended-1").await.body, "resume"));
    let shows = app(&hub, UiOptions::new().read_only(true));
    let page = get(&shows, "/instances/running-1").await.body;
    assert!(!page.contains("data-open=\"do-") && !page.contains("data-send"), "{page}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn two_runs_are_compared() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let page = get(&app, "/compare?a=running-1&b=completed-1").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("The inputs are the same"), "{}", page.body);
    assert!(get(&app, "/compare").await.body.contains("name=\"b\""));
    assert_eq!(get(&app, "/compare?a=nobody&b=running-1").await.status, 404);
    hub.shutdown().await.unwrap();
}
