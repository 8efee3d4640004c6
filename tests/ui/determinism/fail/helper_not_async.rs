#![allow(unused)]

use durable::prelude::*;

#[durable::helper]
fn double(n: u32) -> u32 {
    2 * n
}

struct Shop;

impl Shop {
    #[durable::helper]
    fn open(&self, ctx: &OrchestrationContext) {}
}

#[durable::helper(name = "x")]
async fn with_options() {}

#[durable::helper]
struct NotAFunction;

fn main() {}
