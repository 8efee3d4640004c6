//! Webhooks over a real socket, sent by the HTTP client of the feature `webhooks`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use durable::client::{InstanceQuery, LifecycleFilter, LifecycleKind};
use durable::http::HttpPolicy;
use durable::testing::TestHub;
use durable_http::{SendWebhooks, Webhook, Webhooks};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::net::{TcpListener, TcpSocket};

use crate::common::{hello, routes};

const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A status and header fields.
type Answer = (StatusCode, &'static [(&'static str, &'static str)]);

/// Sends its answers in order and then 204. Records the paths and times of requests.
#[derive(Clone, Default)]
struct Receiver {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    received: Arc<Mutex<Vec<(String, i64)>>>,
}

impl Receiver {
    fn serve(listener: TcpListener, answers: &[Answer]) -> Self {
        let receiver = Self::default();
        receiver.answers.lock().unwrap().extend(answers);
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        receiver
    }

    fn received(&self) -> Vec<(String, i64)> {
        self.received.lock().unwrap().clone()
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Response {
    let header = |name| headers[name].to_str().unwrap();
    let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
    let mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(KEY).unwrap()).unwrap();
    let mac = mac.chain_update(format!("{id}.{timestamp}.{body}"));
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected, "the client sends what was signed");
    assert_eq!(header("content-type"), "application/json");
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["type"], "instance.completed");
    receiver.received.lock().unwrap().push((uri.to_string(), timestamp.parse().unwrap()));
    let answer = receiver.answers.lock().unwrap().pop_front();
    let (status, fields) = answer.unwrap_or((StatusCode::NO_CONTENT, &[]));
    let mut response = status.into_response();
    for (name, value) in fields {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    response
}

fn webhooks(address: std::net::SocketAddr) -> Webhooks {
    let url = format!("http://{address}/in?token=1");
    let webhook = Webhook::new("shop", url, format!("whsec_{KEY}")).unwrap();
    let completed = LifecycleFilter::new().kind(LifecycleKind::Completed);
    Webhooks::new([webhook.filter(completed)]).unwrap()
}

async fn complete(hub: &TestHub) {
    hub.start(hello("Oslo".to_owned())).await.unwrap().result().await.unwrap();
    hub.settle().await;
}

async fn pending_deliveries(hub: &TestHub) -> u64 {
    hub.count(&InstanceQuery::new().name("durable.Webhook")).await.unwrap()
}

#[tokio::test]
async fn a_delivery_waits_for_retry_after_and_follows_no_redirect() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhooks = webhooks(listener.local_addr().unwrap());
    let answers: [Answer; 2] = [
        (StatusCode::SERVICE_UNAVAILABLE, &[("retry-after", "600")]),
        (StatusCode::TEMPORARY_REDIRECT, &[("location", "/elsewhere"), ("retry-after", "1")]),
    ];
    let receiver = Receiver::serve(listener, &answers);
    let hub = TestHub::builder().configure(|hub| hub.webhooks(webhooks)).open().await.unwrap();
    complete(&hub).await;
    hub.advance(Duration::from_hours(1)).await;

    let [(first, sent), (second, again), (third, last)] = &*receiver.received() else {
        panic!("{:?}", receiver.received())
    };
    for path in [first, second, third] {
        assert_eq!(path, "/in?token=1");
    }
    assert!((600..=720).contains(&(again - sent)), "Retry-After, with jitter: {}", again - sent);
    assert!((300..=360).contains(&(last - again)), "the schedule: {}", last - again);
    assert_eq!(pending_deliveries(&hub).await, 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_event_reaches_a_receiver_that_was_down() {
    // Connections to a port that is bound and not listening are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let webhooks = webhooks(socket.local_addr().unwrap());
    let hub = TestHub::builder().configure(|hub| hub.webhooks(webhooks)).open().await.unwrap();
    complete(&hub).await;
    assert_eq!(pending_deliveries(&hub).await, 1);

    let receiver = Receiver::serve(socket.listen(16).unwrap(), &[]);
    hub.advance(Duration::from_secs(6)).await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(pending_deliveries(&hub).await, 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_hub_with_routes_sends_to_internal_addresses_only_if_its_policy_allows_them() {
    let allowed = HttpPolicy::new().deny_private().allow_private_hosts(["127.0.0.1"]);
    for (policy, expected) in [(None, 0), (Some(allowed), 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let webhooks = webhooks(listener.local_addr().unwrap());
        let receiver = Receiver::serve(listener, &[]);
        let configure = |hub: durable::client::TaskHubBuilder| match policy {
            Some(policy) => hub.webhooks(webhooks).http_policy(policy),
            None => hub.webhooks(webhooks),
        };
        let hub = TestHub::builder().configure(configure).open().await.unwrap();
        let _routes = routes(&hub);
        complete(&hub).await;
        assert_eq!(receiver.received().len(), expected);
        hub.shutdown().await.unwrap();
    }
}
