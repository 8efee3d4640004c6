//! Async HTTP API: an `axum` app whose own routes start work, with the routes of the hub beside them.
//!
//! ```text
//! cargo run -p examples --bin async_http_api
//! ```
//! `POST /orders` starts an order and answers 202 at once: the `Location` tells where its status is,
//! and the other links how it is managed. `POST /quotes` waits for up to 5 s, and answers with the
//! output if it is ready by then. The routes of the hub are mounted at `/hub`.
//!
//! `durable-http/README.md` shows a session with `curl`.

use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::{Json, State};
use axum::http::request::Parts;
use axum::response::Response;
use axum::routing::post;
use clap::Parser;
use durable::prelude::{OrchestrationContext, Result, TaskHub};
use durable::{activity, orchestrator};
use durable_http::{HttpOptions, Links, Problem, Shutdown, accepted, wait_or_accepted};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

#[derive(Parser)]
struct Arguments {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The hub's folder; without it, the hub is in memory.
    #[arg(long)]
    hub: Option<PathBuf>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    number: u32,
    item: String,
    cents: u32,
}

/// What the payment service tells by `POST /hub/api/v1/instances/{id}:raise/Payment`.
#[durable::event]
#[derive(Serialize, Deserialize)]
struct Payment {
    cents: u32,
}

#[activity]
async fn ship(order: &Order) -> Result<String> {
    Ok(format!("parcel-{}", order.number))
}

#[activity]
async fn price(item: &str) -> Result<u32> {
    Ok(100 * u32::try_from(item.len())?)
}

/// Waits until the order is paid, however long that takes, and ships it.
#[orchestrator]
async fn fulfill(ctx: &OrchestrationContext, order: Order) -> Result<String> {
    let mut open = order.cents;
    while open > 0 {
        ctx.set_custom_status(&format!("waits for {open} cents"))?;
        let Payment { cents } = ctx.wait_for_event().await?;
        open = open.saturating_sub(cents);
    }
    ctx.clear_custom_status();
    Ok(ship(&order).await?)
}

#[orchestrator]
async fn quote(ctx: &OrchestrationContext, item: String) -> Result<u32> {
    Ok(price(&item).await?)
}

/// The state of the app.
#[derive(Clone)]
struct Shop {
    hub: TaskHub,
    options: HttpOptions,
}

impl Shop {
    /// The links of answers: to the host of the request, and the prefix of the hub's routes.
    fn links(&self, request: &Parts) -> Links {
        Links::new(&self.options, request, "/hub")
    }
}

/// A second order of the same number is answered with 409.
async fn start_order(
    State(shop): State<Shop>,
    request: Parts,
    Json(order): Json<Order>,
) -> Result<Response, Problem> {
    let id = format!("order-{}", order.number);
    let run = shop.hub.start(fulfill(order).instance_id(id)).await?;
    Ok(accepted(&run, &shop.links(&request)))
}

async fn start_quote(
    State(shop): State<Shop>,
    request: Parts,
    Json(item): Json<String>,
) -> Result<Response, Problem> {
    let run = shop.hub.start(quote(item)).await?;
    let limit = Duration::from_secs(5);
    Ok(wait_or_accepted(&shop.hub, &run, limit, &shop.links(&request)).await)
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { listen, hub } = Arguments::parse();
    let hub = match hub {
        Some(path) => TaskHub::open(path).await?,
        None => TaskHub::builder().in_memory().open().await?,
    };
    // Without keys, the hub's routes answer only requests for a loopback host.
    let shutdown = Shutdown::new();
    let options = HttpOptions::new().shutdown(shutdown.clone());
    let shop = Shop { hub: hub.clone(), options: options.clone() };
    let app = Router::new()
        .route("/orders", post(start_order))
        .route("/quotes", post(start_quote))
        .with_state(shop)
        .nest("/hub", durable_http::router(&hub, options));

    let listener = TcpListener::bind(listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // The app waits for its answers, but not for clients that follow the hub.
    let interrupted = shutdown.begin_after(interrupted());
    axum::serve(listener, app).with_graceful_shutdown(interrupted).await?;
    Ok(hub.shutdown().await?)
}

/// Waits for Ctrl-C.
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // The signal cannot be caught, so the system ends the process itself.
        std::future::pending::<()>().await;
    }
}
