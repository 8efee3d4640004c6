use durable::prelude::*;

#[activity]
async fn charge(cents: u32) -> u32 {
    cents
}

async fn client(hub: TaskHub) -> Result<()> {
    let run = hub.find_instance::<charge>("charge-5").await?;
    Ok(())
}

fn main() {}
