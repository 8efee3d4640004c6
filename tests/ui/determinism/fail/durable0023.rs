#![allow(unused)]

use durable::prelude::*;

use std::thread_local as local;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> u32 {
    static COUNT: u32 = 0;
    static mut LAST: u32 = 0;
    thread_local! {
        static SEEN: u32 = const { 0 };
    }
    local! {
        static OTHER: u32 = const { 0 };
    }
    COUNT
}

fn main() {}
