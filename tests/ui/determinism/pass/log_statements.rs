//! The attributes of a log statement apply to it.

#![deny(warnings)]

use durable::prelude::*;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    #[cfg(any())]
    tracing::debug!("{}", only_with_another_feature(&n));
    #[allow(clippy::print_with_newline, unused_parens)]
    tracing::info!("{}", (n));
    if n > 5 {
        #[cfg(any())]
        tracing::debug!("{}", only_with_another_feature(&n))
    }
    Ok(double(n).await?)
}

fn main() {
    drop(order(1));
}
