//! Options on how an orchestrator is called by another.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::__private_0_1::{Definition, RetrySettings};
use durable::prelude::*;

#[orchestrator(retry(max_number_of_attempts = 3, first_retry_interval = "10s"), timeout = "1d")]
async fn order(ctx: &OrchestrationContext) {}

fn main() {
    let options = order::ENTRY.options;
    assert_eq!(options.retry, Some(RetrySettings::new(3, Duration::from_secs(10))));
    assert_eq!(options.timeout, Some(Duration::from_hours(24)));
}
