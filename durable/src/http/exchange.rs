//! The built-in activity: one request, with its token and its redirects.
//!
//! Rules:
//! 1. What the history records of a request is what the orchestrator gave: tokens, keys and trace are
//!    added here.
//! 2. The policy is asked about every URL before it is requested.
//! 3. A redirect to another origin gets no credentials.
//! 4. A status that the request retries is a failure of the attempt, so the engine retries it.

#[cfg(feature = "testing")]
use std::pin::Pin;
#[cfg(feature = "testing")]
use std::sync::Arc;

use reqwest::Url;

use super::client::HttpClient;
use super::error::HttpError;
use super::request::HttpRequest;
use super::response::HttpResponse;
use super::send::DynSend;
use crate::activity::ActivityContext;
#[cfg(feature = "testing")]
use crate::definition::{Definition, Entry};
#[cfg(feature = "testing")]
use crate::protocol::{FailureDetails, Json};

/// The built-in activity.
#[cfg(feature = "testing")]
pub(crate) const ENTRY: Entry = <send_http as Definition>::ENTRY;

/// Sends a request of `ctx.call_http(..)`. Its attribute registers it, so every hub has it.
#[crate::activity(name = "durable.HttpCall", crate = crate)]
pub(super) async fn send_http(
    ctx: &ActivityContext,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    let client = client(ctx)?;
    exchange(ctx, &client, &*client.sender(), request).await
}

impl ActivityContext {
    /// Sends an HTTP request and returns the response, whatever its status. Requires the feature
    /// `http`.
    ///
    /// The request is sent like one of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http):
    /// by the hub's [sender](crate::client::TaskHubBuilder::http_sender), under its
    /// [policy](crate::http::HttpPolicy), with its token sources, the trace context and redirects.
    /// However, the history does not contain the request, so its header fields may contain secrets.
    /// The request is sent once: its polling, retries and deadline do not apply.
    ///
    /// # Errors
    /// If no response arrives within the [timeout](HttpRequest::timeout) of the request, or the
    /// request is invalid or refused.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::http::HttpRequest;
    ///
    /// #[activity]
    /// async fn alert(ctx: &ActivityContext, text: &str) -> Result<u16> {
    ///     let key = std::env::var("ALERTS_KEY").unwrap_or_default();
    ///     let request = HttpRequest::post("https://alerts.example.com").text(text);
    ///     Ok(ctx.send_http(request.header("x-key", key)).await?.status())
    /// }
    /// ```
    pub async fn send_http(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let client = client(self)?;
        let sender = client.sender();
        let (url, limit) = (request.url().to_owned(), request.time_limit());
        let sent = exchange(self, &client, &*sender, request.sent_once());
        match tokio::time::timeout(limit, sent).await {
            Ok(result) => result,
            Err(_) => Err(HttpError::Timeout { url, limit }),
        }
    }
}

fn client(ctx: &ActivityContext) -> Result<crate::activity::State<HttpClient>, HttpError> {
    ctx.states().find().map_err(HttpError::Failed)
}

/// Runs the activity with `sender` in place of the hub's, for a mock.
#[cfg(feature = "testing")]
pub(crate) fn run_with(
    context: ActivityContext,
    request: HttpRequest,
    sender: Arc<dyn DynSend>,
) -> Pin<Box<dyn Future<Output = Result<Json, FailureDetails>> + Send>> {
    Box::pin(async move {
        let result = match client(&context) {
            Ok(client) => exchange(&context, &client, &*sender, request).await,
            Err(error) => Err(error),
        };
        crate::__private_0_1::finish::<send_http>(result)
    })
}

async fn exchange(
    ctx: &ActivityContext,
    client: &HttpClient,
    sender: &dyn DynSend,
    request: HttpRequest,
) -> Result<HttpResponse, HttpError> {
    if let Some(fault) = request.fault() {
        return Err(HttpError::invalid(request.url(), fault));
    }
    let policy = client.policy();
    let is_retried = |status| request.retrying().is_some_and(|retry| retry.is_retried(status));
    let mut url = Url::parse(request.url())
        .map_err(|error| HttpError::invalid(request.url(), format!("its URL: {error}")))?;
    // Before the token is fetched, because a refused request needs none.
    policy.check(&url)?;
    let mut next = dressed(ctx, client, request.clone()).await?;
    for followed in 0.. {
        policy.check(&url)?;
        let response = sender.send(next.clone()).await?.from(url.as_str());
        let (status, size) = (response.status(), response.body_size());
        if u64::try_from(size).is_ok_and(|size| size > request.response_limit()) {
            return Err(HttpError::too_large(url.as_str(), request.response_limit()));
        }
        let Some(to) = redirect(&url, &response).filter(|_| request.redirects() > 0) else {
            return if is_retried(status) {
                Err(HttpError::Status(response))
            } else {
                Ok(response)
            };
        };
        if followed >= request.redirects() {
            return Err(HttpError::TooManyRedirects { url: to.into(), limit: request.redirects() });
        }
        next = next.moved(&url, &to);
        // As browsers and other clients do.
        let is_post = next.method().eq_ignore_ascii_case("POST");
        let is_head = next.method().eq_ignore_ascii_case("HEAD");
        if (status == 303 && !is_head) || ([301, 302].contains(&status) && is_post) {
            next = next.into_get();
        }
        url = to;
    }
    unreachable!("the number of redirects is limited")
}

/// Where a response redirects to.
fn redirect(from: &Url, response: &HttpResponse) -> Option<Url> {
    let is_redirect = [301, 302, 303, 307, 308].contains(&response.status());
    from.join(response.location().filter(|_| is_redirect)?).ok()
}

/// The request with everything that the history does not record.
async fn dressed(
    ctx: &ActivityContext,
    client: &HttpClient,
    mut request: HttpRequest,
) -> Result<HttpRequest, HttpError> {
    let wants_key = request.wants_idempotency_key();
    let token = match request.token_name() {
        Some(name) => Some(client.token(name, ctx).await?),
        None => None,
    };
    let fields = request.fields();
    if wants_key {
        fields.set_default("idempotency-key", || ctx.idempotency_key());
    }
    if let Some(trace) = ctx.trace_context() {
        fields.set("traceparent", trace.traceparent.clone());
        if let Some(tracestate) = &trace.tracestate {
            fields.set("tracestate", tracestate.clone());
        }
    }
    fields.set_default("user-agent", || concat!("durable/", env!("CARGO_PKG_VERSION")).to_owned());
    if let Some(token) = token {
        let (name, value) = token.field();
        fields.set(name, value.to_owned());
    }
    Ok(request)
}
