//! Parameters that are patterns.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Point {
    x: u32,
    y: u32,
}

#[activity]
async fn count_down(mut n: u32) -> u32 {
    n -= 1;
    n
}

#[activity]
async fn sum((a, b): (u32, u32), [c, d]: [u32; 2], Point { x, y }: Point) -> u32 {
    a + b + c + d + x + y
}

#[activity]
async fn unused(_: &ActivityContext, _n: u32) {}

fn main() {
    drop((count_down(2), sum((1, 2), [3, 4], Point { x: 5, y: 6 })));
}
