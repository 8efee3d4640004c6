//! Signatures whose types are fragments of a macro.

#![deny(warnings)]

use durable::prelude::*;

struct Pool(u32);

macro_rules! functions {
    ($context:ty, $pool:ty, $shared:ty, $path:ty, $result:ty) => {
        #[activity]
        async fn take(ctx: &ActivityContext, pool: $pool, shared: $shared, path: $path) -> $result {
            Ok(ctx.attempt() + pool.0 + shared.0 + u32::from(path.is_absolute()))
        }

        #[orchestrator]
        async fn order(ctx: $context, cents: u32) -> $result {
            Ok(cents)
        }
    };
}

functions!(
    &OrchestrationContext,
    State<Pool>,
    &State<Pool>,
    &std::path::Path,
    durable::Result<u32>
);

fn main() {
    drop((take("/".as_ref()), order(1)));
}
