//! Types of the user's crates that are named like rejected types.
#![deny(warnings)]

use durable::prelude::*;

// In place of another crate of the same workspace.
extern crate self as domain;

#[path = "../model.rs"]
pub mod model;

pub struct Timestamp(pub u32);

impl Timestamp {
    pub fn now(step: u32) -> Self {
        Self(step)
    }
}

pub struct ObjectId(pub u32);

impl ObjectId {
    pub fn new(n: u32) -> Self {
        Self(n)
    }
}

pub struct Stopwatch(pub u32);

impl Stopwatch {
    pub fn elapsed(&self) -> u32 {
        self.0
    }
}

#[macro_export]
macro_rules! query {
    ($text:literal) => {
        $text
    };
}

mod by_path {
    use domain::model::{Barrier, Command, Once};
    use domain::{ObjectId, Stopwatch as Instant, Timestamp};
    use durable::prelude::*;

    #[orchestrator]
    pub async fn ship(ctx: &OrchestrationContext) -> u32 {
        let _ = (Command::new("ship"), Barrier::new(), Once::Now, domain::query!("select"));
        let started = Instant(1);
        ObjectId::new(1).0 + Timestamp::now(1).0 + started.elapsed()
    }
}

mod by_glob {
    use crate::model::*;
    use durable::prelude::*;

    #[orchestrator]
    pub async fn ship(ctx: &OrchestrationContext) -> u32 {
        let _ = (Command::new("ship"), Barrier::new(), Once::Now, HashMap);
        1
    }
}

macro_rules! orchestration {
    ($name:ident) => {
        #[orchestrator]
        async fn $name(ctx: &OrchestrationContext) -> u32 {
            Timestamp::now(1).0
        }
    };
}

orchestration!(written);

fn main() {
    let _ = (by_path::ship(), by_glob::ship(), written());
}
