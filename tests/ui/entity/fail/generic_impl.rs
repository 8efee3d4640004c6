use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Held<T> {
    value: T,
}

#[entity]
impl<T: Clone> Held<T> {
    fn get(&self) -> T {
        self.value.clone()
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<u8> {
    Ok(Held::<u8>::at("a").get().await?)
}

fn main() {}
