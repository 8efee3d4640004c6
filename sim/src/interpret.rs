//! The one orchestrator that runs every program, with its activity and its entity.

use std::pin::Pin;
use std::time::Duration;

use chrono::TimeDelta;
use durable::prelude::*;
use durable::task::DurableFuture;
use durable::testing::sim;
use serde::{Deserialize, Serialize};

use crate::program::{Activity, Node, Program, When};

type Outcome = Result<(), String>;
type Running<'a> = Pin<Box<dyn DurableFuture<Output = Outcome> + 'a>>;

/// Runs a program, `generation` times already.
#[orchestrator]
pub(crate) async fn sim_program(
    ctx: &OrchestrationContext,
    program: Program,
    generation: u32,
) -> Result<()> {
    let outcome = Run { ctx }.start(&program.body).await;
    if generation < program.generations {
        return ctx.continue_as_new(self::sim_program(program, generation + 1)).await;
    }
    outcome.map_err(Error::msg)
}

/// What an attempt does depends on its seed and number alone.
#[activity]
async fn work(ctx: &ActivityContext, seed: u32) -> Result<u32> {
    let mut hash = u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(ctx.attempt());
    hash = (hash ^ (hash >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash ^= hash >> 32;
    let failed = || Error::msg("wanted");
    match hash % 16 {
        0..7 => Ok(seed),
        7..11 => Err(failed()),
        11 => Err(failed().non_retriable()),
        12 => {
            sim::sleep(Duration::from_secs(1)).await;
            Ok(seed)
        }
        13 => {
            sim::sleep(Duration::from_mins(2)).await;
            Err(failed())
        }
        14 => {
            sim::sleep(Duration::ZERO).await;
            Ok(seed)
        }
        _ => {
            tokio_free_cancelled(ctx).await;
            Err(failed())
        }
    }
}

/// Runs until it is cancelled, but for an hour at most.
async fn tokio_free_cancelled(ctx: &ActivityContext) {
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

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) value: u64,
}

#[entity]
impl Counter {
    pub(crate) fn add(&mut self, n: u64) {
        self.value += n;
    }

    pub(crate) fn get(&self) -> u64 {
        self.value
    }
}

struct Run<'a> {
    ctx: &'a OrchestrationContext,
}

pub(crate) fn event_name(name: u8) -> String {
    format!("event-{name}")
}

pub(crate) fn id_name(id: u8) -> String {
    format!("i{id}")
}

impl Run<'_> {
    fn start<'a>(&'a self, node: &'a Node) -> Running<'a> {
        Box::pin(self.run(node))
    }

    fn start_all<'a>(&'a self, nodes: &'a [Node]) -> Vec<Running<'a>> {
        nodes.iter().map(|node| self.start(node)).collect()
    }

    fn timer(&self, when: When) -> durable::task::Timer {
        match when {
            When::Min => self.ctx.create_timer(TimeDelta::MIN),
            When::HourAgo => self.ctx.create_timer(TimeDelta::hours(-1)),
            when => self.ctx.create_timer(when.duration()),
        }
    }

    #[durable::helper]
    async fn run(&self, node: &Node) -> Outcome {
        let ctx = self.ctx;
        match node {
            Node::Activity(call) => return self.activity(call).await,
            Node::Child(node) => {
                let program = Program { body: (**node).clone(), generations: 0 };
                return sim_program(program, 0).await.map_err(|error| error.to_string());
            }
            Node::Timer(when) => self.timer(*when).await,
            Node::Event(name) => {
                let event = ctx.wait_for_external_event::<u64>(&event_name(*name)).await;
                return event.map(drop).map_err(|error| error.to_string());
            }
            Node::Add(key) => {
                let added = Counter::at(key.to_string()).add(1).await;
                return added.map_err(|error| error.to_string());
            }
            Node::Section(keys, inside) => return self.section(keys, inside).await,
            Node::Send(id, name) => {
                let sent = ctx.send_event(id_name(*id), &event_name(*name), &0);
                return sent.map_err(|error| error.to_string());
            }
            Node::Signal(key, None) => {
                let signal = Counter::at(key.to_string()).add(1).signal();
                return signal.map_err(|error| error.to_string());
            }
            Node::Signal(key, Some(when)) => {
                let signal = Counter::at(key.to_string()).add(1).signal_at(when.duration());
                return signal.map_err(|error| error.to_string());
            }
            Node::Start(id, node) => {
                let program = Program { body: (**node).clone(), generations: 0 };
                let call = sim_program(program, 0).instance_id(id_name(*id));
                return ctx.start(call).map(drop).map_err(|error| error.to_string());
            }
            Node::Status => {
                return ctx.set_custom_status(&"status").map_err(|error| error.to_string());
            }
            Node::Fail => return Err("fail".to_owned()),
            Node::Seq(nodes) => {
                // A failure of a part does not end the rest.
                for node in nodes {
                    drop(self.start(node).await);
                }
            }
            Node::Join(nodes) => {
                let all = durable::join_all(self.start_all(nodes)).await;
                return all.into_iter().collect();
            }
            Node::Race(nodes) => {
                if let Some((outcome, ..)) = durable::select_all(self.start_all(nodes)).await {
                    return outcome;
                }
            }
            Node::Timeout(limit, node) => {
                let limited = durable::timeout(limit.duration(), self.start(node)).await;
                return limited.unwrap_or_else(|_elapsed| Err("elapsed".to_owned()));
            }
            Node::Held { name, limit, meanwhile, is_awaited } => {
                return self.held(*name, *limit, meanwhile, *is_awaited).await;
            }
        }
        Ok(())
    }

    #[durable::helper]
    async fn held(&self, name: u8, limit: When, meanwhile: &Node, is_awaited: bool) -> Outcome {
        let event = Node::Event(name);
        let mut first = self.start(&event);
        let raced = durable::race((&mut first, self.timer(limit))).await;
        if let durable::task::Race2::First(outcome) = raced {
            return outcome;
        }
        let both =
            durable::join((self.start(&event), self.pause_and_drop(first, is_awaited))).await;
        drop(both);
        self.start(meanwhile).await
    }

    #[durable::helper]
    async fn pause_and_drop(&self, wait: Running<'_>, is_awaited: bool) -> Outcome {
        self.timer(When::Minute).await;
        if is_awaited {
            return wait.await;
        }
        drop(wait);
        Ok(())
    }

    #[durable::helper]
    async fn activity(&self, call: &Activity) -> Outcome {
        let first = call.first.duration().max(Duration::from_micros(1));
        let mut work = work(call.seed);
        if call.attempts > 1 {
            work = work.retry(RetryPolicy::new(call.attempts, first));
        }
        if let Some(limit) = call.timeout {
            work = work.timeout(limit.duration().max(Duration::from_micros(1)));
        }
        if let Some(limit) = call.attempt_timeout {
            work = work.attempt_timeout(limit.duration().max(Duration::from_micros(1)));
        }
        work.await.map(drop).map_err(|error| error.to_string())
    }

    #[durable::helper]
    async fn section(&self, keys: &[u8], inside: &Node) -> Outcome {
        let keys: Vec<_> = keys.iter().map(|key| Counter::at(key.to_string())).collect();
        let section = self.ctx.lock_entities(keys).await;
        let mut section = section.map_err(|error| error.to_string())?;
        let before = section[0].get().await.map_err(|error| error.to_string())?;
        if let Node::Timer(when) = inside {
            self.timer(*when).await;
        }
        section[0].add(1).await.map_err(|error| error.to_string())?;
        let after = section[0].get().await.map_err(|error| error.to_string())?;
        assert_eq!(after, before + 1, "I10 a critical section is not isolated");
        Ok(())
    }
}
