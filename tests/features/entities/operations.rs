//! Entities and orchestrators: calls, signals, errors.

use std::time::Duration;

use super::*;

#[orchestrator]
async fn tally_calls(ctx: &OrchestrationContext, key: String) -> Result<(i64, i64, Vec<i64>)> {
    let tally = Tally::at(&key);
    let first = tally.add(5).await?;
    for n in 0..3 {
        tally.note(n).signal()?;
    }
    tally.add(2).signal()?;
    Ok((first, tally.get().await?, tally.seen().await?))
}

#[tokio::test]
async fn an_orchestrator_calls_and_signals_in_order() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tally_calls("ops-order".into())).await?;
    assert_eq!(run.result().await?, (5, 7, vec![0, 1, 2]));
    assert_eq!(tally(&hub, "ops-order").await?, 7);
    Ok(hub.shutdown().await?)
}

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum Refused {
    #[error("only {left} left")]
    TooMuch { left: u32 },
}

#[derive(Serialize, Deserialize)]
struct Stock {
    left: u32,
}

fn full_stock() -> Stock {
    Stock { left: 10 }
}

#[entity(name = "Warehouse", initial = full_stock)]
impl Stock {
    async fn take(&mut self, what: &str, count: u32) -> Result<String, Refused> {
        let left = self.left.checked_sub(count).ok_or(Refused::TooMuch { left: self.left })?;
        tokio::task::yield_now().await;
        self.left = left;
        Ok(format!("{count} {what}"))
    }

    fn left(&self) -> u32 {
        self.left
    }
}

/// An entity of another module, with operations for others and one of its own.
mod elsewhere {
    use durable::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Lamp {
        on: bool,
    }

    #[derive(Serialize, Deserialize, thiserror::Error, Debug)]
    #[error("it is broken")]
    struct Broken;

    #[entity]
    impl Lamp {
        pub(super) fn switch(&mut self, on: bool) -> Result<bool> {
            if on == self.on {
                return Err(Error::msg("so it is"));
            }
            self.on = on;
            Ok(on)
        }

        pub(super) fn is_on(&self) -> bool {
            self.on
        }

        fn break_it(&mut self) -> Result<(), Broken> {
            Err(Broken)
        }
    }

    #[orchestrator]
    pub(super) async fn breaks_lamp(ctx: &OrchestrationContext) -> Result<bool> {
        Ok(Lamp::at("x").break_it().await.is_err_and(|failed| failed.error().is_some()))
    }
}

#[orchestrator]
async fn uses_lamp(ctx: &OrchestrationContext) -> Result<bool> {
    let mut lamp = ctx.lock_entities(elsewhere::Lamp::at("x")).await?;
    lamp.switch(true).await?;
    Ok(lamp.is_on().await?)
}

#[tokio::test]
async fn operations_have_the_visibility_of_their_methods() -> Result<()> {
    let hub = TestHub::open().await?;
    assert!(hub.start(uses_lamp()).await?.result().await?);
    assert!(hub.start(elsewhere::breaks_lamp()).await?.result().await?);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn takes_stock(ctx: &OrchestrationContext) -> Result<(String, u32, u32)> {
    let stock = Stock::at("shoes");
    let taken = stock.take("shoes", 4).await?;
    let refused = stock.take("shoes", 7).await.unwrap_err();
    let Some(Refused::TooMuch { left }) = refused.error() else { panic!("{refused:?}") };
    assert!(refused.to_string().contains("operation `take` of `@warehouse@shoes`"), "{refused}");
    Ok((taken, *left, stock.left().await?))
}

#[tokio::test]
async fn errors_of_operations_come_back_as_the_same_values() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(takes_stock()).await?;
    assert_eq!(run.result().await?, ("4 shoes".into(), 6, 6));
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn calls_many(ctx: &OrchestrationContext, count: i64) -> Result<i64> {
    let calls = (0..count).map(|n| Tally::at(format!("many-{}", n % 7)).add(1));
    let totals = durable::try_join_all(calls).await?;
    Ok(totals.into_iter().max().unwrap_or_default())
}

#[tokio::test]
async fn calls_run_in_parallel_and_of_one_entity_one_after_another() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(calls_many(700)).await?.result().await?, 100);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn signals_later(ctx: &OrchestrationContext) -> Result<()> {
    let in_an_hour = ctx.current_utc_datetime() + chrono::TimeDelta::hours(1);
    Tally::at("later").add(1).signal_at(in_an_hour)?;
    Tally::at("later").add(10).signal_at(Duration::from_mins(30))?;
    Tally::at("later").add(100).signal()?;
    Ok(())
}

#[tokio::test]
async fn a_signal_can_have_a_time() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(signals_later()).await?.result().await?;
    hub.settle().await;
    assert_eq!(tally(&hub, "later").await?, 100);
    hub.advance(Duration::from_mins(31)).await;
    assert_eq!(tally(&hub, "later").await?, 110);
    hub.advance(Duration::from_mins(30)).await;
    assert_eq!(tally(&hub, "later").await?, 111);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn signals_far_later(ctx: &OrchestrationContext) -> Result<()> {
    Tally::at("far").add(1).signal_at(Duration::from_hours(10))
}

#[tokio::test]
async fn a_scheduled_signal_survives_and_is_delivered_once() -> Result<()> {
    let mut hub = TestHub::open().await?;
    hub.start(signals_far_later()).await?.result().await?;
    for _ in 0..4 {
        hub.settle().await;
        hub = hub.crash().await?;
        hub.advance(Duration::from_hours(3)).await;
    }
    for _ in 0..2 {
        hub.advance(Duration::from_hours(10)).await;
        assert_eq!(tally(&hub, "far").await?, 1);
        hub = hub.crash().await?;
    }
    Ok(hub.shutdown().await?)
}

#[derive(Default, Serialize, Deserialize)]
struct Starter;

#[orchestrator]
async fn started_by_entity(ctx: &OrchestrationContext, n: i64) -> Result<()> {
    Tally::at("started").add(n).signal()
}

#[entity]
impl Starter {
    fn go(&mut self, ctx: &EntityContext, n: i64) -> Result<()> {
        ctx.start(started_by_entity(n).instance_id(format!("by-entity-{n}")))?;
        ctx.signal_at(Duration::from_hours(1), Tally::at("started").add(100))?;
        if n < 0 { Err(Error::msg("negative")) } else { Ok(()) }
    }
}

#[tokio::test]
async fn an_entity_starts_orchestrations_and_signals_others() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.call_entity(Starter::at("s").go(7)).await?;
    hub.call_entity(Starter::at("s").go(-1)).await.unwrap_err();
    hub.settle().await;
    assert_eq!(tally(&hub, "started").await?, 7);
    assert!(hub.find_instance::<started_by_entity>("by-entity--1").await?.is_none());
    hub.advance(Duration::from_hours(2)).await;
    assert_eq!(tally(&hub, "started").await?, 107);
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn forwards(ctx: &OrchestrationContext, hops: i64) -> Result<()> {
    for n in 0..hops {
        Tally::at("hop-a").forward("hop-b", n).signal()?;
    }
    Ok(())
}

#[tokio::test]
async fn entities_signal_each_other_exactly_once() -> Result<()> {
    let mut hub = TestHub::open().await?;
    hub.start(forwards(50)).await?.result().await?;
    hub.settle().await;
    hub = hub.crash().await?;
    hub.settle().await;
    assert_eq!((tally(&hub, "hop-a").await?, tally(&hub, "hop-b").await?), (50, 49 * 50 / 2));
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn bad_calls(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut said = Vec::new();
    said.push(Tally::at("a/b").add(1).await.unwrap_err().to_string());
    said.push(Tally::at("a/b").add(1).signal().unwrap_err().to_string());
    let id = durable::EntityId::new("tally", "bad")?;
    said.push(id.handle().operation::<()>("jump", &()).await.unwrap_err().to_string());
    said.push(id.handle().operation::<()>("add", &"text").await.unwrap_err().to_string());
    let other = durable::EntityId::new("nobody", "x")?;
    said.push(other.handle().operation::<()>("add", &1).await.unwrap_err().to_string());
    Ok(said)
}

#[tokio::test]
async fn failing_entity_calls_report_the_reason() -> Result<()> {
    let hub = TestHub::open().await?;
    let said = hub.start(bad_calls()).await?.result().await?;
    for (said, part) in said.iter().zip([
        "`@tally@a/b` cannot name an entity",
        "`@tally@a/b` cannot name an entity",
        "has no operation `jump`; it has `add`, `note`, `get`",
        "parameter `n` cannot be read",
        "entity `nobody` is not registered",
    ]) {
        assert!(said.contains(part), "{said}");
    }
    Ok(hub.shutdown().await?)
}
