//! Types that are rejected inside an alias.
#![allow(unused)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use durable::prelude::*;

type Shared = Arc<Mutex<u32>>;

type Prices = Option<HashMap<String, u32>>;

type Both = (u32, Prices);

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> u32 {
    let shared = Shared::default();
    let prices: Both = (1, None);
    0
}

fn main() {}
