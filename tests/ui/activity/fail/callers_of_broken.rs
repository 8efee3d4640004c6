use durable::prelude::*;

#[activity]
async fn ask(_: u32) -> Result<String> {
    Ok("yes".to_owned())
}

#[activity(retries = 3)]
fn double(n: u32) -> u32 {
    2 * n
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext, n: u32) -> Result<String> {
    let twice: u32 = double(n).await?;
    let sum: u32 = durable::try_join_all([double(twice), double(n)]).await?.iter().sum();
    let answer: String = ask(sum).spawn().await?;
    Ok(answer.to_uppercase())
}

fn main() {}
