//! Violations in plain functions and macros of the same file, called directly or indirectly.
#![allow(unused)]

use durable::prelude::*;

use std::time::SystemTime;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn is_late() -> bool {
    now() > SystemTime::UNIX_EPOCH
}

struct Begun(SystemTime);

impl Default for Begun {
    fn default() -> Self {
        Self(SystemTime::now())
    }
}

macro_rules! shout {
    ($text:expr) => {
        println!("{}", $text)
    };
}

macro_rules! wait {
    ($task:expr) => {
        $task.await
    };
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    fn region() -> Option<String> {
        std::env::var("REGION").ok()
    }
    if is_late() {
        shout!("late");
    }
    let begun = Begun::default();
    let place = Some(1).map(|_| region());
    let all: Vec<_> = std::iter::repeat_with(now).take(2).collect();
    Ok(wait!(double(1))?)
}

fn main() {}
