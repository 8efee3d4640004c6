//! Return types of an activity.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

type AppResult<T> = std::result::Result<T, Error>;

#[activity]
async fn nothing() {}

#[activity]
async fn unit() -> () {}

#[activity]
async fn plain() -> Vec<Option<u32>> {
    vec![Some(1)]
}

#[activity]
async fn result() -> Result<(u8, String)> {
    Ok((1, String::new()))
}

#[activity]
async fn of_the_library() -> std::result::Result<(), Error> {
    Ok(())
}

#[activity]
async fn by_another_name() -> AppResult<u8> {
    Ok(1)
}

#[orchestrator]
async fn all(ctx: &OrchestrationContext) -> Result<u8> {
    let (): () = nothing().await?;
    let (): () = unit().await?;
    let _: Vec<Option<u32>> = plain().await?;
    let (one, _): (u8, String) = result().await?;
    let (): () = of_the_library().await?;
    Ok(one + by_another_name().await?)
}

fn main() {
    drop(all());
}
