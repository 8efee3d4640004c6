//! Backups of a running hub, which a client requests by name.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use durable::TaskHub;
use durable_http::{HttpOptions, Role, router};
use serde_json::{Value, json};

use crate::common::{hello, hub, routes, send};

const ADMIN: [(&str, &str); 1] = [("x-functions-key", "admin")];

async fn served(folder: &Path) -> (TaskHub, Router) {
    let hub = TaskHub::open(folder.join("hub")).await.unwrap();
    let options = HttpOptions::new()
        .key(Role::Admin, "admin")
        .key(Role::Operate, "operate")
        .backups(folder.join("backups"));
    let routes = router(&hub, options);
    (hub, routes)
}

async fn get(router: &Router, path: &str) -> Value {
    let answer = send(router, &format!("GET /api/v1/{path}"), &ADMIN, "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Asks for the backup until it has ended.
async fn ended(router: &Router, name: &str) -> Value {
    let poll = async {
        loop {
            let backup = get(router, &format!("backups/{name}")).await;
            if backup["status"] != "Running" {
                return backup;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), poll).await.unwrap()
}

#[tokio::test]
async fn an_admin_backs_up_a_running_hub_into_the_folder_of_the_options() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, router) = served(folder.path()).await;
    hub.start(hello("Tokyo".to_owned()).instance_id("h")).await.unwrap().result().await.unwrap();
    let body = json!({ "name": "monday" }).to_string();
    let started = send(&router, "POST /api/v1/backups", &ADMIN, body.clone()).await;
    assert_eq!(started.status, 202, "{started:?}");
    assert!(started.header("location").ends_with("/api/v1/backups/monday"));
    let backup = ended(&router, "monday").await;
    assert_eq!((&backup["status"], &backup["failure"]), (&json!("Completed"), &Value::Null));
    assert_eq!(backup["report"]["instances"], 1, "{backup}");
    assert_eq!(get(&router, "backups").await["items"], json!([backup]));
    let again = send(&router, "POST /api/v1/backups", &ADMIN, body).await;
    assert_eq!((again.status.as_u16(), &again.json()["code"]), (409, &json!("already-exists")));
    hub.shutdown().await.unwrap();
    let restored = TaskHub::open(folder.path().join("backups/monday")).await.unwrap();
    let status = restored.instance("h").unwrap().status().await.unwrap();
    assert!(status.runtime_status.is_finished());
    restored.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_client_cannot_choose_a_path_or_act_without_the_role() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, router) = served(folder.path()).await;
    for name in ["../outside", "/tmp/outside", "", "a.partial", "."] {
        let body = json!({ "name": name }).to_string();
        let refused = send(&router, "POST /api/v1/backups", &ADMIN, body).await;
        assert_eq!(refused.status, 400, "{name}: {refused:?}");
    }
    let operate = [("x-functions-key", "operate")];
    assert_eq!(send(&router, "POST /api/v1/backups", &operate, "").await.status, 403);
    assert_eq!(send(&router, "GET /api/v1/backups/none", &ADMIN, "").await.status, 404);
    assert_eq!(get(&router, "backups").await["items"], json!([]));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_server_without_a_folder_for_backups_makes_none() {
    let hub = hub().await;
    let router = routes(&hub);
    let refused = send(&router, "POST /api/v1/backups", &[], "").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (404, &json!("no-such-route")));
    assert!(refused.json()["detail"].as_str().unwrap().contains("HttpOptions::backups"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_store_without_backups_says_so_in_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let hub = TaskHub::builder().in_memory().open().await.unwrap();
    let router = router(&hub, HttpOptions::new().key(Role::Admin, "admin").backups(folder.path()));
    let started = send(&router, "POST /api/v1/backups", &ADMIN, "").await.json();
    let backup = ended(&router, started["name"].as_str().unwrap()).await;
    assert_eq!(backup["status"], "Failed");
    assert!(backup["failure"].as_str().unwrap().contains("does not support backups"), "{backup}");
    hub.shutdown().await.unwrap();
}
