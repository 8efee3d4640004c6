use durable::prelude::*;
use serde::{Deserialize, Serialize};

struct Order {
    cents: i64,
}

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    fn plain(&self) -> Order {
        Order { cents: self.value }
    }

    async fn in_result(&self) -> Result<Vec<Order>> {
        Ok(vec![Order { cents: self.value }])
    }
}

fn main() {}
