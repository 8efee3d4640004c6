use durable::prelude::*;

struct Shop {
    price: u32,
}

impl Shop {
    #[activity]
    async fn total(&self, items: u32) -> Result<u32> {
        Ok(self.price * items)
    }
}

fn main() {}
