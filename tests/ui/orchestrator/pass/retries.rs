//! Retries: declared by the attribute, by the call, and with timeouts.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

const PATIENT: RetryPolicy = RetryPolicy::new(5, Duration::from_secs(1)).backoff_coefficient(2.0);

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum Declined {
    #[error("the card has {0} cents")]
    TooLittle(u64),
    #[error("the bank does not answer")]
    NoAnswer,
}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "5s"), attempt_timeout = "30s")]
async fn reserve(item: &str) -> Result<u64> {
    Ok(item.len() as u64)
}

#[activity]
async fn charge(cents: u64) -> Result<u64, Declined> {
    if cents > 500 { Err(Declined::TooLittle(500)) } else { Ok(cents) }
}

#[orchestrator]
async fn declared(ctx: &OrchestrationContext, item: String) -> Result<u64> {
    Ok(reserve(&item).await?)
}

#[orchestrator]
async fn patient(ctx: &OrchestrationContext, item: String) -> Result<u64> {
    let jittery = PATIENT.jitter(0.2).max_retry_interval(Duration::from_secs(30));
    Ok(reserve(&item).retry(jittery).timeout(Duration::from_mins(10)).await?)
}

/// The bank is asked again; who has no money is not.
#[orchestrator]
async fn picky(ctx: &OrchestrationContext, cents: u64) -> Result<u64> {
    let policy = PATIENT.handle(|retry| !retry.failure().message.contains("card"));
    Ok(charge(cents).retry(policy).await?)
}

#[orchestrator]
async fn what_is_left(ctx: &OrchestrationContext, cents: u64) -> Result<u64> {
    match charge(cents).retry(PATIENT).await {
        Ok(charged) => Ok(charged),
        Err(failed) => match failed.error() {
            Some(Declined::TooLittle(rest)) => Ok(charge(*rest).await?),
            Some(Declined::NoAnswer) | None => Err(failed.into()),
        },
    }
}

#[orchestrator(retry(max_number_of_attempts = 2, first_retry_interval = "1m"), timeout = "1h")]
async fn of_a_child(ctx: &OrchestrationContext, item: String) -> Result<u64> {
    Ok(patient(item).retry(RetryPolicy::new(2, Duration::from_secs(5))).await?)
}

fn main() {}
