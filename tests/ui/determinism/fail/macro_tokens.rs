//! Names in macros whose arguments are not expressions.
#![allow(unused)]

use durable::prelude::*;

use std::time::SystemTime;

macro_rules! same {
    ($($name:ident: $value:expr),*) => {
        [$($value),*]
    };
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let json = serde_json::json!({ "at": SystemTime::now() });
    let same = same!(a: std::process::id(), b: 2);
}

fn main() {}
