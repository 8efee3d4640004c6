//! The one orchestrator that runs every program, with its activities and its entity.
//!
//! The behavior of a program depends only on its value. Its result is its log: each line contains
//! the place in the program, the time since the start, and what happened.

use std::cell::RefCell;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::task::DurableFuture;
use durable::{Call, TaskFailed};
use serde::{Deserialize, Serialize};

use crate::program::{Activity, Child, ChildId, Does, Held, Micros, Node, Options, Program};

/// The id of the instance that runs a case's program.
pub(crate) const ROOT: &str = "root";
/// The id of an instance that waits forever.
pub(crate) const STRANGER: &str = "stranger";
/// The message of a failure that the program intends.
const WANTED: &str = "wanted";

/// Panics that a program intends are not printed.
pub(crate) fn keep_wanted_panics_quiet() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let text = panic.payload_as_str();
        if !panic.payload().is::<Bomb>() && !text.is_some_and(|text| text.starts_with(WANTED)) {
            print(panic);
        }
    }));
}

/// The world outside the hub, which activities see.
#[derive(Clone, Debug, Default)]
pub(crate) struct World(Arc<AtomicBool>);

impl World {
    pub(crate) fn mend(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    fn is_mended(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The input of an orchestration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Args {
    pub(crate) program: Program,
    /// What earlier generations did, and when the first one began.
    pub(crate) log: Vec<String>,
    pub(crate) began: Option<DateTime<Utc>>,
    pub(crate) generation: u32,
}

impl Args {
    pub(crate) fn new(program: Program) -> Self {
        Self { program, log: Vec::new(), began: None, generation: 0 }
    }
}

/// The result of a statement: the name of its failure.
type Outcome = Result<(), String>;
type Running<'a> = Pin<Box<dyn DurableFuture<Output = Outcome> + 'a>>;

/// A destructor that panics, unless the thread is already panicking.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(std::thread::panicking(), "{WANTED}: a destructor panics");
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Value {
    Int(i64),
    Float(f64),
    Deep(Box<Option<Value>>),
}

#[activity]
async fn act(ctx: &ActivityContext, world: State<World>, does: Does) -> Result<Value> {
    // Another task may run in between, as around a real activity's I/O.
    tokio::task::yield_now().await;
    let failed = || Error::msg(WANTED);
    match does {
        Does::Return(value) => Ok(Value::Int(value)),
        Does::Float(bits) => Ok(Value::Float(f64::from_bits(bits))),
        Does::Fail(attempts) if ctx.attempt() <= attempts => Err(failed()),
        Does::Panic(attempts) if ctx.attempt() <= attempts => panic!("{WANTED}"),
        Does::Fail(_) | Does::Panic(_) => Ok(Value::Int(0)),
        Does::PanicWithBomb => panic_any(Bomb),
        Does::Refuse => Err(failed().non_retriable()),
        Does::FailUntilMended if world.is_mended() => Ok(Value::Int(0)),
        Does::FailUntilMended => Err(failed()),
        Does::NotANumber => Ok(Value::Float(f64::NAN)),
        Does::Deep => {
            let deeper = |value, _| Value::Deep(Box::new(Some(value)));
            Ok((0..200).fold(Value::Int(0), deeper))
        }
        Does::FailWithCauses(count) => {
            let deeper = |cause, _| Caused(Some(Box::new(cause)));
            Err((0..count).fold(Caused(None), deeper).into())
        }
        Does::Hang => unreachable!("`hang` is called for it"),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("wanted")]
struct Caused(#[source] Option<Box<Caused>>);

/// Stands for everything that never ends; mocked.
#[activity]
pub(crate) async fn hang() -> Result<Value> {
    unreachable!("it is mocked")
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) value: u64,
}

#[entity]
impl Counter {
    fn add(&mut self, n: u64) {
        self.value += n;
    }

    fn get(&self) -> u64 {
        self.value
    }
}

/// Waits forever.
#[orchestrator]
pub(crate) async fn stranger(ctx: &OrchestrationContext) -> Result<()> {
    ctx.wait_for_external_event::<()>("never").await?;
    Ok(())
}

#[orchestrator]
pub(crate) async fn program(ctx: &OrchestrationContext, args: Args) -> Result<Vec<String>> {
    let Args { program: wanted, log, began, generation } = args;
    let began = began.unwrap_or_else(|| ctx.current_utc_datetime());
    let is_last = generation == wanted.generations;
    let run = Run { ctx, began, generation, is_last, log: RefCell::new(log) };
    let outcome = run.start(&wanted.body, String::new()).await;
    let log = run.log.take();
    match outcome {
        Err(failure) => Err(Error::msg(format!("{failure}\n{}", log.join("\n")))),
        Ok(()) if generation < wanted.generations => {
            let next =
                Args { program: wanted, log, began: Some(began), generation: generation + 1 };
            ctx.continue_as_new(self::program(next)).await
        }
        Ok(()) => Ok(log),
    }
}

/// One generation of a program.
struct Run<'a> {
    ctx: &'a OrchestrationContext,
    began: DateTime<Utc>,
    generation: u32,
    is_last: bool,
    log: RefCell<Vec<String>>,
}

impl Run<'_> {
    fn start<'a>(&'a self, node: &'a Node, place: String) -> Running<'a> {
        Box::pin(self.run(node, place))
    }

    fn start_all<'a>(&'a self, nodes: &'a [Node], place: &str) -> Vec<Running<'a>> {
        let all = nodes.iter().enumerate();
        all.map(|(n, node)| self.start(node, format!("{place}.{n}"))).collect()
    }

    fn note(&self, place: &str, what: &str) {
        let since = self.ctx.current_utc_datetime() - self.began;
        let micros = since.num_microseconds().unwrap_or_default();
        self.log.borrow_mut().push(line(micros.unsigned_abs(), self.generation, place, what));
    }

    /// Notes how a call ended.
    fn called<T>(
        &self,
        place: &str,
        result: Result<T, TaskFailed>,
        show: impl Fn(T) -> String,
    ) -> Outcome {
        match result {
            Ok(value) => {
                self.note(place, &show(value));
                Ok(())
            }
            Err(error) => {
                let label = label(error.details());
                self.note(place, &label);
                Err(label)
            }
        }
    }

    #[durable::helper]
    async fn run(&self, node: &Node, place: String) -> Outcome {
        let ctx = self.ctx;
        match node {
            Node::Timer(time) => {
                ctx.create_timer(micros(*time)).await;
                self.note(&place, "timer");
            }
            Node::LongAgo => {
                ctx.create_timer(TimeDelta::MIN).await;
                self.note(&place, "long ago");
            }
            Node::Activity(call) => return self.activity(call, &place).await,
            Node::Child(call) => return self.child(call, &place).await,
            Node::Event(name, limit) => return self.event(*name, *limit, &place).await,
            Node::Send(name) => {
                ctx.send_event(ctx.instance_id(), &event_name(*name), &0)
                    .map_err(|error| text(&error))?;
            }
            Node::Add(key) => {
                let added = Counter::at(key.to_string()).add(1).await;
                return self.called(&place, added, |()| "added".to_owned());
            }
            Node::Section(keys, pause) => return self.section(keys, *pause, &place).await,
            Node::Guid => self.note(&place, &format!("guid {}", ctx.new_guid())),
            Node::Patch => {
                let taken = ctx.patched(&format!("patch {place}"));
                self.note(&place, if taken { "patched" } else { "not patched" });
            }
            Node::Status => ctx.set_custom_status(&place).map_err(|error| text(&error))?,
            Node::Fail => return Err("Fail".to_owned()),
            Node::Panic => panic!("{WANTED}"),
            Node::Seq(all) => {
                for (n, node) in all.iter().enumerate() {
                    self.start(node, format!("{place}.{n}")).await?;
                }
            }
            Node::Last(node) if self.is_last => return self.start(node, place).await,
            Node::Last(_) => {}
            Node::Catch(node) => {
                let outcome = self.start(node, place.clone()).await;
                self.note(&place, &format!("caught {outcome:?}"));
            }
            Node::Bomb(node) => {
                let _bomb = Bomb;
                self.start(node, place).await?;
            }
            _ => return self.several(node, place).await,
        }
        Ok(())
    }

    #[durable::helper]
    async fn several(&self, node: &Node, place: String) -> Outcome {
        match node {
            Node::Join(nodes, None) if nodes.len() == 2 => {
                let first = self.start(&nodes[0], format!("{place}.0"));
                let second = self.start(&nodes[1], format!("{place}.1"));
                let (first, second) = durable::join((first, second)).await;
                first.and(second)
            }
            Node::Join(nodes, at_most) => {
                let all = durable::join_all(self.start_all(nodes, &place));
                let all = all.at_most(at_most.unwrap_or(usize::MAX)).await;
                all.into_iter().collect()
            }
            Node::TryJoin(nodes) => {
                durable::try_join_all(self.start_all(nodes, &place)).await.map(drop)
            }
            Node::Race(one, two) => {
                let one = self.start(one, format!("{place}.0"));
                let two = self.start(two, format!("{place}.1"));
                let (winner, outcome) = match durable::race((one, two)).await {
                    Race2::First(outcome) => ("first", outcome),
                    Race2::Second(outcome) => ("second", outcome),
                };
                self.note(&place, winner);
                outcome
            }
            Node::Select(nodes) => {
                let mut left = self.start_all(nodes, &place);
                let mut all = Ok(());
                while let Some((outcome, n, others)) = durable::select_all(left).await {
                    self.note(&place, &format!("{n} of {}", others.len() + 1));
                    all = all.and(outcome);
                    left = others;
                }
                all
            }
            Node::Completed(nodes, wanted, pause) => {
                let mut tasks = durable::as_completed(self.start_all(nodes, &place));
                let mut all = Ok(());
                for _ in 0..*wanted {
                    let Some((n, outcome)) = tasks.next().await else { break };
                    self.note(&place, &format!("{n}"));
                    all = all.and(outcome);
                    self.ctx.create_timer(micros(*pause)).await;
                }
                all
            }
            Node::Timeout(limit, node) => {
                let task = self.start(node, place.clone());
                let outcome = durable::timeout(micros(*limit), task).await;
                outcome.unwrap_or_else(|_elapsed| {
                    self.note(&place, "elapsed");
                    Err("Elapsed".to_owned())
                })
            }
            Node::Held(held) => self.held(held, place).await,
            _ => unreachable!("`run` does it"),
        }
    }

    #[durable::helper]
    async fn held(&self, held: &Held, place: String) -> Outcome {
        let Held { wait, limit, meanwhile, is_awaited } = held;
        let mut wait = self.start(wait, format!("{place}.0"));
        let first = durable::race((&mut wait, self.ctx.create_timer(micros(*limit)))).await;
        if let Race2::First(outcome) = first {
            return outcome;
        }
        let between = self.start(meanwhile, format!("{place}.1")).await;
        if *is_awaited {
            return wait.await.and(between);
        }
        drop(wait);
        between
    }

    #[durable::helper]
    async fn activity(&self, call: &Activity, place: &str) -> Outcome {
        let result = if call.does == Does::Hang {
            with_options(hang(), &call.options, Call::attempt_timeout).await
        } else {
            let does = act(call.does.clone());
            with_options(does, &call.options, Call::attempt_timeout).await
        };
        self.called(place, result, |value| match value {
            Value::Float(float) => format!("float {:x}", float.to_bits()),
            value => format!("{value:?}"),
        })
    }

    #[durable::helper]
    async fn child(&self, call: &Child, place: &str) -> Outcome {
        let child = program(Args::new((*call.program).clone()));
        let child = with_options(child, &call.options, |call, _| call);
        let child = match call.id {
            ChildId::Generated => child,
            ChildId::Named => {
                let own = self.ctx.instance_id();
                child.instance_id(format!("{own}{place}-{}", self.generation))
            }
            ChildId::Stranger => child.instance_id(STRANGER),
            ChildId::Own => child.instance_id(self.ctx.instance_id().as_str()),
        };
        let result = child.await;
        self.called(place, result, |log| format!("child [{}]", sorted(log).join("; ")))
    }

    #[durable::helper]
    async fn event(&self, name: u8, limit: Option<Micros>, place: &str) -> Outcome {
        let event = self.ctx.wait_for_external_event::<u64>(&event_name(name));
        let event = match limit {
            None => event.await,
            Some(limit) => match durable::timeout(micros(limit), event).await {
                Ok(event) => event,
                Err(_elapsed) => {
                    self.note(place, "no event");
                    return Err("Elapsed".to_owned());
                }
            },
        };
        self.called(place, event, |number| format!("event {number}"))
    }

    #[durable::helper]
    async fn section(&self, keys: &[u8], pause: Micros, place: &str) -> Outcome {
        let keys: Vec<_> = keys.iter().map(|key| Counter::at(key.to_string())).collect();
        let section = self.ctx.lock_entities(keys).await;
        let mut section = section.map_err(|error| label(error.details()))?;
        let before = section[0].get().await.map_err(|error| label(error.details()))?;
        self.ctx.create_timer(micros(pause)).await;
        section[0].add(1).await.map_err(|error| label(error.details()))?;
        let after = section[0].get().await.map_err(|error| label(error.details()))?;
        self.note(place, if after == before + 1 { "isolated" } else { "not isolated" });
        Ok(())
    }
}

/// A line of a log: the generation and place in the program, the time, and the text.
pub(crate) fn line(micros: Micros, generation: u32, place: &str, what: &str) -> String {
    let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
    format!("{generation}{place} +{seconds:07}.{micros:06} {what}")
}

/// The lines sorted by time and place, because the order of simultaneous lines from several places
/// is not defined.
pub(crate) fn sorted(mut log: Vec<String>) -> Vec<String> {
    log.sort();
    log
}

pub(crate) fn event_name(name: u8) -> String {
    format!("event-{name}")
}

/// The name of a failure: the message if the program chose it, and the type if it comes from the
/// runtime.
fn label(failure: &FailureDetails) -> String {
    match failure.error_type.strip_prefix("durable::") {
        Some("Error") | None => "Failed".to_owned(),
        Some(name) if name.contains("::") => "Failed".to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn text(error: &Error) -> String {
    error.to_string()
}

fn micros(time: Micros) -> Duration {
    Duration::from_micros(time)
}

fn with_options<F: durable::task::Definition>(
    mut call: Call<F>,
    options: &Options,
    attempt_timeout: impl Fn(Call<F>, Duration) -> Call<F>,
) -> Call<F> {
    if let Some(retry) = &options.retry {
        let mut policy = RetryPolicy::new(retry.attempts, micros(retry.first))
            .backoff_coefficient(if retry.doubles { 2.0 } else { 1.0 });
        if let Some(interval) = retry.max_interval {
            policy = policy.max_retry_interval(micros(interval));
        }
        if let Some(timeout) = retry.timeout {
            policy = policy.retry_timeout(micros(timeout));
        }
        call = call.retry(policy);
    }
    if let Some(limit) = options.timeout {
        call = call.timeout(micros(limit));
    }
    match options.attempt_timeout {
        Some(limit) => attempt_timeout(call, micros(limit)),
        None => call,
    }
}
