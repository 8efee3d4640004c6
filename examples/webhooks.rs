//! Webhooks: a shop notifies another system when an order fails.
//!
//! ```text
//! cargo run -p examples --bin webhooks
//! ```
//! The other system is an `axum` app on a loopback socket. As every receiver should, it verifies the
//! signature of each request and recognizes repetitions by the `webhook-id`. It refuses the first
//! request with 503, so the hub sends the event again. Requests that are not signed are refused with
//! 401.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use durable::client::{LifecycleFilter, LifecycleKind};
use durable::prelude::*;
use durable_http::{SendWebhooks, Webhook, Webhooks};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Both sides know the secret. A real program reads it from its configuration.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The maximum age of a request, so that an attacker cannot replay a recorded one later.
const TOLERANCE_SECONDS: u64 = 5 * 60;

#[activity]
async fn ship(item: &str) -> Result<String> {
    if item == "sofa" {
        Err(Error::msg("out of stock"))
    } else {
        Ok(format!("parcel with a {item}"))
    }
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, item: String) -> Result<String> {
    Ok(ship(&item).await?)
}

#[tokio::main]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/events", listener.local_addr()?);
    let (alerts, mut received) = unbounded_channel();
    let app = Router::new().route("/events", post(receive)).with_state(Receiver::new(alerts));
    tokio::spawn(async { axum::serve(listener, app).await });

    let failed_orders = LifecycleFilter::new().kind(LifecycleKind::Failed).name("order");
    let webhook = Webhook::new("alerts", url, SECRET)?.filter(failed_orders).retries([
        Duration::from_secs(1),
        Duration::from_mins(1),
        Duration::from_hours(1),
    ]);
    let webhooks = Webhooks::new([webhook])?.hub_name("shop");
    let hub = TaskHub::builder().in_memory().webhooks(webhooks).open().await?;

    for item in ["lamp", "sofa"] {
        let run = hub.start(order(item.to_owned()).instance_id(format!("order-{item}"))).await?;
        match run.result().await {
            Ok(parcel) => println!("shop: shipped a {parcel}"),
            Err(error) => println!("shop: {error}"),
        }
    }
    let alert = received.recv().await.ok_or_else(|| Error::msg("the receiver has stopped"))?;
    println!("-> {alert}");
    hub.shutdown().await?;
    Ok(())
}

/// The other system.
#[derive(Clone)]
struct Receiver {
    alerts: UnboundedSender<String>,
    /// The ids of the events that it has processed. A real system keeps them in a database.
    processed: Arc<Mutex<HashSet<String>>>,
    is_busy: Arc<Mutex<bool>>,
}

impl Receiver {
    fn new(alerts: UnboundedSender<String>) -> Self {
        Self { alerts, processed: Arc::default(), is_busy: Arc::new(Mutex::new(true)) }
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, StatusCode> {
    let id = verified_id(&headers, &body).ok_or(StatusCode::UNAUTHORIZED)?;
    let is_busy =
        std::mem::take(&mut *receiver.is_busy.lock().unwrap_or_else(PoisonError::into_inner));
    if is_busy {
        println!("alerts: busy, try again later");
        return Ok((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1")]).into_response());
    }
    let event: serde_json::Value =
        serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let is_new =
        receiver.processed.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    if is_new {
        let data = &event["data"];
        let alert = format!("{} of {}: {}", event["type"], data["instanceId"], data["reason"]);
        receiver.alerts.send(alert).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The id of an event whose signature is valid.
fn verified_id<'a>(headers: &'a HeaderMap, body: &[u8]) -> Option<&'a str> {
    let header = |name| headers.get(name)?.to_str().ok();
    let (id, timestamp) = (header("webhook-id")?, header("webhook-timestamp")?);
    let age = Utc::now().timestamp().abs_diff(timestamp.parse().ok()?);
    if age > TOLERANCE_SECONDS {
        return None;
    }
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_")?).ok()?;
    let mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    let mac = mac.chain_update(format!("{id}.{timestamp}.")).chain_update(body);
    // There are several signatures while the secret is rotated. The comparison takes constant time.
    let is_valid = |signature: &str| {
        let bytes = signature.strip_prefix("v1,").map(|text| STANDARD.decode(text));
        bytes.is_some_and(|it| it.is_ok_and(|it| mac.clone().verify_slice(&it).is_ok()))
    };
    header("webhook-signature")?.split(' ').any(is_valid).then_some(id)
}
