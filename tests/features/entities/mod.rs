//! Entities: operations, transactions, order, time, and operations of clients.

mod clients;
mod dynamic;
mod ends_of_sections;
mod failing_store;
mod history;
mod operations;
mod queues;
mod scheduled;
mod sections;
#[path = "../../support/seed.rs"]
mod seed;
mod storms;
mod transactions;

use durable::prelude::*;
use durable::store::{InstanceFilter, Store};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

/// The counter of most of these tests.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tally {
    value: i64,
    /// What was noted, in order. Consecutive numbers are kept as the first and the last of them, so
    /// that the state stays small.
    seen: Vec<(i64, i64)>,
}

#[entity]
impl Tally {
    fn add(&mut self, n: i64) -> i64 {
        self.value += n;
        self.value
    }

    fn note(&mut self, n: i64) {
        match self.seen.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => self.seen.push((n, n)),
        }
    }

    fn get(&self) -> i64 {
        self.value
    }

    fn seen(&self) -> Vec<i64> {
        self.seen.iter().flat_map(|&(first, last)| first..=last).collect()
    }

    /// Changes the state, and then fails.
    fn add_and_fail(&mut self, n: i64) -> Result<i64> {
        self.value += n;
        Err(Error::msg(format!("{n} is too many")))
    }

    /// Changes the state and sends, and then panics.
    fn send_and_panic(&mut self, ctx: &EntityContext) -> Result<()> {
        self.value += 1000;
        ctx.signal(Self::at("other").add(1000))?;
        panic!("no more");
    }

    async fn forward(&mut self, ctx: &EntityContext, to: &str, n: i64) -> Result<()> {
        self.value += 1;
        tokio::task::yield_now().await;
        ctx.signal(Self::at(to).add(n))
    }

    fn batch(&self, ctx: &EntityContext) -> (usize, usize) {
        (ctx.batch_position(), ctx.batch_size())
    }

    fn clear(&mut self, ctx: &EntityContext) {
        ctx.delete();
    }
}

/// The number of records of entities in the store.
fn stored(store: &dyn Store) -> usize {
    let mut filter = InstanceFilter::default();
    filter.entities = true;
    store.instances(&filter, None, 10_000).unwrap().instances.len()
}

async fn tally(hub: &TestHub, key: &str) -> Result<i64> {
    Ok(hub.entity_state::<Tally>(key).await?.map_or(0, |tally| tally.value))
}
