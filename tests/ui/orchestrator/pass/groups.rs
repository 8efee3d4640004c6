//! Combinators: all, the first, the first few, in completion order, and with bounded concurrency.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::time::Duration;

use durable::prelude::*;
use durable::task::{Race2, Race3};

#[activity]
async fn quote(shop: &str, part: &str) -> Result<u64> {
    Ok((shop.len() + part.len()) as u64)
}

#[orchestrator]
async fn cheapest(ctx: &OrchestrationContext, shops: Vec<String>, part: String) -> Result<u64> {
    let quotes = durable::try_join_all(shops.iter().map(|shop| quote(shop, &part))).await?;
    quotes.into_iter().min().ok_or_else(|| Error::msg("no shop was asked"))
}

#[orchestrator]
async fn all_that_answer(ctx: &OrchestrationContext, shops: Vec<String>) -> Vec<u64> {
    let quotes = durable::join_all(shops.iter().map(|shop| quote(shop, "wheel"))).at_most(5).await;
    quotes.into_iter().flatten().collect()
}

#[orchestrator]
async fn first_of_two(ctx: &OrchestrationContext) -> Result<u64> {
    match durable::race((quote("a", "wheel"), quote("b", "wheel"))).await {
        Race2::First(quote) | Race2::Second(quote) => Ok(quote?),
    }
}

#[orchestrator]
async fn first_of_three_kinds(ctx: &OrchestrationContext) -> Result<String> {
    let cancelled = ctx.wait_for_external_event::<String>("Cancel");
    let end = ctx.create_timer(Duration::from_mins(5));
    Ok(match durable::race((quote("a", "wheel"), cancelled, end)).await {
        Race3::First(price) => format!("for {}", price?),
        Race3::Second(reason) => format!("cancelled: {}", reason?),
        Race3::Third(()) => "too late".to_owned(),
    })
}

#[orchestrator]
async fn two_quickest(ctx: &OrchestrationContext, shops: Vec<String>) -> Result<Vec<u64>> {
    let mut open: Vec<_> = shops.iter().map(|shop| quote(shop, "wheel").spawn()).collect();
    let mut quotes = Vec::new();
    while let Some((price, _, others)) = durable::select_all(open).await {
        quotes.push(price?);
        if quotes.len() == 2 {
            break;
        }
        open = others;
    }
    Ok(quotes)
}

#[orchestrator]
async fn cheap_enough(ctx: &OrchestrationContext, shops: Vec<String>) -> Result<Option<String>> {
    let mut prices = durable::as_completed(shops.iter().map(|shop| quote(shop, "wheel")));
    while let Some((index, price)) = prices.next().await {
        if price? < 100 {
            return Ok(shops.get(index).cloned());
        }
    }
    Ok(None)
}

#[orchestrator]
async fn in_time(ctx: &OrchestrationContext, shop: String) -> Result<Option<u64>> {
    match durable::timeout(Duration::from_secs(30), quote(&shop, "wheel")).await {
        Ok(price) => Ok(Some(price?)),
        Err(_elapsed) => Ok(None),
    }
}

/// The whole of several steps has a limit, too.
#[orchestrator]
async fn both_in_time(ctx: &OrchestrationContext) -> Result<u64> {
    let both = async {
        let wheel = quote("a", "wheel").await?;
        Result::Ok(wheel + quote("a", "brake").await?)
    };
    durable::timeout(Duration::from_mins(1), both).await?
}

fn main() {}
