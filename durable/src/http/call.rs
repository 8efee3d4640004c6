//! The loop of a durable HTTP call: request, and while the response is a 202, wait and poll.
//!
//! The histories of running instances record its requests and their order, so any change here must
//! fit them.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::error::HttpError;
use super::exchange::send_http;
use super::follow::next_poll;
use super::request::HttpRequest;
use super::response::HttpResponse;
use crate::error::TaskFailed;
use crate::orchestration::scope::Scope;
use crate::orchestration::{Durable, OrchestrationContext, Timer};
use crate::protocol::{FailureDetails, Timestamp};

impl OrchestrationContext {
    /// Sends an HTTP request and returns the response, whatever its status. Requires the feature
    /// `http`.
    ///
    /// The request is sent by an activity of this crate when the call is awaited. If it is answered
    /// with 202 and a `Location`, the location is polled until there is a result. The module
    /// [`http`](crate::http) describes what else a call does.
    ///
    /// Like every durable future, it can be joined, raced and dropped, which cancels it.
    ///
    /// # Errors
    /// The future fails with an [`HttpError`] if no response arrives, if the request is invalid or
    /// refused, or if the last attempt still receives a status that is retried.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::http::HttpRequest;
    ///
    /// #[orchestrator]
    /// async fn check_sites(ctx: &OrchestrationContext, urls: Vec<String>) -> Result<Vec<u16>> {
    ///     let calls = urls.into_iter().map(|url| ctx.call_http(HttpRequest::head(url)));
    ///     let responses = durable::try_join_all(calls).await?;
    ///     Ok(responses.iter().map(|response| response.status()).collect())
    /// }
    /// ```
    #[track_caller]
    #[doc(alias = "fetch")]
    pub fn call_http(&self, request: HttpRequest) -> HttpCall {
        let (scope, source) = (Rc::clone(self.scope()), Location::caller());
        let url = request.url().to_owned();
        HttpCall { url, work: Box::pin(call(scope, request, source)) }
    }
}

/// A durable HTTP call, made by [`ctx.call_http(..)`](OrchestrationContext::call_http).
///
/// ```
/// # use durable::prelude::*;
/// use durable::http::HttpRequest;
///
/// #[orchestrator]
/// async fn two_sites(ctx: &OrchestrationContext) -> Result<bool> {
///     let a = ctx.call_http(HttpRequest::get("https://a.example"));
///     let b = ctx.call_http(HttpRequest::get("https://b.example"));
///     let (a, b) = durable::try_join((a, b)).await?;
///     Ok(a.is_success() && b.is_success())
/// }
/// ```
#[must_use = "a call does nothing until it is awaited"]
pub struct HttpCall {
    url: String,
    work: Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>>>>,
}

#[diagnostic::do_not_recommend]
impl Durable for HttpCall {}

impl Future for HttpCall {
    type Output = Result<HttpResponse, HttpError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.as_mut().poll(cx)
    }
}

impl fmt::Debug for HttpCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpCall({})", self.url)
    }
}

async fn call(
    scope: Rc<Scope>,
    mut request: HttpRequest,
    source: &'static Location<'static>,
) -> Result<HttpResponse, HttpError> {
    let ends = request.time_limit_of_call().map(|limit| scope.clock().after(limit));
    let (mut last, mut is_poll) = (None, false);
    loop {
        let sent = send(&request, remaining(ends, scope.clock()), source).await;
        let response = sent.map_err(|failed| failure(failed, &request, &mut last))?;
        let Some(next) = next_poll(&request, &response, is_poll) else { return Ok(response) };
        let now = scope.clock();
        let due = now.after(request.polling().wait(&response, now.to_datetime()));
        request = next;
        last = Some(response);
        is_poll = true;
        if ends.is_some_and(|ends| due >= ends) {
            return Err(past_deadline(&request, last.take()));
        }
        Timer::new(Rc::clone(&scope), due.to_datetime(), source).await;
    }
}

/// Sends the request once, with its retries.
async fn send(
    request: &HttpRequest,
    remaining: Option<std::time::Duration>,
    source: &'static Location<'static>,
) -> Result<HttpResponse, TaskFailed<HttpError>> {
    let mut call = send_http(request.clone()).attempt_timeout(request.time_limit());
    call.source = source;
    if let Some(retry) = request.retrying() {
        call = call.retry(retry.policy());
    }
    if let Some(remaining) = remaining {
        call = call.timeout(remaining);
    }
    call.await
}

fn remaining(ends: Option<Timestamp>, now: Timestamp) -> Option<std::time::Duration> {
    ends.map(|ends| ends.since(now))
}

/// The error of a call whose activity has failed.
fn failure(
    failed: TaskFailed<HttpError>,
    request: &HttpRequest,
    last: &mut Option<HttpResponse>,
) -> HttpError {
    failed.into_error_or_else(|details| match &*details.error_type {
        // The limit of an attempt may be retried, that of the call is final.
        FailureDetails::TIMEOUT if details.non_retriable => past_deadline(request, last.take()),
        FailureDetails::TIMEOUT => {
            HttpError::Timeout { url: request.url().to_owned(), limit: request.time_limit() }
        }
        FailureDetails::INVALID_INPUT => HttpError::invalid(request.url(), details.message),
        _ => HttpError::Failed(details),
    })
}

fn past_deadline(request: &HttpRequest, last: Option<HttpResponse>) -> HttpError {
    HttpError::Deadline {
        url: request.url().to_owned(),
        limit: request.time_limit_of_call().unwrap_or_default(),
        last: last.map(Box::new),
    }
}
