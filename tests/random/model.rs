//! The expected behavior of a program: a second interpreter, as simple as possible.
//!
//! Written from the documentation and not from the engine. Nothing is recorded or replayed. At each
//! moment everything is polled until nothing changes, and then time advances to the next moment.
//!
//! Read next: `model_world.rs` (time, events, entities).

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::interpret::{line, sorted};
use crate::model_world::{Instance, Sim, sleep, sleep_until};
use crate::program::{Action, Retry};
use crate::program::{Activity, Case, Child, ChildId, Does, Held, Micros, Node, Options, Program};

pub(crate) type Outcome = Result<(), String>;
type Running = Pin<Box<dyn Future<Output = Outcome>>>;

/// The name of the failure of an instance whose orchestrator panicked.
pub(crate) const PANICKED: &str = "Panicked";

/// The number of generations that may begin at the same moment. The next one begins a microsecond
/// later.
const GENERATIONS_AT_ONCE: u32 = 64;

/// How an instance ended: with its log, or with the name of its failure and its log.
pub(crate) type End = Result<Vec<String>, (String, Vec<String>)>;

/// How the program of a case ends, if it ends before `horizon`. Only the events of its script
/// count. Activities that depend on the world being repaired succeed.
pub(crate) fn predict(case: &Case, horizon: Micros) -> Option<End> {
    let sim = Sim::default();
    let root = Rc::new(Instance::default());
    let end = Rc::new(RefCell::new(None));
    let (sim2, root2, end2) = (sim.clone(), Rc::clone(&root), Rc::clone(&end));
    let program = case.program.clone();
    sim.spawn(async move {
        let ended = instance(&sim2, root2, program).await;
        *end2.borrow_mut() = Some(ended);
    });
    let mut script = case.script.iter().enumerate().peekable();
    loop {
        sim.run_until_nothing_changes();
        if end.borrow().is_some() {
            return end.take();
        }
        let next_event = script.peek().map(|(_, (at, _))| *at);
        let next = sim.next_deadline().into_iter().chain(next_event).min();
        let next = next.filter(|next| *next <= horizon)?;
        sim.set_now(next);
        while let Some((number, (_, action))) = script.next_if(|(_, (at, _))| *at <= next) {
            if let Action::Raise(name) = action {
                root.raise(&sim, *name, number as u64);
            }
        }
    }
}

/// Runs one instance, generation after generation.
async fn instance(sim: &Sim, instance: Rc<Instance>, program: Program) -> End {
    let began = sim.now();
    let log = Rc::new(RefCell::new(Vec::new()));
    let (mut at_once, mut since) = (0, began);
    for generation in 0..=program.generations {
        at_once = if sim.now() == since { at_once + 1 } else { 1 };
        if at_once > GENERATIONS_AT_ONCE + 1 {
            sleep(sim, 1).await;
            at_once = 1;
        }
        since = sim.now();
        let run = Rc::new(Run {
            sim: sim.clone(),
            instance: Rc::clone(&instance),
            began,
            generation,
            is_last: generation == program.generations,
            log: Rc::clone(&log),
        });
        let mut body = Some(run.start(&program.body, String::new()));
        let outcome = poll_fn(|cx| {
            let Some(running) = &mut body else { return Poll::Pending };
            let mut polled = running.as_mut().poll(cx);
            if polled.is_ready() {
                body = None;
            }
            if instance.panicked.get() {
                body = None;
                polled = Poll::Ready(Err(PANICKED.to_owned()));
            }
            polled
        })
        .await;
        if let Err(label) = outcome {
            return Err((label, log.take()));
        }
    }
    Ok(log.take())
}

/// One generation of an instance.
struct Run {
    sim: Sim,
    instance: Rc<Instance>,
    began: Micros,
    generation: u32,
    is_last: bool,
    log: Rc<RefCell<Vec<String>>>,
}

/// A destructor that panics.
struct Bomb(Rc<Run>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.instance.panicked.set(true);
    }
}

impl Run {
    fn start(self: &Rc<Self>, node: &Node, place: String) -> Running {
        Box::pin(Rc::clone(self).run(node.clone(), place))
    }

    fn start_all(self: &Rc<Self>, nodes: &[Node], place: &str) -> Vec<Running> {
        let all = nodes.iter().enumerate();
        all.map(|(n, node)| self.start(node, format!("{place}.{n}"))).collect()
    }

    fn note(&self, place: &str, what: &str) {
        let since = self.sim.now() - self.began;
        self.log.borrow_mut().push(line(since, self.generation, place, what));
    }

    fn called(&self, place: &str, result: Result<String, String>) -> Outcome {
        let (Ok(what) | Err(what)) = &result;
        self.note(place, what);
        result.map(drop)
    }

    async fn run(self: Rc<Self>, node: Node, place: String) -> Outcome {
        match node {
            Node::Timer(time) => {
                sleep(&self.sim, time).await;
                self.note(&place, "timer");
            }
            Node::LongAgo => self.note(&place, "long ago"),
            Node::Activity(call) => {
                let result = activity(&self.sim, &call).await;
                return self.called(&place, result);
            }
            Node::Child(call) => {
                let result = child(&self.sim, &call).await;
                return self.called(&place, result);
            }
            Node::Event(name, limit) => {
                let event = Box::pin(self.instance.wait(&self.sim, name));
                let event = match limit {
                    None => Some(event.await),
                    Some(limit) => timeout(&self.sim, limit, event).await,
                };
                let Some(number) = event else {
                    self.note(&place, "no event");
                    return Err("Elapsed".to_owned());
                };
                self.note(&place, &format!("event {number}"));
            }
            Node::Send(name) => self.instance.raise(&self.sim, name, 0),
            Node::Add(key) => {
                self.sim.add(key).await;
                self.note(&place, "added");
            }
            Node::Section(keys, pause) => {
                let section = self.sim.lock(&keys).await;
                sleep(&self.sim, pause).await;
                self.note(&place, "isolated");
                drop(section);
            }
            Node::Guid => self.note(&place, "guid *"),
            Node::Patch => self.note(&place, "patched"),
            Node::Fail => return Err("Fail".to_owned()),
            Node::Panic => {
                self.instance.panicked.set(true);
                pending::<()>().await;
            }
            Node::Seq(all) => {
                for (n, node) in all.iter().enumerate() {
                    self.start(node, format!("{place}.{n}")).await?;
                }
            }
            Node::Last(node) if self.is_last => return self.start(&node, place).await,
            Node::Last(_) | Node::Status => {}
            Node::Catch(node) => {
                let outcome = self.start(&node, place.clone()).await;
                self.note(&place, &format!("caught {outcome:?}"));
            }
            Node::Bomb(node) => {
                let _bomb = Bomb(Rc::clone(&self));
                return self.start(&node, place).await;
            }
            several => return self.several(several, place).await,
        }
        Ok(())
    }

    async fn several(self: Rc<Self>, node: Node, place: String) -> Outcome {
        match node {
            Node::Join(nodes, most) => {
                let all = self.start_all(&nodes, &place);
                let all = join(all, most.unwrap_or(usize::MAX), false).await;
                all.into_iter().collect()
            }
            Node::TryJoin(nodes) => {
                let all = join(self.start_all(&nodes, &place), usize::MAX, true).await;
                all.into_iter().collect()
            }
            Node::Race(one, two) => {
                let both = [
                    self.start(&one, place.clone() + ".0"),
                    self.start(&two, place.clone() + ".1"),
                ];
                let (first, outcome, _) = select(both.into()).await;
                self.note(&place, ["first", "second"][first]);
                outcome
            }
            Node::Select(nodes) => {
                let mut left = self.start_all(&nodes, &place);
                let mut all = Ok(());
                while !left.is_empty() {
                    let (n, outcome, others) = select(left).await;
                    self.note(&place, &format!("{n} of {}", others.len() + 1));
                    all = all.and(outcome);
                    left = others;
                }
                all
            }
            Node::Completed(nodes, wanted, pause) => {
                self.completed(&nodes, wanted, pause, place).await
            }
            Node::Timeout(limit, node) => {
                let task = self.start(&node, place.clone());
                match timeout(&self.sim, limit, task).await {
                    Some(outcome) => outcome,
                    None => {
                        self.note(&place, "elapsed");
                        Err("Elapsed".to_owned())
                    }
                }
            }
            Node::Held(held) => self.held(held, place).await,
            _ => unreachable!("`run` does it"),
        }
    }

    async fn completed(
        self: Rc<Self>,
        nodes: &[Node],
        wanted: usize,
        pause: Micros,
        place: String,
    ) -> Outcome {
        // Each with the moment at which it can continue, because results arrive in this order.
        let running = self.start_all(nodes, &place).into_iter().enumerate();
        let mut running: Vec<_> = running.map(|(n, task)| (0, n, task)).collect();
        let (mut all, mut done) = (Ok(()), VecDeque::new());
        for _ in 0..wanted.min(nodes.len()) {
            let (n, outcome) = poll_fn(|cx| {
                running.sort_by_key(|(at, n, _)| (*at, *n));
                running.retain_mut(|(at, n, task)| {
                    self.sim.forget_deadline();
                    if let Poll::Ready(outcome) = task.as_mut().poll(cx) {
                        done.push_back((*n, outcome));
                        return false;
                    }
                    *at = self.sim.registered_deadline().unwrap_or(*at);
                    true
                });
                done.pop_front().map_or(Poll::Pending, Poll::Ready)
            })
            .await;
            self.note(&place, &format!("{n}"));
            all = all.and(outcome);
            sleep(&self.sim, pause).await;
        }
        all
    }

    async fn held(self: Rc<Self>, held: Held, place: String) -> Outcome {
        let mut wait = self.start(&held.wait, format!("{place}.0"));
        if let Some(outcome) = timeout(&self.sim, held.limit, wait.as_mut()).await {
            return outcome;
        }
        let between = self.start(&held.meanwhile, format!("{place}.1")).await;
        if held.is_awaited {
            return wait.await.and(between);
        }
        drop(wait);
        between
    }
}

/// When the next attempt begins, if there is one.
fn next_attempt(options: &Options, attempt: u32, began: Micros, failed: Micros) -> Option<Micros> {
    let Retry { attempts, first, doubles, max_interval, timeout } = options.retry.clone()?;
    if attempt >= attempts {
        return None;
    }
    let interval = if doubles { first << (attempt - 1) } else { first };
    let next = failed + interval.min(max_interval.unwrap_or(Micros::MAX));
    (timeout.is_none_or(|timeout| next - began <= timeout)).then_some(next)
}

async fn activity(sim: &Sim, call: &Activity) -> Result<String, String> {
    let began = sim.now();
    let limit = call.options.timeout.map(|timeout| began + timeout);
    let (mut at, mut attempt) = (began, 1);
    let end = loop {
        let (takes, result, is_final) = attempted(call, attempt);
        let Some(takes) = takes else { break None };
        at += takes;
        if result.is_ok() || is_final {
            break Some((at, result));
        }
        match next_attempt(&call.options, attempt, began, at) {
            Some(next) => at = next,
            None => break Some((at, result)),
        }
        attempt += 1;
    };
    let (at, result) = match (end, limit) {
        (Some((at, result)), None) => (at, result),
        (Some((at, result)), Some(limit)) if at < limit => (at, result),
        (_, Some(limit)) => (limit, Err("Timeout".to_owned())),
        (None, None) => return pending().await,
    };
    sleep_until(sim, at).await;
    result
}

/// How long an attempt takes (`None` if it never ends), its result, and whether the failure cannot
/// be retried.
fn attempted(call: &Activity, attempt: u32) -> (Option<Micros>, Result<String, String>, bool) {
    let failed = |label: &str| Err(label.to_owned());
    let (result, is_final) = match &call.does {
        Does::Return(value) => (Ok(format!("Int({value})")), false),
        Does::Float(bits) => (Ok(format!("float {bits:x}")), false),
        Does::Fail(attempts) if attempt <= *attempts => (failed("Failed"), false),
        Does::Panic(attempts) if attempt <= *attempts => (failed("Panic"), false),
        Does::Fail(_) | Does::Panic(_) | Does::FailUntilMended => (Ok("Int(0)".to_owned()), false),
        Does::PanicWithBomb => (failed("Panic"), false),
        Does::Refuse => (failed("Failed"), true),
        Does::FailWithCauses(_) => (failed("Failed"), false),
        Does::NotANumber | Does::Deep => (failed("InvalidOutput"), true),
        Does::Hang => return (call.options.attempt_timeout, failed("Timeout"), false),
    };
    (Some(0), result, is_final)
}

/// A sub-orchestration is cancelled when this is dropped.
struct Cancel(Rc<Cell<bool>>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.set(true);
    }
}

async fn child(sim: &Sim, call: &Child) -> Result<String, String> {
    if matches!(call.id, ChildId::Stranger | ChildId::Own) {
        return Err("InstanceExists".to_owned());
    }
    let result = Rc::new(RefCell::new(None));
    let (sim2, result2, call2) = (sim.clone(), Rc::clone(&result), call.clone());
    let is_cancelled = sim.spawn(async move {
        let (began, mut attempt) = (sim2.now(), 1);
        let end = loop {
            let program = (*call2.program).clone();
            let end = instance(&sim2, Rc::default(), program).await;
            let next = next_attempt(&call2.options, attempt, began, sim2.now());
            let (Err(_), Some(next)) = (&end, next) else { break end };
            attempt += 1;
            sleep_until(&sim2, next).await;
        };
        *result2.borrow_mut() = Some(end);
        sim2.changed();
    });
    let _cancel = Cancel(is_cancelled);
    let ended = Box::pin(poll_fn(|_| match result.take() {
        Some(end) => Poll::Ready(end),
        None => Poll::Pending,
    }));
    let end = match call.options.timeout {
        None => Some(ended.await),
        Some(limit) => timeout(sim, limit, ended).await,
    };
    match end {
        Some(Ok(log)) => Ok(format!("child [{}]", sorted(log).join("; "))),
        Some(Err((label, _))) if label == PANICKED => Err("Panic".to_owned()),
        Some(Err(_)) => Err("Failed".to_owned()),
        None => Err("Timeout".to_owned()),
    }
}

async fn timeout<F: Future + Unpin>(sim: &Sim, limit: Micros, mut task: F) -> Option<F::Output> {
    let mut limit = Box::pin(sleep(sim, limit));
    poll_fn(|cx| {
        if let Poll::Ready(output) = Pin::new(&mut task).poll(cx) {
            return Poll::Ready(Some(output));
        }
        limit.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// All results; with `fails_fast`, only the first failure.
async fn join(tasks: Vec<Running>, most: usize, fails_fast: bool) -> Vec<Outcome> {
    let mut results: Vec<Option<Outcome>> = tasks.iter().map(|_| None).collect();
    let mut tasks: Vec<_> = tasks.into_iter().map(Some).collect();
    let mut is_running = vec![false; tasks.len()];
    poll_fn(|cx: &mut Context<'_>| {
        loop {
            let mut has_ended = false;
            for n in 0..tasks.len() {
                let is_full = is_running.iter().filter(|running| **running).count() >= most;
                let Some(task) = &mut tasks[n] else { continue };
                if is_full && !is_running[n] {
                    continue;
                }
                is_running[n] = true;
                let Poll::Ready(outcome) = task.as_mut().poll(cx) else { continue };
                (tasks[n], is_running[n], has_ended) = (None, false, true);
                if fails_fast && outcome.is_err() {
                    return Poll::Ready(vec![outcome]);
                }
                results[n] = Some(outcome);
            }
            if tasks.iter().all(Option::is_none) {
                return Poll::Ready(results.drain(..).flatten().collect());
            }
            if !has_ended {
                return Poll::Pending;
            }
        }
    })
    .await
}

/// The first that is ready, and the others.
async fn select(mut tasks: Vec<Running>) -> (usize, Outcome, Vec<Running>) {
    let (first, outcome) = poll_fn(|cx| {
        let polled = tasks.iter_mut().enumerate().find_map(|(n, task)| {
            let Poll::Ready(outcome) = task.as_mut().poll(cx) else { return None };
            Some((n, outcome))
        });
        polled.map_or(Poll::Pending, Poll::Ready)
    })
    .await;
    drop(tasks.remove(first));
    (first, outcome, tasks)
}

/// Polls without a wake-up: the caller polls until nothing changes.
pub(crate) fn poll_once<T>(task: Pin<&mut dyn Future<Output = T>>) -> Poll<T> {
    task.poll(&mut Context::from_waker(Waker::noop()))
}
