//! How a response with status 202 is followed up, and when the next poll is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::millis;
use super::response::HttpResponse;

/// The wait before the next poll if the response does not say how long.
const INTERVAL: Duration = Duration::from_secs(30);
/// The shortest wait. It keeps a server that answers `Retry-After: 0` from filling the history.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// How a request is followed up if its response has status 202 and a `Location`: the asynchronous
/// request-reply pattern.
///
/// The location is polled with `GET` until its response has another status, which is the result of
/// the call. Between polls the orchestration waits on a durable timer, for as long as `Retry-After`
/// says (in seconds or as a date), so polling survives restarts and may take months. Polls use the
/// headers, the timeout and the retry policy of the request.
///
/// * The location may be relative.
/// * A response without `Location` is the result, unless an earlier response had a location, which
///   is then polled again.
/// * If the location is of another origin (scheme, host and port), credentials are not sent there.
///
/// ```
/// use std::time::Duration;
///
/// use durable::http::{HttpPoll, HttpRequest};
///
/// let minutely = HttpPoll::on()
///     .interval(Duration::from_mins(1))
///     .max_interval(Duration::from_mins(10));
/// let request = HttpRequest::get("https://example.com/report").poll(minutely);
/// // The 202 itself is wanted.
/// let request = HttpRequest::get("https://example.com/report").poll(HttpPoll::off());
/// ```
#[must_use = "this does nothing until it is given to a request"]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpPoll {
    enabled: bool,
    #[serde(rename = "intervalMs", with = "millis")]
    interval: Duration,
    #[serde(
        rename = "maxIntervalMs",
        with = "millis::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    max_interval: Option<Duration>,
}

impl Default for HttpPoll {
    fn default() -> Self {
        Self { enabled: true, interval: INTERVAL, max_interval: None }
    }
}

impl HttpPoll {
    /// Polls every 30 seconds unless the server says otherwise. This is the default.
    pub fn on() -> Self {
        Self::default()
    }

    /// Does not poll: a response with status 202 is the result.
    pub fn off() -> Self {
        Self { enabled: false, ..Self::default() }
    }

    /// Sets the wait before the next poll if the response has no valid `Retry-After`: by default 30
    /// seconds, and at least 1 second.
    pub fn interval(self, interval: Duration) -> Self {
        Self { interval, ..self }
    }

    /// Limits the wait before the next poll, even if the server asks for a longer one. By default
    /// the server decides.
    pub fn max_interval(self, interval: Duration) -> Self {
        Self { max_interval: Some(interval), ..self }
    }

    pub(super) fn is_on(&self) -> bool {
        self.enabled
    }

    /// How long to wait before the next poll.
    pub(super) fn wait(&self, response: &HttpResponse, now: DateTime<Utc>) -> Duration {
        let asked = response.retry_after(now);
        let wait = asked.unwrap_or(self.interval);
        wait.min(self.max_interval.unwrap_or(Duration::MAX)).max(INTERVAL_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_wait_is_at_least_a_second_and_at_most_the_maximum() {
        let now = at("2026-01-01T00:00:00Z");
        let wait = |poll: &HttpPoll, value: &str| {
            let response = HttpResponse::new(202).with_header("Retry-After", value);
            poll.wait(&response, now).as_secs()
        };
        assert_eq!(wait(&HttpPoll::on(), "0"), 1);
        assert_eq!(wait(&HttpPoll::on(), "soon"), 30);
        assert_eq!(wait(&HttpPoll::on().interval(Duration::from_secs(7)), "soon"), 7);
        assert_eq!(wait(&HttpPoll::on().max_interval(Duration::from_mins(1)), "86400"), 60);
    }
}
