//! The mock of HTTP: it runs the built-in activity with a function in place of the network.

use std::sync::Arc;
use std::time::Duration;

use crate::activity::{ActivityContext, ActivityRun};
use crate::definition::Entry;
use crate::http::{self, HttpError, HttpRequest, HttpResponse, HttpSend};
use crate::protocol::{FailureDetails, Json};

pub(super) type Answer = dyn Fn(&HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync;
pub(super) type Takes = dyn Fn(&HttpRequest) -> Duration + Send + Sync;

/// The mock of HTTP, if there is one.
#[derive(Clone, Default)]
pub(super) struct HttpMock {
    pub(super) answer: Option<Arc<Answer>>,
    pub(super) takes: Option<Arc<Takes>>,
}

/// Answers with the mock.
pub(super) struct Mocked(pub(super) Arc<Answer>);

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
