//! HTTP access to a task hub: the management API of Durable Functions for its official clients, and
//! this library's own JSON API.
//!
//! ```
//! use durable::prelude::*;
//! use durable_http::HttpOptions;
//!
//! #[orchestrator]
//! async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
//!     Ok(cents)
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! let hub = TaskHub::builder().in_memory().open().await?;
//! let server = durable_http::serve(&hub, HttpOptions::new().listen("127.0.0.1:0")).await?;
//! println!("start orders at {}/api/v1/instances", server.url());
//! server.shutdown().await;
//! hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | serve a hub on an address or a Unix socket | [`serve`] |
//! | mount the routes in an `axum` app | [`router`] |
//! | answer one of your own routes with 202 and links, or with the output | [`accepted`], [`wait_or_accepted`] |
//! | answer one of your own routes with the error of a hub | [`Problem`] |
//! | call a hub in this or another process from Rust | the module `client`, with the feature `client` |
//! | shut down an `axum` app while event streams are open | [`Shutdown`] |
//! | generate a client of `/api/v1` | `GET /api/v1/openapi.json`, [`openapi`] |
//! | let a person without a key answer an orchestration through a signed link | [`Callbacks::callback_url`], [`CallbackKeys`] |
//! | send lifecycle events to a URL, signed, with retries (feature `webhooks`) | `Webhooks`, `SendWebhooks` |
//! | point an official client of Durable Functions at a hub | `GET {base}/client`, [`client_payload`] |
//!
//! # Two dialects
//! * `/runtime/webhooks/durabletask`, also mounted at `/durabletask`, is the management API of
//!   Durable Functions: the same routes, parameters, status codes and bodies. Known differences: a
//!   request to start an orchestration that is not registered is refused (400), resuming a running
//!   instance changes nothing (202), and the keys are those of [`HttpOptions::key`].
//! * `/api/v1` also has what the first dialect lacks: tags, counts, paged histories, schedules,
//!   live events (server-sent events), and batches, which act on all instances that match a filter.
//!   Its errors are `application/problem+json` (RFC 9457).
//!
//! # Access
//! Without keys, the routes answer only requests for a loopback host, and [`serve`] binds only
//! loopback addresses and Unix sockets. See [`HttpOptions::key`] and [`HttpOptions::allow_host`].

#![warn(clippy::expect_used, clippy::unwrap_used)]

mod accepted;
mod access;
mod answer;
mod app;
mod backups;
mod batch;
mod body;
mod call;
mod callbacks;
#[cfg(feature = "client")]
pub mod client;
mod durable_functions;
mod encoded;
#[cfg(any(doc, doctest))]
pub mod guide;
mod json;
mod links;
mod openapi;
mod options;
mod problem;
mod query;
mod recorded;
mod route;
mod scans;
mod serve;
mod shutdown;
mod stream;
mod time;
pub mod timeline;
mod v1;
#[cfg(feature = "webhooks")]
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use durable::TaskHub;

pub use accepted::{Links, accepted, wait_or_accepted};
pub use access::Role;
pub use callbacks::{CallbackKeys, CallbackUrl, Callbacks, WeakSecret};
pub use durable_functions::client_payload;
pub use options::HttpOptions;
pub use problem::Problem;
pub use serve::{ServeError, Server, serve};
pub use shutdown::Shutdown;
#[cfg(feature = "webhooks")]
pub use webhooks::{
    InvalidSecret, InvalidWebhook, SendWebhooks, Webhook, Webhooks, enable_webhook,
};

use app::App;

/// Returns the routes of both dialects, for an `axum` app.
///
/// They can be mounted at any prefix; the links in answers include it:
///
/// ```
/// # use durable::prelude::*;
/// use axum::Router;
/// use durable_http::HttpOptions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let routes = durable_http::router(&hub, HttpOptions::new());
/// let app: Router = Router::new().nest("/hub", routes);
/// // GET /hub/api/v1/instances, GET /hub/runtime/webhooks/durabletask/instances, ...
/// # drop(app);
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Requests of orchestrations
/// Once the routes exist, clients can influence the URLs to which orchestrations send requests with
/// `ctx.call_http(..)` (feature `http` of `durable`). From then on, the hub refuses requests to
/// internal addresses, unless it was opened with a policy for them (`TaskHubBuilder::http_policy`).
pub fn router(hub: &TaskHub, options: HttpOptions) -> Router {
    routes(&App::new(hub.clone(), options))
}

/// Returns the `OpenAPI` 3.1 document of `/api/v1` as JSON, for programs that generate clients.
///
/// The routes also serve it as `GET /api/v1/openapi.json`. `base` is the address of the routes,
/// including the prefix at which they are mounted. The dialect of Durable Functions is not
/// described, because official clients for it exist.
///
/// ```
/// let document = durable_http::openapi("https://shop.example/hub/api/v1");
/// assert!(document.contains("\"/instances/{id}\""));
/// ```
pub fn openapi(base: &str) -> String {
    openapi::document(&v1::TABLE, base).to_string()
}

fn routes(app: &Arc<App>) -> Router {
    app.hub.expose();
    let mut router = Router::new();
    for base in durable_functions::BASES {
        router = mount(router, base, app, &durable_functions::TABLE);
    }
    router = mount(router, v1::BASE, app, &v1::TABLE);
    if app.options.callbacks.is_some() {
        router = mount(router, callbacks::BASE, app, &callbacks::TABLE);
    }
    router
}

fn mount<F: answer::Failure>(
    mut router: Router,
    base: &'static str,
    app: &Arc<App>,
    table: &'static route::Table<F>,
) -> Router {
    for path in [base.to_owned(), format!("{base}/"), format!("{base}/{{*rest}}")] {
        let app = Arc::clone(app);
        let answer = move |request: Request| answer::answer(app.clone(), base, table, request);
        router = router.route(&path, any(answer));
    }
    router
}
