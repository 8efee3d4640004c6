#![allow(unused)]

use durable::prelude::*;

use std::hash::{BuildHasher, RandomState as Hasher};

// In place of the crate of this name.
extern crate self as rand;

pub fn random() -> u64 {
    5
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> u64 {
    use rand::random;
    use rand::random as draw;

    let hasher = Hasher::new();
    let full = rand::random();
    let used = random();
    let renamed = draw();
    full
}

fn main() {}
