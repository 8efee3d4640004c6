//! A clock that is reached through `Self`, `self` and a constant.
#![allow(unused)]

use std::time::Instant;

use durable::prelude::*;

const NOW: fn() -> Instant = Instant::now;

struct Clock;

impl Clock {
    const NOW: fn() -> Instant = Instant::now;

    fn read() -> Instant {
        Instant::now()
    }

    fn elapsed(&self) -> Instant {
        Self::read()
    }

    #[durable::helper]
    async fn wait(&self) {
        let function = Self::read();
        let constant = Self::NOW();
        let method = self.elapsed();
    }
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    let constant = NOW();
    let member = Clock::NOW();
}

fn main() {}
