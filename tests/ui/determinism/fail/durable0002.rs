#![allow(unused)]

use durable::prelude::*;

// In place of the crate of this name.
extern crate self as uuid;

pub struct Uuid;

impl Uuid {
    pub fn new_v4() -> Self {
        Self
    }

    pub fn now_v7() -> Self {
        Self
    }
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) {
    use uuid::Uuid;
    use uuid::Uuid as Id;

    let full = uuid::Uuid::new_v4();
    let used = Uuid::now_v7();
    let renamed = Id::new_v4();
    let later = Some(1).map_or_else(Uuid::new_v4, |_| Uuid);
}

fn main() {}
