//! Which responses are retried, and when.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::millis;
use crate::retry::{RetryPolicy, RetrySettings};

/// Statuses after which the same request may succeed: the server says so, or has a problem of its
/// own.
const TRANSIENT: [u16; 8] = [408, 425, 429, 500, 502, 503, 504, 507];

/// How a request is retried: as a [`RetryPolicy`], and after which statuses.
///
/// An attempt fails if no response arrives (no connection, a timeout), or if its status is one of
/// [`statuses`](Self::statuses). The runtime retries, as for every activity: a failed attempt is one
/// event in the history. If the last attempt fails by its status, the call fails with
/// [`HttpError::Status`](super::HttpError::Status), which has that response.
///
/// Each failed attempt is recorded with its response. Where error pages are large, limit
/// [`max_response`](super::HttpRequest::max_response).
///
/// ```
/// use std::time::Duration;
///
/// use durable::http::HttpRetry;
///
/// // Five attempts, with 1, 2, 4 and 8 seconds between them, for statuses that often pass.
/// let retry = HttpRetry::new(5, Duration::from_secs(1)).backoff_coefficient(2.0);
/// // As well as "not found", because the page is published soon.
/// let retry = retry.statuses([404, 429, 500, 502, 503, 504]);
/// ```
#[must_use = "a policy does nothing until it is given to a request"]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRetry {
    max_number_of_attempts: u32,
    #[serde(rename = "firstRetryIntervalMs", with = "millis")]
    first_retry_interval: Duration,
    #[serde(default = "constant")]
    backoff_coefficient: f64,
    #[serde(
        rename = "maxRetryIntervalMs",
        with = "millis::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    max_retry_interval: Option<Duration>,
    #[serde(
        rename = "retryTimeoutMs",
        with = "millis::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    retry_timeout: Option<Duration>,
    #[serde(default)]
    jitter: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    statuses: Option<Vec<u16>>,
}

fn constant() -> f64 {
    1.0
}

impl HttpRetry {
    /// Makes up to this many attempts, *including the first*. The first retry comes after
    /// `first_retry_interval`.
    pub fn new(max_number_of_attempts: u32, first_retry_interval: Duration) -> Self {
        Self {
            max_number_of_attempts,
            first_retry_interval,
            backoff_coefficient: constant(),
            max_retry_interval: None,
            retry_timeout: None,
            jitter: 0.0,
            statuses: None,
        }
    }

    /// Sets the backoff, as [`RetryPolicy::backoff_coefficient`] does.
    pub fn backoff_coefficient(self, coefficient: f64) -> Self {
        Self { backoff_coefficient: coefficient, ..self }
    }

    /// Limits the interval, as [`RetryPolicy::max_retry_interval`] does.
    pub fn max_retry_interval(self, interval: Duration) -> Self {
        Self { max_retry_interval: Some(interval), ..self }
    }

    /// Limits the time, as [`RetryPolicy::retry_timeout`] does.
    pub fn retry_timeout(self, timeout: Duration) -> Self {
        Self { retry_timeout: Some(timeout), ..self }
    }

    /// Sets the jitter, as [`RetryPolicy::jitter`] does.
    pub fn jitter(self, fraction: f64) -> Self {
        Self { jitter: fraction, ..self }
    }

    /// Retries these statuses instead of 408, 425, 429, 500, 502, 503, 504 and 507. A response with
    /// any other status is the result of the call.
    pub fn statuses(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        Self { statuses: Some(statuses.into_iter().collect()), ..self }
    }

    pub(super) fn is_retried(&self, status: u16) -> bool {
        self.statuses.as_deref().unwrap_or(&TRANSIENT).contains(&status)
    }

    pub(super) fn policy(&self) -> RetryPolicy {
        RetryPolicy::declared(RetrySettings {
            max_number_of_attempts: self.max_number_of_attempts,
            first_retry_interval: self.first_retry_interval,
            backoff_coefficient: self.backoff_coefficient,
            max_retry_interval: self.max_retry_interval,
            retry_timeout: self.retry_timeout,
            jitter: self.jitter,
        })
    }
}
