//! A dashboard for a task hub: what each instance does, why it waits, and actions on it.
//!
//! ```
//! use axum::Router;
//! use durable::prelude::*;
//! use durable_ui::UiOptions;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! let hub = TaskHub::builder().in_memory().open().await?;
//! let app: Router = Router::new().nest("/durable", durable_ui::router(&hub, UiOptions::new()));
//! // The overview is at `/durable`, the list of instances at `/durable/instances`.
//! # drop(app);
//! # hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Pages are rendered on the server and can be read without JavaScript; actions and live changes
//! need it. All data comes from `/api/v1` of [`durable_http`], which the dashboard also serves below
//! its own prefix, with the same keys, roles and limits.
//!
//! # Access
//! Without keys, the pages answer only requests for a loopback host. With keys
//! ([`HttpOptions::key`](durable_http::HttpOptions::key)), a page asks for one and keeps it in a
//! cookie that scripts cannot read. With a key of the role `Read`, pages show no actions. See
//! [`UiOptions::read_only`] to switch actions off for everybody.

#![warn(clippy::expect_used, clippy::unwrap_used)]

/// Compiles the sample of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod api;
mod app;
mod assets;
mod call;
mod format;
mod frame;
mod links;
mod options;
mod parts;
mod query;
mod routes;
mod screens;
mod source;
mod timeline;

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use durable::TaskHub;
use durable_http::client::Client;

pub use options::UiOptions;

use app::App;

/// Returns the pages of the dashboard, and the API that they use, for an `axum` app.
///
/// They can be mounted at any prefix with [`Router::nest`], or at the root with [`Router::merge`].
/// With `nest`, the prefix followed by a slash is not found; use [`Router::nest_service`] to serve
/// it, too.
///
/// ```
/// use axum::Router;
/// use durable::TaskHub;
/// use durable_ui::UiOptions;
///
/// /// An app of your own with the dashboard at `/durable`.
/// fn app(hub: &TaskHub) -> Router {
///     Router::new().nest("/durable", durable_ui::router(hub, UiOptions::new().name("Orders")))
/// }
/// ```
pub fn router(hub: &TaskHub, options: UiOptions) -> Router {
    mounted(App::new(hub, options))
}

/// Returns the dashboard of a hub in another process, which `client` reaches.
///
/// Keys and limits are those of that hub: the dashboard sends the key of the client or, if the
/// client has none, the key that the reader enters. The dashboard accepts only requests for
/// loopback hosts.
///
/// ```
/// use durable_http::client::Client;
/// use durable_ui::UiOptions;
///
/// let client = Client::connect("http://127.0.0.1:7071")?;
/// let app: axum::Router = durable_ui::remote(client, UiOptions::new());
/// # drop(app);
/// # Ok::<(), durable_http::client::ClientError>(())
/// ```
pub fn remote(client: Client, options: UiOptions) -> Router {
    mounted(App::remote(client, options))
}

fn mounted(app: App) -> Router {
    let answer = move |request: Request| routes::answer(app.clone(), request);
    Router::new().route("/", any(answer.clone())).route("/{*rest}", any(answer))
}
