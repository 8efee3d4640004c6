use durable::prelude::*;

#[orchestrator]
async fn order(cents: u32, card: String) -> Result<String> {
    Ok(format!("{cents} {card}"))
}

fn main() {}
