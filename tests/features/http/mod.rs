//! Durable HTTP calls: with mocks in virtual time, and over a real socket (`socket.rs`).

mod activities;
mod polling;
mod requests;
mod retries;
mod secrets;
mod server;
mod socket;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use durable::client::ResultError;
use durable::http::{HttpError, HttpRequest, HttpResponse};
use durable::prelude::*;
use durable::testing::{TestHub, TestHubBuilder};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// Passes its input on, so that a test can send any request.
#[orchestrator]
async fn send_request(
    ctx: &OrchestrationContext,
    request: HttpRequest,
) -> std::result::Result<HttpResponse, HttpError> {
    ctx.call_http(request).await
}

/// The requests that a mock has seen, in order.
type Seen = Arc<Mutex<Vec<HttpRequest>>>;

/// A hub whose HTTP responses come from this function, which also gets the number of the request,
/// from 0; and the requests that it has seen.
fn mocked(
    answer: impl Fn(usize, &HttpRequest) -> Result<HttpResponse, HttpError> + Send + Sync + 'static,
) -> (TestHubBuilder, Seen) {
    let seen = Seen::default();
    let noted = Arc::clone(&seen);
    let hub = TestHub::builder().mock_http(move |request| {
        let number = {
            let mut noted = noted.lock().unwrap();
            noted.push(request.clone());
            noted.len() - 1
        };
        answer(number, request)
    });
    (hub, seen)
}

/// The result of a request.
async fn result(hub: &TestHub, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let run = hub.start(send_request(request)).await.unwrap();
    run.result().await.map_err(|error| match error {
        ResultError::Failed(failed) => {
            failed.into_error_or_else(|details| panic!("{}", details.message))
        }
        other => panic!("{other}"),
    })
}

fn urls(seen: &Seen) -> Vec<String> {
    seen.lock().unwrap().iter().map(|request| request.url().to_owned()).collect()
}

fn accepted(location: &str) -> HttpResponse {
    HttpResponse::new(202).with_header("Location", location)
}
