//! Webhooks: requests, retries, disabled endpoints, and crashes.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use durable::client::{InstanceQuery, LifecycleFilter, LifecycleKind, TaskHubBuilder};
use durable::http::{HttpError, HttpRequest, HttpResponse, HttpSend};
use durable::prelude::*;
use durable::testing::TestHub;
use durable_http::{SendWebhooks, Webhook, Webhooks, enable_webhook};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use crate::common::{failing, hello, routes, send};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OLD_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
const URL: &str = "https://shop.example/hooks/token";

/// The endpoint. It responds with these statuses and then with 204, and records the requests. Status 0
/// stands for no response. A 429 asks for a wait of 10 min.
#[derive(Clone, Default)]
struct Endpoint {
    statuses: Arc<Mutex<Vec<u16>>>,
    received: Arc<Mutex<Vec<HttpRequest>>>,
}

impl HttpSend for Endpoint {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let mut statuses = self.statuses.lock().unwrap();
        let status = if statuses.is_empty() { 204 } else { statuses.remove(0) };
        let url = request.url().to_owned();
        self.received.lock().unwrap().push(request);
        match status {
            0 => Err(HttpError::unreachable(url, "connection refused")),
            302 => Ok(HttpResponse::new(302).with_header("location", "https://evil.example")),
            429 => Ok(HttpResponse::new(429).with_header("retry-after", "600")),
            status => Ok(HttpResponse::new(status)),
        }
    }
}

impl Endpoint {
    fn answering(statuses: &[u16]) -> Self {
        let endpoint = Self::default();
        endpoint.statuses.lock().unwrap().extend(statuses);
        endpoint
    }

    fn received(&self) -> Vec<HttpRequest> {
        self.received.lock().unwrap().clone()
    }

    /// The type and instance of each request.
    fn events(&self) -> Vec<String> {
        let body = |request: &HttpRequest| body(request);
        let event =
            |it: Value| format!("{} {}", text(&it["data"]["instanceId"]), text(&it["type"]));
        self.received().iter().map(body).map(event).collect()
    }
}

fn body(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body_bytes()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.header_value(name).unwrap_or_else(|| panic!("no {name}: {request:?}"))
}

/// The signature, computed as the specification says, without the code under test.
fn signature(secret: &str, request: &HttpRequest) -> String {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let (id, time) = (header(request, "webhook-id"), header(request, "webhook-timestamp"));
    let signed = format!("{id}.{time}.{}", request.body_text().unwrap());
    let mac = Hmac::<Sha256>::new_from_slice(&key).unwrap().chain_update(signed);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn ended() -> LifecycleFilter {
    LifecycleFilter::new().kind(LifecycleKind::Completed).kind(LifecycleKind::Failed)
}

fn webhook(filter: LifecycleFilter) -> Webhook {
    Webhook::new("shop", URL, SECRET).unwrap().filter(filter)
}

fn configure(
    endpoint: &Endpoint,
    webhook: Webhook,
) -> impl FnOnce(TaskHubBuilder) -> TaskHubBuilder {
    let webhooks = Webhooks::new([webhook]).unwrap().hub_name("shop-hub");
    let endpoint = endpoint.clone();
    move |hub| hub.webhooks(webhooks).http_sender(endpoint)
}

async fn open(endpoint: &Endpoint, webhook: Webhook) -> TestHub {
    let hub = TestHub::builder().beginning("2026-01-02T03:04:05.006007Z".parse().unwrap());
    hub.configure(configure(endpoint, webhook)).open().await.unwrap()
}

async fn complete(hub: &TestHub, id: &str) {
    hub.start(hello("Oslo".to_owned()).instance_id(id)).await.unwrap().result().await.unwrap();
    hub.settle().await;
}

async fn deliveries(hub: &TestHub) -> Vec<durable::client::InstanceStatus> {
    let query = InstanceQuery::new().name("durable.Webhook");
    hub.stream(query).try_collect().await.unwrap()
}

#[tokio::test]
async fn an_event_is_sent_as_standard_webhooks_defines() {
    let endpoint = Endpoint::default();
    let webhook = webhook(ended()).also_sign_with(OLD_SECRET).unwrap();
    let hub = open(&endpoint, webhook).await;
    let run = hub.start(failing("no paper".to_owned()).instance_id("order-1")).await.unwrap();
    run.result().await.unwrap_err();
    hub.settle().await;

    let [request] = &*endpoint.received() else { panic!("{:?}", endpoint.events()) };
    assert_eq!((request.method(), request.url()), ("POST", URL));
    assert_eq!(header(request, "content-type"), "application/json");
    assert_eq!(header(request, "webhook-timestamp"), "1767323045");
    let expected = format!("{} {}", signature(SECRET, request), signature(OLD_SECRET, request));
    assert_eq!(header(request, "webhook-signature"), expected);
    let id = header(request, "webhook-id");
    assert!(id.starts_with("msg_") && !id.contains('.'), "{id}");
    let reason = body(request)["data"]["reason"].clone();
    assert!(text(&reason).contains("no paper"), "{reason}");
    let expected = json!({
        "type": "instance.failed",
        "timestamp": "2026-01-02T03:04:05.006007Z",
        "data": {
            "hubName": "shop-hub",
            "instanceId": "order-1",
            "name": "failing",
            "version": null,
            "parent": null,
            "runtimeStatus": "Failed",
            "createdAt": "2026-01-02T03:04:05.006007Z",
            "reason": reason,
        },
    });
    assert_eq!(body(request), expected);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_event_is_sent_once_and_deliveries_cause_no_events() {
    let endpoint = Endpoint::default();
    let hub = open(&endpoint, webhook(LifecycleFilter::new())).await;
    complete(&hub, "a").await;
    hub.advance(Duration::from_hours(100)).await;
    let mut events = endpoint.events();
    events.sort();
    assert_eq!(events, ["a instance.completed", "a instance.started"]);
    assert_eq!(deliveries(&hub).await.len(), 0, "completed deliveries are purged");
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_filter_selects_the_events_of_each_webhook() {
    let endpoint = Endpoint::default();
    let failures = webhook(LifecycleFilter::new().kind(LifecycleKind::Failed));
    let hellos = Webhook::new("other", "https://other.example", OLD_SECRET).unwrap();
    let hellos = hellos.filter(LifecycleFilter::new().name("hello").kind(LifecycleKind::Started));
    let webhooks = Webhooks::new([failures, hellos]).unwrap();
    let sender = endpoint.clone();
    let configure = |hub: TaskHubBuilder| hub.webhooks(webhooks).http_sender(sender);
    let hub = TestHub::builder().configure(configure).open().await.unwrap();
    complete(&hub, "a").await;
    let run = hub.start(failing("no".to_owned()).instance_id("b")).await.unwrap();
    run.result().await.unwrap_err();
    hub.settle().await;
    let sent = endpoint.received();
    let mut sent: Vec<_> =
        sent.iter().map(|it| (it.url(), text(&body(it)["type"]).to_owned())).collect();
    sent.sort();
    let expected = [
        ("https://other.example", "instance.started".to_owned()),
        (URL, "instance.failed".to_owned()),
    ];
    assert_eq!(sent, expected);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_retry_has_the_same_id_and_a_new_signature_until_it_is_accepted() {
    let endpoint = Endpoint::answering(&[500, 0, 404, 302]);
    let hub = open(&endpoint, webhook(ended())).await;
    complete(&hub, "a").await;
    hub.advance(Duration::from_hours(100)).await;
    let received = endpoint.received();
    let times: Vec<i64> =
        received.iter().map(|it| header(it, "webhook-timestamp").parse().unwrap()).collect();
    let waits: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, scheduled) in waits.into_iter().zip([5, 5 * 60, 30 * 60, 2 * 60 * 60]) {
        assert!((scheduled..=scheduled * 6 / 5).contains(&wait), "{wait} s for {scheduled} s");
    }
    for request in &received {
        assert_eq!(header(request, "webhook-id"), header(&received[0], "webhook-id"));
        assert_eq!(header(request, "webhook-signature"), signature(SECRET, request));
        assert_eq!((request.url(), body(request)), (URL, body(&received[0])));
    }
    assert_eq!(deliveries(&hub).await.len(), 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_429_holds_back_the_other_deliveries_to_the_endpoint() {
    let endpoint = Endpoint::answering(&[429]);
    let hub = open(&endpoint, webhook(ended())).await;
    complete(&hub, "a").await;
    complete(&hub, "b").await;
    hub.advance(Duration::from_secs(599)).await;
    assert_eq!(endpoint.events(), ["a instance.completed"]);
    // The wait of each delivery is extended by up to 20%.
    hub.advance(Duration::from_secs(121)).await;
    let mut events = endpoint.events();
    events.sort_unstable();
    assert_eq!(events, ["a instance.completed", "a instance.completed", "b instance.completed"]);
    assert_eq!(deliveries(&hub).await.len(), 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_delivery_that_is_never_accepted_fails_after_ten_attempts_and_can_be_restarted() {
    let endpoint = Endpoint::answering(&[503; 10]);
    let hub = open(&endpoint, webhook(ended())).await;
    complete(&hub, "a").await;
    hub.advance(Duration::from_hours(200)).await;
    assert_eq!(endpoint.events().len(), 10);
    let failed = deliveries(&hub).await;
    assert_eq!((failed.len(), failed[0].runtime_status), (1, RuntimeStatus::Failed));
    let delivery = hub.instance(failed[0].instance_id.as_str()).unwrap();
    let failure = format!("{:?}", delivery.history().await.unwrap());
    let expected = "webhook `shop` did not accept `instance.completed` of `a` after 10 attempts (the \
                    response has status 503)";
    assert!(failure.contains(expected), "{failure}");

    delivery.restart().await.unwrap();
    hub.settle().await;
    let received = endpoint.received();
    assert_eq!(received.len(), 11);
    assert_eq!(header(&received[10], "webhook-id"), header(&received[0], "webhook-id"));
    assert_eq!(deliveries(&hub).await.len(), 0);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_410_disables_the_endpoint_until_it_is_enabled_or_has_another_url() {
    let endpoint = Endpoint::answering(&[500, 500, 410]);
    let hub = open(&endpoint, webhook(ended())).await;
    complete(&hub, "waits").await;
    hub.advance(Duration::from_mins(1)).await;
    complete(&hub, "gone").await;
    assert_eq!(endpoint.events().len(), 3);
    hub.advance(Duration::from_hours(100)).await;
    let hub = hub.crash().await.unwrap();
    complete(&hub, "dropped").await;
    assert_eq!(endpoint.events().len(), 3, "pending and new deliveries are dropped");
    assert_eq!(deliveries(&hub).await.len(), 0);

    enable_webhook(&hub, "shop").await.unwrap();
    endpoint.statuses.lock().unwrap().push(410);
    complete(&hub, "b").await;
    complete(&hub, "dropped again").await;
    let path = "POST /api/v1/entities/durable.WebhookEndpoint/shop:signal/enable";
    assert_eq!(send(&routes(&hub), path, &[], "").await.status, 202);
    complete(&hub, "c").await;
    let completed = |id: &str| format!("{id} instance.completed");
    assert_eq!(endpoint.events()[3..], [completed("b"), completed("c")]);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_disabled_endpoint_is_enabled_by_another_url() {
    let store = Arc::new(durable::store::MemoryStore::default());
    let endpoint = Endpoint::answering(&[410]);
    for (url, expected) in [(URL, 1), (URL, 1), ("https://new.example", 3)] {
        let webhook = Webhook::new("shop", url, SECRET).unwrap().filter(ended());
        let (configured, at) = (configure(&endpoint, webhook), Arc::clone(&store));
        let hub = TestHub::builder().configure(|hub| configured(hub.store(at)));
        let hub = hub.open().await.unwrap();
        for _ in 0..2 {
            hub.start(hello("Oslo".to_owned())).await.unwrap().result().await.unwrap();
            hub.settle().await;
        }
        assert_eq!(endpoint.events().len(), expected, "{url}");
        hub.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn a_crash_at_any_moment_loses_no_event_and_starts_no_second_delivery() {
    let endpoint = Endpoint::default();
    let mut hub = open(&endpoint, webhook(ended())).await;
    for round in 0..30 {
        let run = hub.start(hello("Oslo".to_owned()).instance_id(format!("job-{round:02}")));
        drop(run.await.unwrap());
        // The instance and its delivery advance by a different amount in each round.
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        hub = hub.crash().await.unwrap();
    }
    hub.settle().await;
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in endpoint.received() {
        let instance = text(&body(&request)["data"]["instanceId"]).to_owned();
        ids.entry(instance).or_default().push(header(&request, "webhook-id").to_owned());
    }
    assert_eq!(ids.len(), 30);
    for (instance, mut ids) in ids {
        // A request that a crash interrupts is sent again with the same id.
        ids.dedup();
        assert_eq!(ids.len(), 1, "{instance}");
    }
    hub.shutdown().await.unwrap();
}

/// Records the log lines of this thread, which runs the activities of a test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Visit for Lines {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let mut lines = self.0.lock().unwrap();
        if let Some(line) = lines.last_mut() {
            write!(line, " {field}={value:?}").unwrap();
        }
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::DEBUG
    }

    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(event.metadata().level().to_string());
        event.record(&mut self.clone());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_warning_names_the_webhook_and_the_event_when_a_delivery_fails_or_the_endpoint_is_disabled()
 {
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let endpoint = Endpoint::answering(&[503, 0, 410]);
    let once_more = webhook(ended()).retries([Duration::from_secs(1)]);
    let hub = open(&endpoint, once_more).await;
    complete(&hub, "a").await;
    hub.advance(Duration::from_secs(2)).await;
    complete(&hub, "b").await;
    hub.shutdown().await.unwrap();
    let lines = lines.0.lock().unwrap();
    let logged: Vec<_> = lines.iter().filter(|line| line.contains("webhook=")).collect();
    let [attempt, given_up, disabled] = &*logged else { panic!("{lines:?}") };
    assert!(attempt.starts_with("DEBUG") && attempt.contains("response has status 503"));
    for (line, id) in [(given_up, "a"), (disabled, "b")] {
        let about = format!("webhook=\"shop\" kind=instance.completed instance={id}");
        assert!(line.starts_with("WARN") && line.contains(&about), "{line}");
    }
    let text = lines.join("\n");
    for secret in [&SECRET["whsec_".len()..], "hooks/token", "v1,"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

#[tokio::test]
async fn neither_the_secret_nor_the_url_nor_a_signature_is_in_a_history() {
    let endpoint = Endpoint::answering(&[0; 20]);
    let hub = open(&endpoint, webhook(ended())).await;
    complete(&hub, "a").await;
    hub.advance(Duration::from_hours(200)).await;
    let failed = deliveries(&hub).await;
    let delivery = hub.instance(failed[0].instance_id.as_str()).unwrap();
    let history = format!("{:?}", delivery.history().await.unwrap());
    assert!(history.contains("no response: connection refused"), "{history}");
    let key = &SECRET["whsec_".len()..];
    for secret in [key, "shop.example", "hooks/token", "v1,"] {
        assert!(!history.contains(secret), "{secret}: {history}");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_hub_without_its_webhook_opens_and_delivers_when_the_webhook_is_back() {
    let store = Arc::new(durable::store::MemoryStore::default());
    let endpoint = Endpoint::answering(&[500]);
    let at = Arc::clone(&store);
    let configured = configure(&endpoint, webhook(ended()));
    let hub = TestHub::builder().configure(|hub| configured(hub.store(at))).open().await.unwrap();
    complete(&hub, "a").await;
    hub.shutdown().await.unwrap();
    let at = Arc::clone(&store);
    let hub = TestHub::builder().configure(|hub| hub.store(at)).open().await.unwrap();
    hub.advance(Duration::from_hours(10)).await;
    assert_eq!((endpoint.events().len(), deliveries(&hub).await.len()), (1, 1));
    let now = hub.now();
    hub.shutdown().await.unwrap();
    let configured = configure(&endpoint, webhook(ended()));
    let hub = TestHub::builder().beginning(now).configure(|hub| configured(hub.store(store)));
    let hub = hub.open().await.unwrap();
    hub.advance(Duration::from_hours(2)).await;
    assert_eq!((endpoint.events().len(), deliveries(&hub).await.len()), (2, 0));
    hub.shutdown().await.unwrap();
}
