//! Callback links: what following one does, once, in time, and for the execution that made it.

use std::time::Duration;

use axum::Router;
use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::testing::TestHub;
use durable_http::{CallbackKeys, CallbackUrl, Callbacks, HttpOptions, Role};

use crate::common::{Answer, send};

/// The links that it is called with are what a real one would send.
#[activity(name = "send_links")]
async fn send_links(links: Vec<CallbackUrl>) -> Result<()> {
    drop(links);
    Ok(())
}

#[orchestrator(name = "approval")]
async fn approval(ctx: &OrchestrationContext, rounds: u32) -> Result<Vec<String>> {
    let three_days = Duration::from_hours(72);
    let link = ctx.callback_url("approval").expires_in(three_days).prompt("Approve <a sofa>?");
    let links = vec![link.clone().payload("yes")?, ctx.callback_url("approval").payload("no")?];
    send_links(links).await?;
    let mut answers = Vec::new();
    for _ in 0..rounds {
        answers.push(ctx.wait_for_external_event("approval").await?);
    }
    Ok(answers)
}

#[orchestrator(name = "forever")]
async fn forever(ctx: &OrchestrationContext) -> Result<()> {
    send_links(vec![ctx.callback_url("go").payload(&())?]).await?;
    let () = ctx.wait_for_external_event("go").await?;
    ctx.continue_as_new(forever()).await
}

fn keys() -> CallbackKeys {
    CallbackKeys::new("http://localhost/hub", [7; 32]).unwrap()
}

/// The links that were sent so far.
fn sent(hub: &TestHub) -> Vec<String> {
    let sent = hub.calls::<send_links>().into_iter().flatten();
    sent.map(|link| keys().link(&link)).collect()
}

fn app(hub: &TaskHub) -> Router {
    let options =
        HttpOptions::new().callbacks(keys()).key(Role::Admin, "k").allow_host("localhost");
    Router::new().nest("/hub", durable_http::router(hub, options))
}

/// Sends a request for a link, without a key.
async fn follow(app: &Router, method: &str, link: &str) -> Answer {
    let path = link.strip_prefix("http://localhost").unwrap();
    send(app, &format!("{method} {path}"), &[], "").await
}

#[track_caller]
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.body.contains(text), "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn a_link_asks_on_get_and_raises_its_event_on_post_once() {
    let hub = TestHub::open().await.unwrap();
    let app = app(&hub);
    let run = hub.start(approval(1)).await.unwrap();
    hub.settle().await;
    let links = sent(&hub);
    for _ in 0..3 {
        let asked = follow(&app, "GET", &links[0]).await;
        says(&asked, 200, "Approve &#60;a sofa&#62;?");
        says(&asked, 200, "<form method=\"post\">");
        says(&asked, 200, "valid once, until 2026-01-04 00:00 UTC");
    }
    assert_eq!(follow(&app, "HEAD", &links[0]).await.status, 200);
    let refused = follow(&app, "PUT", &links[0]).await;
    says(&refused, 405, "This did not work");
    assert_eq!(refused.header("allow"), "GET, POST, HEAD");
    assert_eq!(run.status().await.unwrap().runtime_status, RuntimeStatus::Running);
    says(&follow(&app, "POST", &links[0]).await, 200, "Thank you");
    assert_eq!(run.result().await.unwrap(), ["yes"]);
    says(&follow(&app, "POST", &links[0]).await, 410, "no longer needed");
    says(&follow(&app, "GET", &links[1]).await, 410, "no longer needed");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_link_that_is_followed_twice_raises_one_event_even_after_a_crash() {
    let hub = TestHub::open().await.unwrap();
    let run = hub.start(approval(2).instance_id("order-1")).await.unwrap();
    hub.settle().await;
    drop(run);
    let links = sent(&hub);
    let routes = app(&hub);
    let (first, second) =
        tokio::join!(follow(&routes, "POST", &links[0]), follow(&routes, "POST", &links[0]));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 410]);

    let hub = hub.crash().await.unwrap();
    let routes = app(&hub);
    says(&follow(&routes, "GET", &links[0]).await, 410, "already used");
    says(&follow(&routes, "POST", &links[0]).await, 410, "already used");
    says(&follow(&routes, "POST", &links[1]).await, 200, "Thank you");
    let run = hub.find_instance::<approval>("order-1").await.unwrap().unwrap();
    assert_eq!(run.result().await.unwrap(), ["yes", "no"]);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_link_expires_and_its_mark_is_purged_then() {
    let hub = TestHub::open().await.unwrap();
    let app = app(&hub);
    let _run = hub.start(approval(3)).await.unwrap();
    hub.settle().await;
    let links = sent(&hub);
    says(&follow(&app, "POST", &links[1]).await, 200, "Thank you");
    let marks = InstanceQuery::new().name("durable.Callback");
    assert_eq!(hub.count(&marks).await.unwrap(), 1);
    assert_eq!(hub.count(&InstanceQuery::new()).await.unwrap(), 1, "marks are not listed");

    hub.advance(Duration::from_hours(72) - Duration::from_secs(1)).await;
    says(&follow(&app, "GET", &links[0]).await, 200, "Approve");
    hub.advance(Duration::from_secs(1)).await;
    says(&follow(&app, "GET", &links[0]).await, 410, "has expired");
    says(&follow(&app, "POST", &links[0]).await, 410, "has expired");
    says(&follow(&app, "POST", &links[1]).await, 410, "already used");
    hub.advance(Duration::from_hours(96)).await;
    says(&follow(&app, "POST", &links[1]).await, 410, "has expired");
    assert_eq!(hub.count(&marks).await.unwrap(), 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_link_dies_with_its_execution() {
    let hub = TestHub::open().await.unwrap();
    let app = app(&hub);
    let run = hub.start(forever()).await.unwrap();
    hub.settle().await;
    run.raise_event("go", &()).await.unwrap();
    hub.settle().await;
    let links = sent(&hub);
    says(&follow(&app, "POST", &links[0]).await, 410, "no longer needed");
    says(&follow(&app, "POST", &links[1]).await, 200, "Thank you");
    hub.settle().await;
    run.terminate("enough").await.unwrap();
    let links = sent(&hub);
    says(&follow(&app, "POST", &links[2]).await, 410, "no longer needed");
    run.purge().await.unwrap();
    says(&follow(&app, "GET", &links[2]).await, 410, "no longer needed");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn only_signed_links_of_an_allowed_host_are_served_and_no_link_is_in_a_history() {
    let hub = TestHub::open().await.unwrap();
    let app = app(&hub);
    let run = hub.start(approval(1)).await.unwrap();
    hub.settle().await;
    let link = sent(&hub)[0].clone();
    let without_last = &link[..link.len() - 1];
    for invalid in [without_last, &format!("{link}/x"), "http://localhost/hub/callbacks/"] {
        says(&follow(&app, "POST", invalid).await, 404, "not valid");
    }
    let path = link.strip_prefix("http://localhost").unwrap();
    let foreign = send(&app, &format!("POST {path}"), &[("host", "evil.example")], "").await;
    says(&foreign, 403, "This did not work");
    let long = format!("http://localhost/hub/callbacks/{}", "A".repeat(9000));
    says(&follow(&app, "GET", &long).await, 414, "This did not work");
    // A form of the page itself has its origin, and no header of ours.
    let form =
        [("origin", "http://localhost"), ("content-type", "application/x-www-form-urlencoded")];
    says(&send(&app, &format!("POST {path}"), &form, "").await, 200, "Thank you");

    let history = format!("{:?}", run.history().await.unwrap());
    assert!(history.contains("approval") && !history.contains("/callbacks/"), "{history}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn without_keys_there_are_no_links() {
    let hub = TestHub::open().await.unwrap();
    let _run = hub.start(approval(1)).await.unwrap();
    hub.settle().await;
    let link = sent(&hub)[0].clone();
    let app = Router::new().nest("/hub", durable_http::router(&hub, HttpOptions::new()));
    assert_eq!(follow(&app, "GET", &link).await.status, 404);
    let rotated = CallbackKeys::new("http://localhost/hub", [9; 32]).unwrap().accept([7; 32]);
    let options = HttpOptions::new().callbacks(rotated.unwrap());
    let app = Router::new().nest("/hub", durable_http::router(&hub, options));
    says(&follow(&app, "POST", &link).await, 200, "Thank you");
    hub.shutdown().await.unwrap();
}
