//! The async HTTP pattern in an app's own routes, and where links point.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use durable::TaskHub;
use durable_http::{HttpOptions, Links, accepted, wait_or_accepted};

use crate::common::{failing, hello, hub, order, send};

async fn start_order(State(hub): State<TaskHub>, request: Request) -> Response {
    let run = hub.start(order(500).instance_id("order-1")).await.unwrap();
    accepted(&run, &Links::new(&HttpOptions::new(), &request.into_parts().0, "/hub"))
}

async fn greet(State(hub): State<TaskHub>, request: Request) -> Response {
    let links = Links::new(&HttpOptions::new(), &request.into_parts().0, "/hub");
    let run = hub.start(hello("Tokyo".into())).await.unwrap();
    wait_or_accepted(&hub, &run, Duration::from_secs(5), &links).await
}

async fn fail(State(hub): State<TaskHub>, request: Request) -> Response {
    let links = Links::new(&HttpOptions::new(), &request.into_parts().0, "/hub").with_key("k");
    let run = hub.start(failing("no stock".into())).await.unwrap();
    wait_or_accepted(&hub, &run, Duration::from_secs(5), &links).await
}

async fn wait_for_order(State(hub): State<TaskHub>, request: Request) -> Response {
    let links = Links::new(&HttpOptions::new(), &request.into_parts().0, "/hub").with_key("k");
    let run = hub.start(order(500).instance_id("order-2")).await.unwrap();
    wait_or_accepted(&hub, &run, Duration::from_secs(5), &links).await
}

#[tokio::test]
async fn an_own_route_answers_with_links_that_work_or_with_the_output() {
    let hub = hub().await;
    let app = Router::new()
        .route("/orders", post(start_order))
        .route("/greetings", post(greet))
        .route("/failures", post(fail))
        .route("/waits", post(wait_for_order))
        .with_state(TaskHub::clone(&hub))
        .nest("/hub", durable_http::router(&hub, HttpOptions::new()));
    let started = send(&app, "POST /orders", &[], "").await;
    assert_eq!((started.status.as_u16(), started.header("retry-after")), (202, "10"));
    let location = started.header("location").to_owned();
    let path = location.strip_prefix("http://localhost").unwrap();
    assert!(path.starts_with("/hub/runtime/webhooks/durabletask/instances/order-1?"), "{path}");
    let status = send(&app, &format!("GET {path}"), &[], "").await;
    assert_eq!(status.json()["runtimeStatus"], "Running");
    assert_eq!(status.header("location"), location, "the request's own address");

    let greeted = send(&app, "POST /greetings", &[], "").await;
    assert_eq!((greeted.status.as_u16(), &*greeted.body), (200, "\"Hello Tokyo!\""));
    let failed = send(&app, "POST /failures", &[], "").await;
    assert_eq!(
        (failed.status.as_u16(), failed.json()["runtimeStatus"].as_str()),
        (200, Some("Failed"))
    );
    let waits = send(&app, "POST /waits", &[], "").await;
    assert_eq!(waits.status, 202);
    assert!(waits.header("location").ends_with("&code=k"), "{waits:?}");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn links_follow_the_proxy_only_if_it_is_trusted() {
    let hub = hub().await;
    let headers = [("x-forwarded-proto", "https"), ("x-forwarded-host", "shop.example, inner")];
    let start = "POST /durabletask/orchestrators/hello";
    let origin = async |options: HttpOptions, headers: &[(&str, &str)]| {
        let answer = send(&durable_http::router(&hub, options), start, headers, "\"x\"").await;
        answer.header("location").split("/durabletask").next().unwrap().to_owned()
    };
    let options = HttpOptions::new;
    assert_eq!(origin(options(), &headers).await, "http://localhost");
    let trusting = options().use_forwarded_host(true);
    assert_eq!(origin(trusting.clone(), &headers).await, "https://shop.example");
    assert_eq!(origin(trusting, &headers[..1]).await, "http://localhost", "both are needed");
    let public = options().public_url("https://api.example/");
    assert_eq!(origin(public, &headers).await, "https://api.example");
    hub.shutdown().await.unwrap();
}
