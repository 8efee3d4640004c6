//! The user's types, modules and macros that are named like rejected ones.

#![deny(warnings)]

use durable::prelude::*;

use own::Instant;

mod own {
    #[derive(PartialEq)]
    pub struct Instant(u32);

    impl Instant {
        pub fn now() -> Self {
            Self(1)
        }
    }
}

mod fs {
    pub fn read(path: &str) -> usize {
        path.len()
    }
}

struct Mutex(u32);

struct HashMap;

impl HashMap {
    fn new() -> Self {
        Self
    }

    fn elapsed(&self) -> u32 {
        1
    }
}

enum Repeat {
    Once,
    Often,
}

fn repeat(n: usize) -> Repeat {
    if n == 1 { Repeat::Once } else { Repeat::Often }
}

fn sleep(seconds: u32) -> u32 {
    seconds
}

macro_rules! inform {
    ($($text:tt)*) => {
        format!($($text)*)
    };
}

macro_rules! info {
    ($text:expr) => {
        $text.len()
    };
    ($list:ident, $text:expr) => {
        $list.push($text)
    };
}

macro_rules! select {
    ($($n:expr),*) => {
        [$($n),*]
    };
}

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, spawn: u32) -> Result<usize> {
    struct Uuid;

    impl Uuid {
        fn new_v4() -> u32 {
            4
        }
    }

    let rand = Mutex(spawn).0;
    let env = [rand, Uuid::new_v4(), HashMap::new().elapsed(), sleep(1)];
    let same = Instant::now() == self::own::Instant::now();
    let twice = double(env[0]).spawn().await?;
    let text = inform!("{twice} {same}");
    let chosen = select!(1, 2);
    let length = info!("four");
    let mut list = Vec::new();
    info!(list, "no log: not left out of a replay");
    let repeated = matches!(repeat(list.len()), Repeat::Once);
    Ok(crate::fs::read("x") + fs::read(&text) + chosen.len() + length + usize::from(repeated))
}

fn main() {
    drop(order(1));
}
