#![allow(unused)]

use durable::prelude::*;

use std::collections::{HashMap, HashSet as Set};

type Table = HashMap<String, u32>;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, prices: HashMap<String, u32>) -> u32 {
    let full = std::collections::HashSet::<u32>::new();
    let used: HashMap<u32, u32> = [(1, 2)].into_iter().collect();
    let renamed = Set::<u32>::new();
    let alias = Table::new();
    let collected = [(1, 2)].into_iter().collect::<HashMap<_, _>>();
    prices.values().sum()
}

fn main() {}
