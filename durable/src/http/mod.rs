//! Durable HTTP calls: what [`ctx.call_http(..)`](crate::OrchestrationContext::call_http) takes and
//! returns. Requires the feature `http`.
//!
//! An orchestrator does no I/O. It passes an [`HttpRequest`] to `ctx.call_http(..)`, an activity of
//! this crate sends it, and the [`HttpResponse`] is recorded. Around that single request, the call
//!
//! * polls after a response with status 202 until the accepted work is done, with durable timers
//!   ([`HttpPoll`]);
//! * retries network failures and the statuses that an [`HttpRetry`] names;
//! * follows redirects, and sends credentials only to the origin of the request;
//! * gets tokens from a [`TokenSource`], so that no secret is stored;
//! * obeys the hub's [`HttpPolicy`], which can forbid internal addresses.
//!
//! An activity runs at least once, so after a crash a request may be sent again. `POST` and `PATCH`
//! carry an `Idempotency-Key`, which is the same each time.
//!
//! ```
//! # use durable::prelude::*;
//! # use std::time::Duration;
//! use durable::http::{HttpRequest, HttpRetry};
//!
//! #[orchestrator]
//! async fn render(ctx: &OrchestrationContext, film: String) -> Result<String> {
//!     let request = HttpRequest::post("https://render.example.com/films")
//!         .json(&film)
//!         .retry(HttpRetry::new(5, Duration::from_secs(1)).backoff_coefficient(2.0))
//!         .deadline(Duration::from_hours(6));
//!     // The farm answers 202 at once, and the film when it is done.
//!     let response = ctx.call_http(request).await?.error_for_status()?;
//!     Ok(response.text().unwrap_or_default().to_owned())
//! }
//! ```
//!
//! # Tests
//! [`TestHubBuilder::mock_http`](crate::testing::TestHubBuilder::mock_http) answers requests in a
//! test, and polling for hours takes no time there.

// Read next: `call.rs` (the loop in the orchestrator), `exchange.rs` (one request with its redirects,
// in the activity), `transport.rs` (the client on `reqwest`), `policy.rs` (which addresses).

mod body;
mod call;
mod client;
mod error;
mod exchange;
mod follow;
mod headers;
mod millis;
mod policy;
mod poll;
mod request;
mod response;
mod retry;
mod retry_after;
mod send;
mod token;
mod transport;

pub use self::call::HttpCall;
pub(crate) use self::client::{HttpClient, HttpOptions};
pub use self::error::HttpError;
#[cfg(feature = "testing")]
pub(crate) use self::exchange::{ENTRY, run_with};
pub use self::policy::HttpPolicy;
pub use self::poll::HttpPoll;
pub use self::request::HttpRequest;
pub use self::response::HttpResponse;
pub use self::retry::HttpRetry;
pub use self::send::HttpSend;
pub use self::token::{Secret, TokenSource};
