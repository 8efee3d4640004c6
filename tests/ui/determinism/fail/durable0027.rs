use durable::prelude::*;

macro_rules! twice {
    ($e:expr) => {
        $e + $e
    };
}

macro_rules! info {
    ($($text:tt)*) => {
        drop(format!($($text)*))
    };
}

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    let sum = twice!(double(1).await?);
    info!("doubled: {}", double(2).await?);
    debug_assert!(double(3).await? == 6);
    let is_four = matches!(double(2).await, Ok(n) if n == 4);
    Ok(sum + u32::from(is_four))
}

fn main() {}
