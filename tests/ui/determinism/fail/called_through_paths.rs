//! Violations in functions and macros of the same file that are called by a longer path.
#![allow(unused)]

use durable::prelude::*;

use std::time::SystemTime;

fn now() -> SystemTime {
    SystemTime::now()
}

mod clocks {
    pub fn now() -> std::time::SystemTime {
        std::time::SystemTime::now()
    }

    pub fn through_a_path() -> std::time::SystemTime {
        self::now()
    }
}

macro_rules! shout {
    ($text:expr) => {
        println!("{}", $text)
    };
}

mod flows {
    use durable::prelude::*;

    #[orchestrator]
    pub async fn order(ctx: &OrchestrationContext) {
        shout!("from the module above");
        super::now();
    }
}

#[orchestrator]
async fn order_here(ctx: &OrchestrationContext) {
    self::now();
    crate::now();
    clocks::through_a_path();
}

fn main() {}
