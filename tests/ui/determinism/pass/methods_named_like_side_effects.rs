//! Functions, macros and methods that only look as if they had side effects.

#![deny(warnings)]

use durable::prelude::*;

use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::SystemTime;

use own::*;

mod own {
    pub struct Shop;

    impl Shop {
        pub fn exists(&self) -> bool {
            true
        }

        pub fn elapsed(&self) -> u32 {
            1
        }
    }

    pub fn var(name: &str) -> usize {
        name.len()
    }
}

/// What an activity calls.
fn now() -> SystemTime {
    SystemTime::now()
}

fn kinds(names: &[&str]) -> usize {
    names.iter().collect::<HashSet<_>>().len()
}

macro_rules! most {
    ($first:expr, $($rest:expr),*) => {{
        let mut most = $first;
        $(most = most.max($rest);)*
        most
    }};
}

mod redis {
    pub fn count() -> usize {
        1
    }
}

mod inner {
    use super::*;

    #[orchestrator]
    pub async fn order(ctx: &OrchestrationContext) -> usize {
        redis::count()
    }
}

#[activity]
fn clock() -> bool {
    now() > SystemTime::UNIX_EPOCH
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, shop: Option<u32>) -> Result<usize> {
    fn twice(n: usize) -> usize {
        2 * n
    }
    let now = ctx.current_utc_datetime();
    let once = OnceCell::new();
    let length = *once.get_or_init(|| now.to_string().len());
    let shown = if Shop.exists() { Shop.elapsed() } else { 0 };
    for n in 0.. {
        if clock().await? || n > 5 {
            break;
        }
    }
    let kinds = most!(kinds(&["tea"]), twice(var("x")), length);
    match shop {
        Some(shown) => tracing_like(shown),
        None => tracing_like(1),
    }
    Ok(kinds + shown as usize)
}

fn tracing_like(_: u32) {}

fn main() {
    drop((order(None), inner::order()));
}
