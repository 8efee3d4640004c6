use durable::prelude::*;

#[activity]
fn first<T: Clone>(ctx: &ActivityContext, values: Vec<T>) -> T {
    values[ctx.attempt() as usize].clone()
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<String> {
    let names = vec!["Tokyo".to_owned()];
    let number: u32 = first::<u32>(vec![1]).spawn().await?;
    Ok(format!("{} {number}", first(names).await?))
}

fn main() {}
