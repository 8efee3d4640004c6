use durable::prelude::*;

struct Shop {
    price: u32,
}

impl Shop {
    #[activity]
    fn total(&self, ctx: &ActivityContext, items: u32) -> u32 {
        self.price * items
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext, items: u32) -> Result<u32> {
    let shop = Shop { price: 5 };
    Ok(shop.total(items).await? + shop.total(1).spawn().await?)
}

fn main() {}
