//! Streams of events.

use durable::client::LifecycleKind;
use durable::protocol::Json;
use durable_http::client::{HubEvent, InstanceEvent, Request, StartRequest};

use crate::{clients, close};

#[tokio::test]
async fn an_instance_is_followed_to_its_end() {
    for (hub, server, client) in clients().await {
        let start = StartRequest::new("order").id("a").input(&500).unwrap();
        client.start_instance(&start).await.unwrap();
        let mut events = client.follow_instance("a", 0).await.unwrap();
        let mut kinds = Vec::new();
        let end = loop {
            match events.next().await.unwrap().unwrap() {
                InstanceEvent::History(followed) => {
                    if followed.event.index == 1 {
                        let payload = Json::parse("true").unwrap();
                        client.raise_event("a", "Approval", &payload).await.unwrap();
                    }
                    kinds.push(followed.event.kind);
                }
                InstanceEvent::End(status) => break status.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(end.history_len, kinds.len() as u64);
        assert!(kinds.contains(&"EventRaised".to_owned()), "{kinds:?}");
        assert!(events.next().await.unwrap().is_none());
        let missing = client.follow_instance("nobody", 0).await.unwrap_err();
        assert_eq!(missing.code(), Some("no-such-instance"));
        close(hub, server).await;
    }
}

#[tokio::test]
async fn the_lifecycle_of_instances_is_followed() {
    for (hub, server, client) in clients().await {
        let select = |it: Request<Json>| it.kinds(["Started", "Terminated"]).query("prefix", "a");
        let mut events = client.follow_hub(select).await.unwrap();
        for id in ["b", "a1"] {
            let start = StartRequest::new("order").id(id).input(&500).unwrap();
            client.start_instance(&start).await.unwrap();
        }
        client.terminate_instance("a1", "enough", false).await.unwrap();
        for wanted in [LifecycleKind::Started, LifecycleKind::Terminated] {
            let Some(HubEvent::Lifecycle(event)) = events.next().await.unwrap() else { panic!() };
            assert_eq!((event.kind, &*event.instance_id), (wanted, "a1"));
        }
        if let Some(server) = server {
            server.shutdown().await;
            assert!(events.next().await.unwrap().is_none());
        }
        drop(events);
        close(hub, None).await;
    }
}
