//! How a test answers the requests of `ctx.call_http(..)`, and which requests were made.

use std::sync::Arc;
use std::time::Duration;

use super::builder::TestHubBuilder;
use super::http_mock::{Answer, Mocked};
use super::hub::TestHub;
use crate::http::{self, HttpError, HttpRequest, HttpResponse};
use crate::protocol::Json;

impl TestHubBuilder {
    /// Answers the requests of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http), and of
    /// [`ctx.send_http(..)`](crate::ActivityContext::send_http) in activities, with this function. Nothing
    /// is sent.
    ///
    /// The function gets every request as it would be sent: each attempt, each redirect and each
    /// poll, with the token, the `Idempotency-Key` and the `traceparent`. Everything else runs as
    /// in production, including the checks of URLs by the [policy](crate::http::HttpPolicy). Waits
    /// between polls take virtual time.
    ///
    /// ```
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
        let answer: Arc<Answer> = Arc::new(answer);
        // For the requests of activities.
        self.hub = self.hub.http_sender(Mocked(Arc::clone(&answer)));
        self.mocks.http.answer = Some(answer);
        self
    }

    /// Makes each attempt take the virtual time that this function returns, before the function of
    /// [`mock_http`](Self::mock_http) answers. With [`Duration::MAX`], the attempt is never
    /// answered.
    ///
    /// This function gets the request as it is recorded, once for all its redirects. The time
    /// counts towards the timeout of the request and the deadline of the call.
    ///
    /// ```
    /// use durable::http::HttpResponse;
    /// use durable::testing::TestHub;
    /// use std::time::Duration;
    ///
    /// // Every answer takes 5 s of virtual time.
    /// let builder = TestHub::builder()
    ///     .mock_http(|_| Ok(HttpResponse::new(200)))
    ///     .http_takes(|_| Duration::from_secs(5));
    /// # let _ = builder;
    /// ```
    pub fn http_takes(
        mut self,
        time: impl Fn(&HttpRequest) -> Duration + Send + Sync + 'static,
    ) -> Self {
        self.mocks.http.takes = Some(Arc::new(time));
        self
    }
}

impl TestHub {
    /// Returns the requests of [`ctx.call_http(..)`](crate::OrchestrationContext::call_http),
    /// mocked or not, as they are recorded, in the order in which they began. Each attempt and each
    /// poll is a request of its own, but a redirect is not.
    ///
    /// ```
    /// use durable::testing::TestHub;
    ///
    /// fn assert_polled_once(hub: &TestHub) {
    ///     let requests = hub.http_requests();
    ///     assert_eq!(requests.iter().filter(|request| request.method() == "GET").count(), 1);
    /// }
    /// ```
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
