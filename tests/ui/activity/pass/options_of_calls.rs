//! Options on how an activity is called.

#![deny(warnings, missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

use std::time::Duration;

use durable::__private_0_1::{CallDefaults, Definition, RetrySettings};
use durable::prelude::*;

#[activity]
async fn nothing() {}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "500ms"))]
async fn least() {}

#[activity(
    name = "everything",
    version = "2",
    retry(
        max_number_of_attempts = 5,
        first_retry_interval = "1.5s",
        backoff_coefficient = 2,
        max_retry_interval = "1m",
        retry_timeout = "1h30m",
        jitter = 0.2,
    ),
    timeout = "2h",
    attempt_timeout = "30s",
    max_concurrent = 8,
    crate = durable
)]
async fn most(n: u32) -> u32 {
    n
}

/// Gives an activity a timeout.
macro_rules! within {
    ($time:literal, $count:literal, $function:ident) => {
        #[activity(timeout = $time, max_concurrent = $count)]
        async fn $function() {}
    };
}

within!("7d", 1, from_a_macro);

fn main() {
    let CallDefaults { retry, timeout, attempt_timeout, max_concurrent } = nothing::ENTRY.options;
    assert!(retry.is_none() && timeout.is_none());
    assert!(attempt_timeout.is_none() && max_concurrent.is_none());

    let retry = least::ENTRY.options.retry;
    assert_eq!(retry, Some(RetrySettings::new(3, Duration::from_millis(500))));

    let CallDefaults { retry, timeout, attempt_timeout, max_concurrent } = most::ENTRY.options;
    let expected = RetrySettings {
        max_number_of_attempts: 5,
        first_retry_interval: Duration::from_millis(1500),
        backoff_coefficient: 2.0,
        max_retry_interval: Some(Duration::from_secs(60)),
        retry_timeout: Some(Duration::from_secs(90 * 60)),
        jitter: 0.2,
    };
    assert_eq!(retry, Some(expected));
    assert_eq!(timeout, Some(Duration::from_secs(2 * 60 * 60)));
    assert_eq!(attempt_timeout, Some(Duration::from_secs(30)));
    assert_eq!(max_concurrent, Some(8));

    let CallDefaults { timeout, max_concurrent, .. } = from_a_macro::ENTRY.options;
    assert_eq!(timeout, Some(Duration::from_secs(7 * 24 * 60 * 60)));
    assert_eq!(max_concurrent, Some(1));
}
