//! `async` blocks in a foreign `join!` cause no second error, and its `use` counts as used.
#![deny(unused)]

// In place of the crate of this name.
extern crate self as futures;

mod flows {
    use durable::prelude::*;
    use futures::join;

    #[activity]
    async fn double(n: u32) -> Result<u32> {
        Ok(2 * n)
    }

    #[orchestrator]
    async fn order(ctx: &OrchestrationContext) -> Result<u32> {
        let (one, two) = join!(async { double(1).await }, async { double(2).await });
        Ok(one? + two?)
    }
}

#[macro_export]
macro_rules! join {
    ($($part:expr),*) => {
        ($($part.await),*)
    };
}

fn main() {}
