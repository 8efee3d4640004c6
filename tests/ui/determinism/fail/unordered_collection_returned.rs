//! An unordered collection is rejected as a return value, too.
use durable::prelude::*;

use std::collections::{HashMap, HashSet};

#[orchestrator]
async fn prices(ctx: &OrchestrationContext) -> Result<HashMap<String, u32>> {
    Ok(Default::default())
}

#[durable::helper]
async fn names() -> HashSet<String> {
    Default::default()
}

fn main() {}
