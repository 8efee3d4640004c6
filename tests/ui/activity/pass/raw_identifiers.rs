//! Names that are keywords.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity]
async fn r#match(r#type: u32, r#struct: &str) -> String {
    format!("{} {}", r#type, r#struct)
}

#[orchestrator]
async fn r#loop(ctx: &OrchestrationContext, r#fn: u32) -> Result<String> {
    Ok(r#match(r#fn, "a").await?)
}

fn main() {
    drop(r#loop(1));
}
