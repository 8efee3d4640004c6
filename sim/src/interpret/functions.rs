//! The activity and the entity that programs call.

use std::time::Duration;

use durable::prelude::*;
use durable::testing::sim;
use serde::{Deserialize, Serialize};

use super::{id_name, sim_program};
use crate::program::{Activity, Node, Program, When};
use crate::trace;

/// A bit of the tokens that a failed operation adds, so no state may have it.
pub(crate) const FAILS: u64 = 1 << 63;
/// A bit of the tokens that one entity passes on to another.
pub(crate) const DERIVED: u64 = 1 << 62;

#[activity]
pub(super) async fn work(ctx: &ActivityContext, call: Activity) -> Result<f64> {
    attempt(ctx, &call).await
}

#[activity(max_concurrent = 1)]
pub(super) async fn limited_work(ctx: &ActivityContext, call: Activity) -> Result<f64> {
    attempt(ctx, &call).await
}

/// The behavior of an attempt depends only on its seed and number. A call that fails repeatedly
/// succeeds eventually, so that a rewound orchestration gets further than before.
async fn attempt(ctx: &ActivityContext, call: &Activity) -> Result<f64> {
    let value = value_of(call.seed);
    let failed = || Error::msg("planned");
    if trace::run_again(ctx) > 2 + call.seed % 8 {
        return Ok(value);
    }
    match trace::hash(u64::from(call.seed), u64::from(ctx.attempt())) % 24 {
        0..10 => Ok(value),
        10..14 => Err(failed()),
        14 => Err(failed().non_retriable()),
        15 => {
            sim::sleep(Duration::from_secs(1)).await;
            Ok(value)
        }
        16 => {
            sim::sleep(Duration::from_mins(2)).await;
            Err(failed())
        }
        17 => {
            sim::sleep(Duration::ZERO).await;
            Ok(value)
        }
        18 => panic!("planned"),
        19 => {
            let _bomb = Bomb;
            sim::sleep(Duration::from_mins(2)).await;
            Ok(value)
        }
        // NaN is written as `null`, which cannot be read as a number.
        20 => Ok(f64::NAN),
        21 => Err(with_causes(100)),
        _ => {
            until_cancelled(ctx).await;
            Err(failed())
        }
    }
}

/// A finite number of random bits.
pub(super) fn value_of(seed: u32) -> f64 {
    let value = f64::from_bits(trace::hash(u64::from(seed), 0));
    if value.is_finite() { value } else { 0.25 }
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("planned, in a destructor");
    }
}

/// An error with this many causes.
#[derive(Debug)]
struct Deep(Option<Box<Deep>>);

impl std::fmt::Display for Deep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("planned")
    }
}

impl std::error::Error for Deep {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_deref().map(|deep| deep as _)
    }
}

pub(super) fn with_causes(count: u32) -> Error {
    let deep = (0..count).fold(Deep(None), |deep, _| Deep(Some(Box::new(deep))));
    Error::from_boxed(deep)
}

/// Runs until it is cancelled, but for at most an hour.
async fn until_cancelled(ctx: &ActivityContext) {
    let mut hour = std::pin::pin!(sim::sleep(Duration::from_hours(1)));
    let mut cancelled = std::pin::pin!(ctx.cancellation_token().cancelled());
    std::future::poll_fn(|cx| {
        if cancelled.as_mut().poll(cx).is_ready() {
            return std::task::Poll::Ready(());
        }
        hour.as_mut().poll(cx)
    })
    .await;
}

/// An entity that keeps the tokens of its operations, in order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) tokens: Vec<u64>,
    odd: f64,
}

pub(crate) fn counter(key: u8) -> <Counter as durable::Entity>::Handle {
    Counter::at(key.to_string())
}

#[entity]
impl Counter {
    /// Adds a token, and returns its position.
    pub(crate) fn add(&mut self, token: u64) -> usize {
        self.tokens.push(token);
        self.tokens.len() - 1
    }

    pub(crate) fn count(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn fail(&mut self, token: u64) -> Result<()> {
        self.tokens.push(token);
        Err(Error::msg("planned"))
    }

    pub(crate) fn fall(&mut self, token: u64) {
        self.tokens.push(token);
        panic!("planned");
    }

    /// Leaves a state that cannot be read back.
    pub(crate) fn spoil(&mut self, token: u64) {
        self.tokens.push(token);
        self.odd = f64::NAN;
    }

    pub(crate) fn pass_on(
        &mut self,
        ctx: &EntityContext,
        token: u64,
        other: u8,
        later: bool,
    ) -> Result<()> {
        self.tokens.push(token);
        let operation = counter(other).add(token | DERIVED);
        if later {
            return ctx.signal_at(When::Minute.duration(), operation);
        }
        ctx.signal(operation)
    }

    pub(crate) fn pass_on_and_fail(
        &mut self,
        ctx: &EntityContext,
        token: u64,
        other: u8,
    ) -> Result<()> {
        self.tokens.push(token);
        ctx.signal(counter(other).add(token))?;
        Err(Error::msg("planned"))
    }

    pub(crate) fn begin(&mut self, ctx: &EntityContext, token: u64, id: u8) -> Result<()> {
        self.tokens.push(token);
        let program = Program::once(Node::Timer(When::Second));
        ctx.start(sim_program(program, 0).instance_id(id_name(id))).map(drop)
    }

    pub(crate) fn remove(&mut self, ctx: &EntityContext) {
        ctx.delete();
    }
}
