use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Counter {
    value: i64,
}

#[entity]
impl Counter {
    async fn add(&mut self, ctx: &OrchestrationContext, n: i64) -> Result<i64> {
        self.value += n;
        Ok(self.value)
    }

    fn take(self) -> i64 {
        self.value
    }

    fn name(&self) -> &str {
        "counter"
    }

    fn largest<N: Into<i64>>(&self, n: N) -> i64 {
        self.value.max(n.into())
    }

    fn get(&self) -> i64 {
        self.value
    }
}

#[orchestrator]
async fn good(ctx: &OrchestrationContext) -> Result<i64> {
    let counter = Counter::at("a");
    let name: String = counter.name().await?;
    counter.delete().signal()?;
    counter.clone().add(1).signal()?;
    let sum = counter.add(5).await? + counter.take().await? + counter.largest(5_u8).await?;
    Ok(sum + counter.get().spawn().await? + i64::try_from(name.len())?)
}

fn is_entity<E: durable::Entity>() {}

fn main() {
    is_entity::<Counter>();
    let _ = Counter::default().take();
}
