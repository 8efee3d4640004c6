//! Awaits in every position that Rust permits.

#![deny(warnings)]

use durable::prelude::*;
use durable::task::{DurableFuture, Task};

use std::pin::Pin;

#[activity]
async fn double(n: u32) -> u32 {
    2 * n
}

#[activity]
async fn find(name: &str) -> Result<Option<String>> {
    Ok(Some(name.to_owned()))
}

#[orchestrator]
async fn in_control_flow(ctx: &OrchestrationContext, names: Vec<String>) -> Result<u32> {
    let mut sum = 0;
    for name in &names {
        sum += find(name).await?.map_or(0, |name| name.len()) as u32;
    }
    while double(sum).await? < 100 {
        sum += 10;
    }
    let mut rounds = 0;
    let found = 'search: loop {
        rounds += 1;
        for n in 0..3 {
            if double(n).await? == 4 {
                break 'search n;
            }
        }
        if rounds > 3 {
            break 0;
        }
    };
    let matched = match found {
        n if double(n).await? > 10 => n,
        n => double(n).await?,
    };
    let Some(name) = find("let else").await? else { return Ok(sum) };
    if let Some(first) = names.first()
        && let Some(other) = find(first).await?
        && other.len() > double(1).await? as usize
    {
        sum += 1;
    }
    if !double(1).await?.is_power_of_two() {
        sum += 1;
    }
    let block = {
        let one = double(1).await?;
        one + 1
    };
    let nested = double(double(double(1).await?).await?).await?;
    let tuple = (double(1).await?, [double(2).await?, double(3).await?]);
    let index = [1, 2, 3][double(1).await? as usize];
    let negative = -i64::from(double(1).await?);
    let parts = Part { n: double(1).await? };
    let length = find("x").await?.unwrap_or_default().len();
    let parenthesized = (double(1)).await?;
    let annotated = if cfg!(debug_assertions) { double(1).await? } else { double(2).await? };
    Ok(sum
        + matched
        + name.len() as u32
        + block
        + nested
        + tuple.0
        + tuple.1[0]
        + index
        + negative.unsigned_abs() as u32
        + parts.n
        + length as u32
        + parenthesized
        + annotated)
}

struct Part {
    n: u32,
}

#[orchestrator]
async fn in_macros(ctx: &OrchestrationContext) -> Result<Vec<u32>> {
    assert!(double(1).await? == 2, "{} is not two", double(1).await?);
    assert_eq!(double(2).await?, 4);
    let text = format!("{} {n}", double(3).await?, n = double(4).await?);
    Ok(vec![double(5).await?, text.len() as u32, vec![double(6).await?; 2][0]])
}

#[orchestrator]
async fn in_other_macros(ctx: &OrchestrationContext) -> Result<usize> {
    use std::fmt::Write as _;

    let mut text = String::new();
    if matches!(double(1).await?, 1 | 2) {
        writeln!(text, "{}", double(2).await?).unwrap_or_default();
    }
    match double(3).await? {
        6 => Ok(text.len()),
        n => panic!("{n} is not {}", double(3).await?),
    }
}

#[orchestrator]
async fn in_parts(ctx: &OrchestrationContext, names: Vec<String>) -> Result<u32> {
    let all = durable::join_all(names.iter().enumerate().map(|(index, name)| async move {
        let found = find(name).await?.unwrap_or_default();
        Ok::<_, Error>(found.len() as u32 + double(index as u32).await?)
    }))
    .await;
    let local = String::from("borrowed");
    let mut count = 0;
    let (one, two) = durable::try_join((
        async {
            count += 1;
            find(&local).await
        },
        async { find(&local).await },
    ))
    .await?;
    let mut sum = count + one.unwrap_or_default().len() as u32 + two.map_or(0, |_| 1);
    for part in all {
        sum += part?;
    }
    let later = async { double(sum).await };
    Ok(later.await?)
}

#[orchestrator]
async fn of_values(ctx: &OrchestrationContext) -> Result<u32> {
    let mut task: Task<u32, Error> = double(1).spawn();
    let once = (&mut task).await?;
    let mut other = double(2).spawn();
    let pinned = Pin::new(&mut other).await?;
    let boxed: Pin<Box<dyn DurableFuture<Output = u32>>> = Box::pin(quadruple(1));
    let tasks = vec![double(3).spawn(), double(4).spawn()];
    let mut sum = once + pinned + boxed.await;
    for task in tasks {
        sum += task.await?;
    }
    Ok(sum + generic(quadruple(1)).await + generic(Box::pin(quadruple(2))).await)
}

#[durable::helper]
async fn quadruple(n: u32) -> u32 {
    let twice = double(n).await.unwrap_or_default();
    double(twice).await.unwrap_or_default()
}

#[durable::helper]
async fn generic<F: DurableFuture<Output = u32>>(future: F) -> u32 {
    future.await + 1
}

#[durable::helper]
async fn all<I>(calls: I) -> Result<Vec<u32>, TaskFailed>
where
    I: IntoIterator<Item: DurableFuture<Output = Result<u32, TaskFailed>>>,
{
    durable::try_join_all(calls).await
}

#[durable::helper]
async fn factorial(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    if n < 2 {
        return Ok(1);
    }
    let rest: Pin<Box<dyn DurableFuture<Output = Result<u32>> + '_>> =
        Box::pin(factorial(ctx, n - 1));
    Ok(n * rest.await?)
}

#[durable::helper]
async fn longest<'a>(one: &'a str, two: &'a str) -> &'a str {
    if double(one.len() as u32).await.is_ok() { one } else { two }
}

#[durable::helper]
pub async fn changes(ctx: &OrchestrationContext, names: &mut Vec<String>, mut n: u32) -> Result<()> {
    while n > 0 {
        n -= 1;
        names.extend(find("x").await?);
    }
    let _ = ctx.name();
    Ok(())
}

trait Priced {
    fn price(&self, ctx: &OrchestrationContext) -> impl DurableFuture<Output = u32>;
}

trait Shown {
    #[durable::helper]
    async fn show(&self) -> String;

    #[durable::helper]
    async fn shown(&self) -> String {
        self.show().await
    }
}

struct Tea {
    cents: u32,
}

impl Tea {
    #[durable::helper]
    async fn twice(&self) -> Result<u32> {
        Ok(double(self.cents).await?)
    }

    #[durable::helper]
    async fn raise(&mut self, by: u32) -> Result<()> {
        self.cents += double(by).await?;
        Ok(())
    }

    #[durable::helper]
    async fn into_price(self) -> u32 {
        double(self.cents).await.unwrap_or(self.cents)
    }
}

impl Priced for Tea {
    #[durable::helper]
    async fn price(&self, ctx: &OrchestrationContext) -> u32 {
        let _ = ctx.name();
        self.twice().await.unwrap_or_default()
    }
}

impl Shown for Tea {
    #[durable::helper]
    async fn show(&self) -> String {
        self.twice().await.unwrap_or_default().to_string()
    }
}

#[orchestrator]
async fn of_helpers(ctx: &OrchestrationContext) -> Result<u32> {
    let mut tea = Tea { cents: 5 };
    tea.raise(2).await?;
    let mut names = Vec::new();
    changes(ctx, &mut names, 2).await?;
    let text = tea.shown().await;
    let longest = longest(&text, "x").await.len() as u32;
    let sum = tea.price(ctx).await + tea.twice().await? + factorial(ctx, 3).await?;
    let all = all([double(1).spawn(), double(2).spawn()]).await?;
    Ok(sum + longest + all.len() as u32 + tea.into_price().await)
}

fn main() {
    drop((in_control_flow(vec![]), in_macros(), in_other_macros(), in_parts(vec![]), of_values(), of_helpers()));
}
