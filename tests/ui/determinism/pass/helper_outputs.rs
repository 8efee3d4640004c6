//! The return value of a helper is coerced as in any `async fn`.
#![deny(warnings)]

use std::fmt::Debug;

use durable::prelude::*;

#[activity]
async fn count(n: u32) -> Result<u32> {
    Ok(n)
}

struct Order {
    name: String,
    lines: Vec<u32>,
}

impl Order {
    #[durable::helper]
    async fn name(&self) -> Result<&str> {
        count(1).await?;
        Ok(&self.name)
    }

    #[durable::helper]
    async fn lines(&self) -> Option<&[u32]> {
        if count(1).await.is_err() {
            return None;
        }
        Some(&self.lines)
    }

    #[durable::helper]
    async fn function(&self) -> Result<Box<dyn Fn(u32) -> u32>> {
        count(1).await?;
        Ok(Box::new(|n| n + 1))
    }

    #[durable::helper]
    async fn shown<'a>(&self, lines: &'a Vec<u32>) -> Result<&'a dyn Debug> {
        count(1).await?;
        Ok(lines)
    }

    #[durable::helper]
    async fn each(&self) -> Result<impl Iterator<Item = &u32>> {
        count(1).await?;
        Ok(self.lines.iter())
    }

    #[durable::helper]
    async fn nothing(&self) {
        let _ = count(1).await;
    }

    #[durable::helper]
    async fn copies<T: Copy, const N: usize>(&self, value: T) -> [T; N] {
        [value; N]
    }
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<usize> {
    let order = Order { name: "a".into(), lines: vec![1] };
    order.nothing().await;
    let name = order.name().await?.len();
    let lines = order.lines().await.map_or(0, <[u32]>::len);
    let shown = format!("{:?}", order.shown(&order.lines).await?).len();
    let next = (order.function().await?)(1) as usize;
    let copies = order.copies::<_, 3>(1).await.len();
    Ok(name + lines + shown + next + copies + order.each().await?.count())
}

fn main() {
    let _ = order();
}
