//! Keys, roles, hosts and origins.

use durable_http::{HttpOptions, Role};

use crate::common::{hub, routes, send};

const DF: &str = "/runtime/webhooks/durabletask";

#[tokio::test]
async fn without_keys_only_loopback_hosts_are_served() {
    let hub = hub().await;
    let router = routes(&hub);
    for host in ["localhost", "127.0.0.1:7071", "[::1]:7071", "hub.localhost"] {
        let answer = send(&router, "GET /api/v1/hub", &[("host", host)], "").await;
        assert_eq!(answer.status, 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "10.0.0.1", "127.0.0.1.evil.example:80"]
    {
        let answer = send(&router, "GET /api/v1/hub", &[("host", host)], "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["code"].as_str()),
            (403, Some("host-not-allowed")),
            "{host}"
        );
    }
    let options = HttpOptions::new().allow_host("shop.example");
    let router = durable_http::router(&hub, options);
    for (host, status) in [("shop.example:8080", 200), ("localhost", 200), ("evil.example", 403)] {
        let answer = send(&router, "GET /api/v1/hub", &[("host", host)], "").await;
        assert_eq!(answer.status, status, "{host}");
    }
    let router = durable_http::router(&hub, HttpOptions::new().allow_any_host());
    let answer = send(&router, "GET /api/v1/hub", &[("host", "shop.example")], "").await;
    assert_eq!(answer.status, 200);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_key_is_taken_from_header_query_and_bearer_token_and_has_a_role() {
    let hub = hub().await;
    let options = HttpOptions::new()
        .key(Role::Read, "reads")
        .key(Role::Operate, "operates")
        .key(Role::Admin, "all & more");
    let router = durable_http::router(&hub, options);
    let get = format!("GET {DF}/instances/nobody");
    let ask = async |line: &str, headers: &[(&str, &str)]| {
        send(&router, line, headers, "").await.status.as_u16()
    };
    assert_eq!(ask(&get, &[("host", "shop.example")]).await, 401);
    assert_eq!(ask(&get, &[("x-functions-key", "wrong")]).await, 401);
    assert_eq!(ask(&get, &[("x-functions-key", "reads")]).await, 404);
    assert_eq!(ask(&get, &[("authorization", "Bearer reads")]).await, 404);
    assert_eq!(ask(&get, &[("authorization", "Basic reads")]).await, 401);
    // `any:reads`
    assert_eq!(ask(&get, &[("authorization", "Basic YW55OnJlYWRz")]).await, 404);
    assert_eq!(ask(&format!("{get}?code=reads"), &[]).await, 404);
    assert_eq!(ask(&format!("{get}?CODE=all%20%26+more"), &[]).await, 404);

    let terminate = format!("POST {DF}/instances/nobody/terminate");
    assert_eq!(ask(&terminate, &[("x-functions-key", "reads")]).await, 403);
    assert_eq!(ask(&terminate, &[("x-functions-key", "operates")]).await, 404);
    let purge = format!("DELETE {DF}/instances/nobody");
    assert_eq!(ask(&purge, &[("x-functions-key", "operates")]).await, 403);
    assert_eq!(ask(&purge, &[("x-functions-key", "all & more")]).await, 404);
    // Without a key, a client must not find out which routes exist.
    assert_eq!(ask("GET /api/v1/nothing", &[]).await, 401);

    let refused = send(&router, "GET /api/v1/hub?code=wrong", &[], "").await;
    assert_eq!(refused.header("www-authenticate"), "Bearer");
    assert!(!refused.body.contains("wrong"), "{}", refused.body);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn links_repeat_the_key_of_the_request() {
    let hub = hub().await;
    let router = durable_http::router(&hub, HttpOptions::new().key(Role::Admin, "a b"));
    let start = format!("POST {DF}/orchestrators/hello/a?code=a+b");
    let answer = send(&router, &start, &[], "\"Tokyo\"").await;
    let status = answer.json()["statusQueryGetUri"].as_str().unwrap().to_owned();
    assert!(
        status.ends_with("/instances/a?taskHub=durable&connection=Storage&code=a%20b"),
        "{status}"
    );
    assert_eq!(answer.header("location"), status);
    let client = send(&router, &format!("GET {DF}/client?code=a+b"), &[], "").await.json();
    assert_eq!(
        client["requiredQueryStringParameters"],
        "taskHub=durable&connection=Storage&code=a%20b"
    );
    assert_eq!(
        client["creationUrls"]["createNewInstancePostUri"],
        format!("http://localhost{DF}/orchestrators/{{functionName}}[/{{instanceId}}]?code=a%20b")
    );
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_web_page_changes_something_only_from_the_same_host_and_with_the_header() {
    let hub = hub().await;
    let options = HttpOptions::new().allow_origin("https://shop.example");
    let router = durable_http::router(&hub, options);
    let terminate = "POST /api/v1/instances/nobody:terminate";
    let ask = async |line: &str, headers: &[(&str, &str)]| {
        send(&router, line, headers, "").await.status.as_u16()
    };
    let header = ("x-durable", "1");
    assert_eq!(ask(terminate, &[]).await, 404, "no web page");
    assert_eq!(ask(terminate, &[("origin", "http://localhost")]).await, 403);
    assert_eq!(ask(terminate, &[("origin", "http://localhost"), header]).await, 404);
    assert_eq!(ask(terminate, &[("origin", "https://shop.example"), header]).await, 404);
    assert_eq!(ask(terminate, &[("origin", "https://evil.example"), header]).await, 403);
    assert_eq!(ask(terminate, &[("origin", "null"), header]).await, 403);
    assert_eq!(ask("GET /api/v1/hub", &[("origin", "https://evil.example")]).await, 200);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_client_can_ask_for_its_role_and_the_time_of_the_hub() {
    let hub = hub().await;
    let options = HttpOptions::new().key(Role::Read, "reads").key(Role::Operate, "operates");
    let router = durable_http::router(&hub, options.task_hub_name("shop"));
    for (key, role) in [("reads", "read"), ("operates", "operate")] {
        let answer = send(&router, "GET /api/v1/access", &[("x-functions-key", key)], "").await;
        let body = answer.json();
        assert_eq!((&body["role"], &body["taskHubName"]), (&role.into(), &"shop".into()));
        assert_eq!(body["now"], "2026-01-02T03:04:05.006007Z");
    }
    let router = routes(&hub);
    let answer = send(&router, "GET /api/v1/access", &[], "").await;
    assert_eq!(answer.json()["role"], "admin");
    hub.shutdown().await.unwrap();
}
