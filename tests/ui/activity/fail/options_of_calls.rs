//! Several errors together, without further errors at the callers.

use durable::prelude::*;

#[activity(
    retry(max_number_of_attempts = -1, first_retry_interval = "1 s", jitter = 2.0),
    attempt_timeout = "5",
    max_concurrent = 1.5,
)]
async fn charge(cents: u32) -> Result<String> {
    Ok(cents.to_string())
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<String> {
    Ok(charge(5).await?)
}

fn main() {}
