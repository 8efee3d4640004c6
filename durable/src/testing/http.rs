//! Mocks of HTTP: what answers the requests of `ctx.call_http(..)` in a test, and after which time.

use std::sync::Arc;
use std::time::Duration;

use super::builder::TestHubBuilder;
use super::hub::TestHub;
use crate::activity::{ActivityContext, ActivityRun};
use crate::definition::Entry;
use crate::http::{self, HttpError, HttpRequest, HttpResponse, HttpSend};
use crate::protocol::{FailureDetails, Json};

type Answer = dyn Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync;
type Takes = dyn Fn(&HttpRequest) -> Duration + Send + Sync;

/// The mock of HTTP, if there is one.
#[derive(Clone, Default)]
pub(super) struct HttpMock {
    answer: Option<Arc<Answer>>,
    takes: Option<Arc<Takes>>,
}

/// Answers with the mock.
struct Mocked(Arc<Answer>);

impl HttpSend for Mocked {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        (self.0)(&request)
    }
}

impl HttpMock {
    /// Runs the built-in activity with the mock; `None` if it is another activity, or there is no
    /// mock.
    pub(super) fn run(
        &self,
        entry: &Entry,
        context: &ActivityContext,
        input: &Json,
    ) -> Option<Result<ActivityRun, FailureDetails>> {
        let answer = self.answer.as_ref().filter(|_| entry.name == http::ENTRY.name)?;
        let request = match input.read::<HttpRequest>() {
            Ok(request) => request,
            Err(error) => {
                let message = format!("the request cannot be read: {error}");
                let failure = FailureDetails::new(FailureDetails::INVALID_INPUT, message);
                return Some(Err(failure.non_retriable()));
            }
        };
        let time = self.takes.as_ref().map_or(Duration::ZERO, |takes| takes(&request));
        let run = http::run_with(context.clone(), request, Arc::new(Mocked(Arc::clone(answer))));
        Some(Ok(match time {
            Duration::ZERO => ActivityRun::Async(run),
            Duration::MAX => ActivityRun::Never(context.cancellation_token().clone()),
            time => ActivityRun::After(time, run),
        }))
    }
}

impl TestHubBuilder {
    /// Answers the requests of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http) with this
    /// function. Nothing is sent.
    ///
    /// The function gets every request as it would be sent: each attempt, each redirect and each poll,
    /// with the token, the `Idempotency-Key` and the `traceparent`. Everything around it is what runs in
    /// production, including the [policy](crate::http::HttpPolicy) as far as it reads URLs. Waits
    /// between polls take virtual time.
    ///
    /// ```standalone_crate
    /// # use durable::prelude::*;
    /// # use durable::testing::TestHub;
    /// use durable::http::{HttpRequest, HttpResponse};
    ///
    /// #[orchestrator]
    /// async fn report(ctx: &OrchestrationContext) -> Result<String> {
    ///     let response = ctx.call_http(HttpRequest::post("https://example.com/reports")).await?;
    ///     Ok(response.text().unwrap_or_default().to_owned())
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TestHub::builder().mock_http(|request| Ok(match request.method() {
    ///     "POST" => HttpResponse::new(202)
    ///         .with_header("Location", "/reports/7")
    ///         .with_header("Retry-After", "7200"),
    ///     _ => HttpResponse::new(200).with_text("42 pages"),
    /// }));
    /// let hub = hub.open().await?;
    /// let began = hub.now();
    /// assert_eq!(hub.start(report()).await?.result().await?, "42 pages");
    /// assert_eq!((hub.now() - began).num_hours(), 2);
    /// assert_eq!(hub.http_requests()[1].url(), "https://example.com/reports/7");
    /// # Ok(())
    /// # }
    /// ```
    pub fn mock_http(
        mut self,
        answer: impl Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync + 'static,
    ) -> Self {
        self.mocks.http.answer = Some(Arc::new(answer));
        self
    }

    /// Lets each attempt take the virtual time that this function returns, before the function of
    /// [`mock_http`](Self::mock_http) answers it. With [`Duration::MAX`], it is never answered.
    ///
    /// The function gets the request as it is recorded, once for all its redirects. The time counts
    /// towards the timeout of the request and the deadline of the call.
    pub fn http_takes(
        mut self,
        time: impl Fn(&HttpRequest) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.mocks.http.takes = Some(Arc::new(time));
        self
    }
}

impl TestHub {
    /// The requests of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http), mocked or not, in
    /// the order in which they began, as they are recorded: each attempt and each poll is one, a
    /// redirect is none.
    ///
    /// # Panics
    /// A recorded request cannot be read.
    pub fn http_requests(&self) -> Vec<HttpRequest> {
        let read = |input: Json| match input.read() {
            Ok(request) => request,
            Err(error) => panic!("the request {input} cannot be read: {error}"),
        };
        self.opened_with().mocks.calls(&http::ENTRY).into_iter().map(read).collect()
    }
}
