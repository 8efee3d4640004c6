use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> u32 {
    cents
}

async fn client(hub: TaskHub) -> Result<()> {
    hub.start(charge(5)).await?;
    Ok(())
}

fn main() {}
