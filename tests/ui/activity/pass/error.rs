//! A user's error type, which is returned as the original value.

#![deny(warnings, missing_docs, unreachable_pub)]

use serde::{Deserialize, Serialize};

use durable::prelude::*;

#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
enum Declined {
    #[error("only {balance} left")]
    NoMoney { balance: u32 },
}

#[activity]
async fn charge(cents: u32) -> Result<(), Declined> {
    Err(Declined::NoMoney { balance: cents })
}

#[activity]
async fn as_text() -> Result<u32, String> {
    Err("no".to_owned())
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    match charge(5).await {
        Ok(()) => Ok(as_text().await?),
        Err(failed) => match failed.error() {
            Some(Declined::NoMoney { balance }) => Ok(*balance),
            None => Err(failed.into()),
        },
    }
}

fn main() {
    drop(order());
}
