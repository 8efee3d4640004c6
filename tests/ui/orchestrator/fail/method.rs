use durable::prelude::*;

struct Shop {
    price: u32,
}

impl Shop {
    #[orchestrator]
    async fn order(&self, ctx: &OrchestrationContext, items: u32) -> Result<u32> {
        Ok(self.price * items)
    }
}

fn main() {}
