//! The one orchestrator that runs every program.
//!
//! Read next: `functions.rs` (its activity and its entity), `blocks.rs` (constructs of several
//! awaits).

mod blocks;
mod functions;

use std::cell::Cell;
use std::pin::Pin;

use chrono::TimeDelta;
use durable::Call;
use durable::prelude::*;
use durable::task::DurableFuture;

pub(crate) use self::functions::{Counter, FAILS, counter};
use self::functions::{DERIVED, limited_work, value_of, with_causes, work};
use crate::program::{Activity, Child, Guard, Node, Op, OpKind, Program, When};
use crate::trace;

type Outcome = Result<(), String>;
type Running<'a> = Pin<Box<dyn DurableFuture<Output = Outcome> + 'a>>;

/// Runs a program; `generation` counts the previous runs.
#[orchestrator]
pub(crate) async fn sim_program(
    ctx: &OrchestrationContext,
    program: Program,
    generation: u32,
) -> Result<f64> {
    let run = Run { ctx, tokens: Cell::new(0), calls: Cell::new(0), event_waits: Cell::new(0) };
    let outcome = run.start(&program.body).await;
    if generation < program.generations {
        // The continue-as-new drops it.
        let _bomb = program.is_bombed.then(|| run.alive(Guard::Panics));
        let next = ctx.continue_as_new(self::sim_program(program.clone(), generation + 1));
        return if program.discards { next.discard_events().await } else { next.await };
    }
    outcome.map_err(Error::msg)?;
    // NaN is written as `null`, which cannot be read as a number.
    Ok(if program.is_unreadable { f64::NAN } else { 0.5 })
}

struct Run<'a> {
    ctx: &'a OrchestrationContext,
    /// The number of operations that were named.
    tokens: Cell<u32>,
    /// The number of operations of entities that were called.
    calls: Cell<u32>,
    /// The number of constructs that have waited for events.
    event_waits: Cell<u32>,
}

/// A value whose destructor does something.
struct Alive<'a> {
    ctx: &'a OrchestrationContext,
    guard: Guard,
}

impl Drop for Alive<'_> {
    fn drop(&mut self) {
        match self.guard {
            Guard::Sends(id, name) => {
                drop(self.ctx.send_event(id_name(id), &event_name(name), &0));
            }
            Guard::Panics => panic!("planned, in a destructor"),
        }
    }
}

pub(crate) fn event_name(name: u8) -> String {
    format!("event-{name}")
}

pub(crate) fn id_name(id: u8) -> String {
    format!("i{id}")
}

impl<'c> Run<'c> {
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

    fn alive(&self, guard: Guard) -> Alive<'c> {
        Alive { ctx: self.ctx, guard }
    }

    /// Names an operation. A replay gives the same name.
    fn token(&self) -> u64 {
        self.tokens.set(self.tokens.get() + 1);
        let bytes = self.ctx.execution_id().as_bytes()[8..].try_into().unwrap_or_default();
        trace::hash(u64::from_be_bytes(bytes), u64::from(self.tokens.get())) & !(FAILS | DERIVED)
    }

    #[durable::helper]
    async fn run(&self, node: &Node) -> Outcome {
        match node {
            Node::Activity(call) => return self.activity(call).await,
            Node::Child(child) => return self.child(child).await,
            Node::Timer(when) => self.timer(*when).await,
            Node::Event(name) => {
                self.event_waits.set(self.event_waits.get() + 1);
                let event = self.ctx.wait_for_external_event::<u64>(&event_name(*name)).await;
                let number = event.map_err(|error| error.to_string())?;
                trace::note_read(self.ctx, number);
            }
            Node::Ordered(ordered) => return self.ordered(ordered).await,
            Node::Call(op) => return self.call(*op).await,
            Node::Section(keys, inside) => return self.section(keys, inside).await,
            Node::Guard(guard, inside) => {
                let _alive = self.alive(*guard);
                return self.start(inside).await;
            }
            Node::Seq(nodes) => {
                // The failure of one part does not end the others.
                for node in nodes {
                    drop(self.start(node).await);
                }
            }
            Node::Try(nodes) => {
                for node in nodes {
                    self.start(node).await?;
                }
            }
            Node::Join(nodes) => {
                let all = durable::join_all(self.start_all(nodes)).await;
                return all.into_iter().collect();
            }
            Node::AtMost(count, nodes) => {
                let all = durable::join_all(self.start_all(nodes)).at_most(usize::from(*count));
                return all.await.into_iter().collect();
            }
            Node::TryJoin(nodes) => {
                return durable::try_join_all(self.start_all(nodes)).await.map(drop);
            }
            Node::Race(nodes) => {
                if let Some((outcome, ..)) = durable::select_all(self.start_all(nodes)).await {
                    return outcome;
                }
            }
            Node::Completed(nodes, between) => {
                let mut all = durable::as_completed(self.start_all(nodes));
                while all.next().await.is_some() {
                    drop(self.start(between).await);
                }
            }
            Node::Timeout(limit, node) => {
                let limited = durable::timeout(limit.duration(), self.start(node)).await;
                return limited.unwrap_or_else(|_elapsed| Err("elapsed".to_owned()));
            }
            Node::Held { name, limit, meanwhile, is_awaited } => {
                return self.held(*name, *limit, meanwhile, *is_awaited).await;
            }
            Node::Kept { kept, meanwhile } => return self.kept(kept, meanwhile).await,
            Node::Changed { deployment, before, after, has_patch } => {
                let is_new = trace::deployment() >= *deployment
                    && (!has_patch || self.ctx.patched(&format!("deployment-{deployment}")));
                if is_new && !has_patch {
                    trace::note_change(self.ctx.execution_id());
                }
                return self.start(if is_new { after } else { before }).await;
            }
            node => return self.at_once(node),
        }
        Ok(())
    }

    /// Runs a construct that waits for nothing.
    fn at_once(&self, node: &Node) -> Outcome {
        let ctx = self.ctx;
        let done = match node {
            Node::Send(id, name) => ctx.send_event(id_name(*id), &event_name(*name), &0),
            Node::Signal(op, at) => return self.signal(*op, *at),
            Node::Start(id, at, node) => {
                let program = Program::once((**node).clone());
                let mut call = sim_program(program, 0).instance_id(id_name(*id));
                if let Some(at) = at {
                    call = start_at(call, *at);
                }
                ctx.start(call).map(drop)
            }
            Node::Status(Some(status)) => ctx.set_custom_status(status),
            Node::Status(None) => {
                ctx.clear_custom_status();
                Ok(())
            }
            Node::Guid => {
                trace::note_guid(ctx, ctx.new_guid());
                Ok(())
            }
            Node::Patched(id) => {
                // The program has contained this condition from the beginning, unless the instance
                // was started by other code.
                let is_taken = ctx.patched(&format!("p{id}"));
                if !is_taken && !trace::has_changed(ctx.execution_id()) {
                    trace::wrong("I8 a patch is not taken by an instance that is there first");
                }
                Ok(())
            }
            Node::Panic => panic!("planned"),
            Node::Fail(causes) => Err(with_causes(causes.count())),
            _ => Ok(()),
        };
        done.map_err(|error| error.to_string())
    }

    #[durable::helper]
    async fn activity(&self, call: &Activity) -> Outcome {
        let value = if call.is_limited {
            with_options(limited_work(call.clone()), call).await
        } else {
            with_options(work(call.clone()), call).await
        };
        let value = value.map_err(|error| error.to_string())?;
        let is_its_own = !trace::has_changed(self.ctx.execution_id());
        if is_its_own && value.to_bits() != value_of(call.seed).to_bits() {
            trace::wrong("I25 a float arrives as another");
        }
        Ok(())
    }

    #[durable::helper]
    async fn child(&self, child: &Child) -> Outcome {
        let program =
            Program { is_unreadable: child.is_unreadable, ..Program::once((*child.body).clone()) };
        let mut call = sim_program(program, 0);
        if let Some(id) = child.id {
            call = call.instance_id(id_name(id));
        }
        if child.attempts > 1 {
            call = call.retry(RetryPolicy::new(child.attempts, When::Second.duration()));
        }
        if let Some(limit) = child.timeout {
            call = call.timeout(limit.positive());
        }
        if let Some(at) = child.start_at {
            call = start_at(call, at);
        }
        call.await.map(drop).map_err(|error| error.to_string())
    }

    #[durable::helper]
    async fn call(&self, op: Op) -> Outcome {
        self.calls.set(self.calls.get() + 1);
        let (token, counter) = (self.token(), counter(op.key));
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        match op.kind {
            OpKind::Add => counter.add(token).await.map(drop).map_err(|error| failed(&error)),
            OpKind::Get => counter.count().await.map(drop).map_err(|error| failed(&error)),
            OpKind::Fail => counter.fail(token | FAILS).await.map_err(|error| failed(&error)),
            OpKind::Panic => counter.fall(token | FAILS).await.map_err(|error| failed(&error)),
            OpKind::Spoil => counter.spoil(token | FAILS).await.map_err(|error| failed(&error)),
            OpKind::PassOn(other) => {
                let passed = counter.pass_on(token, other, false).await;
                passed.map_err(|error| failed(&error))
            }
            OpKind::PassOnLater(other) => {
                let passed = counter.pass_on(token, other, true).await;
                passed.map_err(|error| failed(&error))
            }
            OpKind::PassOnAndFail(other) => {
                let passed = counter.pass_on_and_fail(token | FAILS, other).await;
                passed.map_err(|error| failed(&error))
            }
            OpKind::Begin(id) => counter.begin(token, id).await.map_err(|error| failed(&error)),
            OpKind::Delete => counter.remove().await.map_err(|error| failed(&error)),
        }
    }

    fn signal(&self, op: Op, at: Option<When>) -> Outcome {
        let (token, counter) = (self.token(), counter(op.key));
        macro_rules! send {
            ($operation:expr) => {
                match at {
                    None => $operation.signal(),
                    Some(When::Min) => $operation.signal_at(TimeDelta::MIN),
                    Some(when) => $operation.signal_at(when.duration()),
                }
            };
        }
        let sent = match op.kind {
            OpKind::Add | OpKind::Get => send!(counter.add(token)),
            OpKind::Fail => send!(counter.fail(token | FAILS)),
            OpKind::Panic => send!(counter.fall(token | FAILS)),
            OpKind::Spoil => send!(counter.spoil(token | FAILS)),
            OpKind::PassOn(other) => send!(counter.pass_on(token, other, false)),
            OpKind::PassOnLater(other) => send!(counter.pass_on(token, other, true)),
            OpKind::PassOnAndFail(other) => send!(counter.pass_on_and_fail(token | FAILS, other)),
            OpKind::Begin(id) => send!(counter.begin(token, id)),
            OpKind::Delete => send!(counter.remove()),
        };
        sent.map_err(|error| error.to_string())
    }
}

fn policy(call: &Activity) -> RetryPolicy {
    let mut policy = RetryPolicy::new(call.attempts, call.first.positive());
    if call.doubles {
        policy = policy.backoff_coefficient(2.0);
    }
    if let Some(limit) = call.retry_timeout {
        policy = policy.retry_timeout(limit.positive().max(call.first.positive()));
    }
    if call.is_picky {
        policy = policy.handle(|retry| retry.last_attempt_number() < 3);
    }
    policy
}

fn with_options<A: durable::Activity>(mut work: Call<A>, call: &Activity) -> Call<A> {
    if call.attempts > 1 {
        work = work.retry(policy(call));
    }
    if let Some(limit) = call.timeout {
        work = work.timeout(limit.positive());
    }
    if let Some(limit) = call.attempt_timeout {
        work = work.attempt_timeout(limit.positive());
    }
    work
}

/// A call that begins at this time.
pub(crate) fn start_at(call: Call<sim_program>, at: When) -> Call<sim_program> {
    match at {
        When::Min => call.start_at(TimeDelta::MIN),
        When::HourAgo => call.start_at(TimeDelta::hours(-1)),
        when => call.start_at(when.duration()),
    }
}
