//! The async HTTP pattern for an app's own routes: answer 202 with links, or the output if it is ready
//! in time.

use std::time::Duration;

use axum::http::{StatusCode, request};
use axum::response::Response;
use durable::InstanceHandle;
use durable::client::ResultError;

use crate::durable_functions;
use crate::json;
use crate::links::Place;
use crate::options::HttpOptions;

/// The common beginning of the links in an answer: the host of the request, and the prefix at which
/// [`router`](crate::router) is mounted.
///
/// ```
/// use durable_http::{HttpOptions, Links};
///
/// /// The links of answers to this request, if the routes are mounted at `/hub`.
/// fn links(options: &HttpOptions, request: &axum::http::request::Parts) -> Links {
///     Links::new(options, request, "/hub")
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Links {
    options: HttpOptions,
    place: Place,
}

impl Links {
    /// Creates links for the client of this request. `options` are those of
    /// [`router`](crate::router), and `prefix` is where it is mounted (empty at the root).
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use axum::extract::{Request, State};
    /// use axum::response::Response;
    /// use durable_http::{HttpOptions, Links};
    ///
    /// # #[orchestrator]
    /// # async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> { Ok(cents) }
    /// async fn start_order(State(hub): State<TaskHub>, request: Request) -> Result<Response, String> {
    ///     let run = hub.start(order(500)).await.map_err(|error| error.to_string())?;
    ///     let (parts, _body) = request.into_parts();
    ///     Ok(durable_http::accepted(&run, &Links::new(&HttpOptions::new(), &parts, "/hub")))
    /// }
    /// # fn is_handler<T, S>(_: impl axum::handler::Handler<T, S>) {}
    /// # is_handler::<_, TaskHub>(start_order);
    /// ```
    pub fn new(options: &HttpOptions, request: &request::Parts, prefix: &str) -> Self {
        let mut place = Place::new(options, request, "", None);
        prefix.trim_end_matches('/').clone_into(&mut place.prefix);
        place.base = format!("{}{}", place.prefix, durable_functions::BASES[0]);
        Self { options: options.clone(), place }
    }

    /// Returns the same links with this key, for clients that sent no key.
    #[must_use]
    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.place.key = Some(key.into());
        self
    }
}

/// Answers 202 with the links of an instance: where its status is, and how it is managed.
///
/// The answer is that of `POST {base}/orchestrators/{name}`, so clients of Durable Functions
/// understand it: `Location` is the address of the status, and `Retry-After` is 10 s. See
/// [`Links::new`] for an example.
///
/// ```
/// use axum::response::Response;
/// use durable::InstanceHandle;
/// use durable_http::{Links, accepted};
///
/// fn answer(run: &InstanceHandle, links: &Links) -> Response {
///     accepted(run, links)
/// }
/// ```
pub fn accepted(run: &InstanceHandle, links: &Links) -> Response {
    durable_functions::accepted(&links.options, &links.place, run.instance_id())
}

/// Answers with the output of an instance if it ends within the limit, by the hub's clock, and
/// otherwise like [`accepted`].
///
/// The wait ends early when the [`Shutdown`](crate::Shutdown) of the options begins.
///
/// An instance that fails or is terminated in time is answered with 200 and its status, as
/// `POST {base}/orchestrators/{name}?timeout=..` does.
///
/// ```
/// # use std::time::Duration;
/// # use durable::prelude::*;
/// use axum::extract::{Request, State};
/// use axum::response::Response;
/// use durable_http::{HttpOptions, Links, wait_or_accepted};
///
/// # #[orchestrator]
/// # async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> { Ok(cents) }
/// async fn buy(State(hub): State<TaskHub>, request: Request) -> Result<Response, String> {
///     let run = hub.start(order(500)).await.map_err(|error| error.to_string())?;
///     let (parts, _body) = request.into_parts();
///     let links = Links::new(&HttpOptions::new(), &parts, "");
///     Ok(wait_or_accepted(&hub, &run, Duration::from_secs(5), &links).await)
/// }
/// # fn is_handler<T, S>(_: impl axum::handler::Handler<T, S>) {}
/// # is_handler::<_, TaskHub>(buy);
/// ```
pub async fn wait_or_accepted(
    hub: &durable::TaskHub,
    run: &InstanceHandle,
    limit: Duration,
    links: &Links,
) -> Response {
    let shutdown = links.options.shutdown.clone().unwrap_or_default();
    let result = tokio::select! {
        biased;
        result = hub.timeout(limit, run.result_json()) => result,
        () = shutdown.begun() => return accepted(run, links),
    };
    match result {
        Ok(Ok(output)) => json::answer(StatusCode::OK, &output),
        Ok(Err(ResultError::Failed(_) | ResultError::Terminated(_))) => {
            let ended = durable_functions::ended(run).await;
            ended.unwrap_or_else(|| accepted(run, links))
        }
        Ok(Err(_)) | Err(_) => accepted(run, links),
    }
}
