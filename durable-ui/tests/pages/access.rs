//! Keys, roles, hosts, and the prefix.

use axum::Router;
use durable_http::client::Client;
use durable_http::{HttpOptions, Role};
use durable_ui::UiOptions;

use crate::common::{app, get, hub, send};

#[tokio::test]
async fn a_page_asks_for_a_key_and_keeps_it_in_a_cookie() {
    let hub = hub().await;
    let http = HttpOptions::new().key(Role::Read, "reads").key(Role::Admin, "all & more");
    let app = app(&hub, UiOptions::new().http(http));
    let answer = get(&app, "/instances").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("name=\"key\""));
    assert!(!answer.body.contains("running-1"));

    let form = "key=all+%26+more&to=/durable/instances";
    let answer = send(&app, "POST /durable/key", &[], form).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, "/durable/instances"));
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Strict") && cookie.contains("Path=/durable"));
    let cookie = cookie.split(';').next().unwrap();
    let answer = send(&app, "GET /durable/instances", &[("cookie", cookie)], "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("running-1") && answer.body.contains("data-do=\"batch\""));

    let reads = [("cookie", "durable_key=reads")];
    let answer = send(&app, "GET /durable/instances", &reads, "").await;
    assert!(answer.body.contains("running-1") && !answer.body.contains("data-do=\"batch\""));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_form_for_a_key_leads_to_no_other_site() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for to in ["https://evil.example/", "//evil.example", "/other", "/durable/\\evil", ""] {
        let form = format!("key=a&to={to}");
        let answer = send(&app, "POST /durable/key", &[], &form).await;
        assert_eq!(answer.header("location"), "/durable", "{to}");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_change_with_the_key_of_the_cookie_needs_the_header_of_the_script() {
    let hub = hub().await;
    let http = HttpOptions::new().key(Role::Operate, "operates");
    let app = app(&hub, UiOptions::new().http(http));
    let suspend = "POST /durable/api/v1/instances/running-1:suspend";
    let page = [("cookie", "durable_key=operates"), ("origin", "http://localhost")];
    let answer = send(&app, suspend, &page, "{}").await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    let script = [page[0], page[1], ("x-durable", "1")];
    let answer = send(&app, suspend, &script, "{}").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let other = [page[0], ("origin", "https://evil.example"), ("x-durable", "1")];
    assert_eq!(send(&app, suspend, &other, "{}").await.status, 403);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_read_only_dashboard_refuses_changes() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new().read_only(true));
    let suspend = "POST /durable/api/v1/instances/running-1:suspend";
    let answer = send(&app, suspend, &[("x-durable", "1")], "{}").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("Read only"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn pages_of_other_hosts_are_refused() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for path in ["/durable", "/durable/instances", "/durable/instances.export?format=csv"] {
        let answer = send(&app, &format!("GET {path}"), &[("host", "evil.example")], "").await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(!answer.body.contains("running-1"));
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn links_follow_the_prefix() {
    let hub = hub().await;
    let nested = app(&hub, UiOptions::new());
    let service =
        Router::new().nest_service("/durable", durable_ui::router(&hub, UiOptions::new()));
    for (app, path) in [(&nested, "/durable"), (&service, "/durable"), (&service, "/durable/")] {
        let answer = send(app, &format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains("href=\"/durable/instances\""), "{path}");
        assert!(answer.body.contains("href=\"/durable\""), "{path}");
    }
    let root = durable_ui::router(&hub, UiOptions::new());
    let answer = send(&root, "GET /instances", &[], "").await;
    assert!(answer.body.contains("href=\"/instances/running-1\""));
    assert!(answer.body.contains("href=\"/\""));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_remote_hub_is_shown_through_a_client() {
    let hub = hub().await;
    let http = HttpOptions::new().key(Role::Operate, "operates");
    let client = Client::in_process(durable_http::router(&hub, http));
    let anonymous = durable_ui::remote(client.clone(), UiOptions::new());
    assert_eq!(send(&anonymous, "GET /instances", &[], "").await.status, 401);
    let app = durable_ui::remote(client.with_key("operates").unwrap(), UiOptions::new());
    let answer = send(&app, "GET /instances", &[], "").await;
    assert!(answer.body.contains("running-1"), "{}", answer.body);
    let suspend = "POST /api/v1/instances/running-1:suspend";
    assert_eq!(send(&app, suspend, &[], "{}").await.status, 403);
    let script = [("origin", "http://localhost"), ("x-durable", "1")];
    assert_eq!(send(&app, suspend, &script, "{}").await.status, 200);
    let other = [("host", "evil.example")];
    assert_eq!(send(&app, "GET /instances", &other, "").await.status, 403);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_page_says_that_the_hub_does_not_answer() {
    let client = Client::connect("http://127.0.0.1:1").unwrap();
    let app = durable_ui::remote(client, UiOptions::new());
    let answer = send(&app, "GET /instances", &[], "").await;
    assert_eq!(answer.status, 502);
    assert!(answer.body.contains("the hub at http://127.0.0.1:1 does not answer"));
}
