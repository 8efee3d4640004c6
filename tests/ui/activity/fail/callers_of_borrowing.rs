use durable::prelude::*;

#[activity]
async fn trim(text: &str) -> &str {
    text.trim()
}

#[activity]
async fn words(text: &'static str) -> Result<impl Iterator<Item = String>> {
    Ok(text.split(' ').map(str::to_owned))
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext, text: String) -> Result<usize> {
    let text: String = trim(&text).await?;
    Ok(words(&text).await?.count())
}

fn main() {}
