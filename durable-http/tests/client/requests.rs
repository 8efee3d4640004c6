//! Each operation of the API has a method, and its answer has the type of the method.

use durable::protocol::Json;
use durable::{EntityId, RuntimeStatus};
use durable_http::client::{
    BatchAction, BatchRequest, Client, EntityFilter, GroupBy, InstanceFilter, InstanceOrder,
    PendingKind, Recurrence, ScheduleFilter, ScheduleRequest, StartRequest,
};

use crate::{clients, close, open};

#[tokio::test]
async fn every_operation_is_requested_in_process_and_over_both_sockets() {
    for (hub, server, client) in clients().await {
        instances(&client).await;
        actions(&client).await;
        entities(&client).await;
        schedules(&client).await;
        batches(&client).await;
        about_the_hub(&client).await;
        close(hub, server).await;
    }
}

async fn start(client: &Client, name: &str, id: &str, cents: u32) {
    let start = StartRequest::new(name).id(id).tag("shop", "a:b").input(&cents).unwrap();
    let started = client.start_instance(&start).await.unwrap();
    assert_eq!(started.instance_id, id);
    // Its first episode has run once it waits.
    while client.get_instance(id).await.unwrap().status.runtime_status == RuntimeStatus::Pending {
        tokio::task::yield_now().await;
    }
}

async fn instances(client: &Client) {
    start(client, "order", "o 1&+%\u{e9}", 500).await;
    let details = client.get_instance("o 1&+%\u{e9}").await.unwrap();
    assert_eq!(details.status.runtime_status, RuntimeStatus::Running);
    assert_eq!(details.input.as_str(), "500");
    assert_eq!(client.get_input("o 1&+%\u{e9}").await.unwrap().as_str(), "500");

    let filter = InstanceFilter::new()
        .name("order")
        .id_prefix("o ")
        .tag("shop", "a:b")
        .status(RuntimeStatus::Running)
        .status(RuntimeStatus::Failed)
        .created_from(details.status.created_at);
    let page = client.list_instances(&filter).limit(1).await.unwrap();
    assert_eq!(page.items[0], details.status);
    let count = client.count_instances(&filter, Some(GroupBy::Name)).await.unwrap();
    assert_eq!((count.count, count.groups.unwrap()["order"]), (1, 1));

    let oldest = client.list_instances(&InstanceFilter::new()).order(InstanceOrder::OldestFirst);
    assert_eq!(oldest.path_and_query(), "/api/v1/instances?sort=created");
    assert_eq!(oldest.await.unwrap().items, page.items);
    let histogram = client.get_histogram(&filter).buckets(5).await.unwrap();
    let counted: u64 = histogram.items.iter().filter_map(|it| it.counts.get("Running")).sum();
    assert!((1..=5).contains(&histogram.items.len()) && counted == 1, "{histogram:?}");
    let ended = client.get_histogram(&filter).by_end().await.unwrap();
    assert!(ended.items.iter().all(|it| it.counts.is_empty()), "{ended:?}");

    let full = client.list_instances_with_values(&filter).await.unwrap();
    assert_eq!(full.items, [details]);

    let pending = client.get_pending("o 1&+%\u{e9}").await.unwrap();
    assert_eq!(pending.awaited_events, ["approval"]);
    let text = client.get_instance("o 1&+%\u{e9}").text().await.unwrap();
    assert_eq!(
        serde_json::to_string(&client.get_instance("o 1&+%\u{e9}").await.unwrap()).unwrap(),
        text
    );

    client.raise_event("o 1&+%\u{e9}", "Approval", &Json::parse("true").unwrap()).await.unwrap();
    let ended = client.get_instance("o 1&+%\u{e9}").wait(10).await.unwrap();
    assert_eq!(ended.status.runtime_status, RuntimeStatus::Completed);
    assert_eq!(client.get_output("o 1&+%\u{e9}").await.unwrap().as_str(), "500");
    let history =
        client.get_history("o 1&+%\u{e9}").from(1).kinds(["TaskScheduled"]).await.unwrap();
    assert_eq!(history.items[0].kind, "TaskScheduled");
    assert!(history.length > 3);
    let timeline = client.get_timeline("o 1&+%\u{e9}").await.unwrap();
    assert!(!timeline.lanes.is_empty());
    let file = client.download_history("o 1&+%\u{e9}").await.unwrap();
    assert!(file.as_str().starts_with("{\"format\":"));
}

async fn actions(client: &Client) {
    start(client, "parent", "p", 0).await;
    let pending = client.get_pending("p").await.unwrap();
    assert_eq!(pending.tasks[0].kind, PendingKind::Timer);
    let suspended = client.suspend_instance("p", "why").await.unwrap();
    assert_eq!(suspended.suspension.unwrap().reason, "why");
    client.resume_instance("p", "").await.unwrap();
    assert!(client.list_children("p").await.unwrap().items.is_empty());
    let terminated = client.terminate_instance("p", "stop", true).await.unwrap();
    assert_eq!(terminated.runtime_status, RuntimeStatus::Terminated);

    start(client, "order", "f", 0).await;
    client.raise_event("f", "Approval", &Json::parse("true").unwrap()).await.unwrap();
    let failed = client.get_instance("f").wait(10).await.unwrap();
    assert!(failed.failure.unwrap().to_string().contains("nothing to charge"));
    client.rewind_instance("f", "again").await.unwrap();
    client.get_instance("f").wait(10).await.unwrap();
    client.restart_instance("f").await.unwrap();
    let other = client.restart_instance_as("f", Some("g")).await.unwrap();
    assert_eq!(other.instance_id, "g");
    client.terminate_instance("g", "", false).await.unwrap();
    assert_eq!(client.purge_instance("g", true).await.unwrap().purged, 1);
}

async fn entities(client: &Client) {
    let id = EntityId::new("Counter", "a b").unwrap();
    let empty = EntityId::new("Counter", "").unwrap();
    let two = Json::parse("2").unwrap();
    assert_eq!(client.call_entity(&id, "add", &two).await.unwrap(), two);
    client.call_entity(&empty, "add", &two).await.unwrap();
    client.signal_entity(&id, "add", &two, None).await.unwrap();
    let later = "2999-01-02T03:04:05Z".parse().unwrap();
    client.signal_entity(&id, "add", &two, Some(later)).await.unwrap();
    let signals = client.list_signals(Some(&id)).await.unwrap();
    assert_eq!(signals.items[0].due_at, later);
    client.cancel_signal(&signals.items[0].id).await.unwrap();
    assert!(client.list_signals(None).await.unwrap().items.is_empty());

    let mut filter = EntityFilter::new();
    filter.state = true;
    filter.name = Some("Counter".to_owned());
    let list = client.list_entities(&filter).await.unwrap();
    assert_eq!(list.items.len(), 2);
    let entity = client.get_entity(&id).await.unwrap();
    assert_eq!(entity.state.unwrap().as_str(), "4");
    assert!(client.list_locks(&filter).await.unwrap().items.is_empty());
    let queue = client.get_entity_queue(&id).limit(1).await.unwrap();
    assert!(queue.items.is_empty(), "{queue:?}");
    client.delete_entity(&empty).await.unwrap();
    let gone = client.get_entity(&empty).await.unwrap_err();
    assert_eq!(gone.code(), Some("no-such-entity"));
}

async fn schedules(client: &Client) {
    let mut request = ScheduleRequest::new("order", Recurrence::Cron("0 7 * * *".to_owned()));
    request.input = Json::parse("500").unwrap();
    client.create_schedule("daily", &request).await.unwrap();
    request.recurrence = Recurrence::EverySeconds(3600.0);
    let updated = client.update_schedule("daily", &request).await.unwrap();
    assert_eq!(updated.recurrence, Recurrence::EverySeconds(3600.0));
    client.pause_schedule("daily").await.unwrap();
    let mut paused = ScheduleFilter::new();
    paused.status = Some(durable::schedule::ScheduleStatus::Paused);
    assert_eq!(client.list_schedules(&paused).await.unwrap().items.len(), 1);
    client.resume_schedule("daily").await.unwrap();
    assert_eq!(client.get_schedule("daily").await.unwrap().orchestration, "order");
    client.delete_schedule("daily").await.unwrap();
}

async fn batches(client: &Client) {
    let suspend = BatchAction::Suspend { reason: "why".to_owned() };
    let filter = InstanceFilter::new().name("nothing");
    let mut request = BatchRequest::new(filter.clone(), suspend.clone()).dry_run();
    request.id = Some("b".to_owned());
    client.start_batch(&request).await.unwrap();
    client.get_instance("b").wait(10).await.unwrap();
    let details = client.get_batch("b").await.unwrap();
    assert_eq!((details.query, details.action, details.dry_run), (filter, suspend, true));
    assert_eq!(details.batch.progress.unwrap().matched, 0);
    assert_eq!(client.list_batches().await.unwrap().items.len(), 1);
    let ended = client.cancel_batch("b").await.unwrap_err();
    assert_eq!(ended.code(), Some("finished"));
}

async fn about_the_hub(client: &Client) {
    assert_eq!(client.get_hub().await.unwrap().partitions, 4);
    assert!(client.list_running().await.unwrap().items.is_empty());
    assert_eq!(client.get_access().await.unwrap().role, durable_http::Role::Admin);
    let registered = client.list_registered().await.unwrap();
    assert!(registered.activities.iter().any(|it| it.name == "charge"));
    assert_eq!(registered.entities[0].operations[0].parameters[0].type_name, "i64");
    assert!(client.get_description().await.unwrap().as_str().contains("openapi"));
}

/// A new operation of the API gets a method of the same name.
#[tokio::test]
async fn every_operation_of_the_description_has_a_method() {
    let sources = [
        include_str!("../../src/client/batches.rs"),
        include_str!("../../src/client/entities.rs"),
        include_str!("../../src/client/hub.rs"),
        include_str!("../../src/client/instances.rs"),
        include_str!("../../src/client/schedules.rs"),
    ];
    let document = durable_http::openapi("/api/v1");
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for operation in paths.values().flat_map(|path| path.as_object().unwrap().values()) {
        let Some(id) = operation["operationId"].as_str() else { continue };
        // `purge_instance` does the same.
        if id == "deleteInstance" {
            continue;
        }
        let mut method = String::new();
        for c in id.chars() {
            if c.is_ascii_uppercase() {
                method.push('_');
            }
            method.push(c.to_ascii_lowercase());
        }
        let is_there = sources.iter().any(|it| it.contains(&format!("fn {method}(")));
        assert!(is_there, "the client has no method `{method}`");
    }
}

#[tokio::test]
async fn a_client_calls_routes_that_are_mounted_at_a_prefix() {
    let hub = open().await;
    let routes = durable_http::router(&hub, durable_http::HttpOptions::new());
    let app = axum::Router::new().nest("/hub", routes);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}/hub/", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    let client = Client::connect(&place).unwrap();
    assert_eq!(client.get_hub().path_and_query(), "/hub/api/v1/hub");
    assert_eq!(client.get_hub().await.unwrap().partitions, 4);
    serving.abort();
    hub.shutdown().await.unwrap();
}
