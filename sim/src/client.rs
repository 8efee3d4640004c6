//! Clients: a script for each, and what they were told.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable::TaskHub;
use durable::client::{InstanceHandle, InstanceQuery};
use durable::store::{MemoryStore, Store};
use durable::testing::sim::{self, Choices, Stream};
use serde::{Deserialize, Serialize};

use crate::interpret::{Counter, event_name, id_name, sim_program};
use crate::pretty::brief;
use crate::program::{Program, When, Writer};
use crate::rules::Committed;

/// One operation of a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Op {
    Start(u8, Box<Program>),
    /// Raises an event with a number of its own.
    Raise(u8, u8, u64),
    Suspend(u8),
    Resume(u8),
    Terminate(u8, bool),
    Rewind(u8),
    Restart(u8),
    Purge(u8),
    Status(u8),
    Pending(u8),
    Signal(u8, Option<When>),
    Call(u8),
    Query,
    Pause(When),
    /// Sends the request, and does not wait for the answer.
    Abandon(Box<Op>),
}

/// The scripts, and what the clients know.
#[derive(Clone, Debug)]
pub(crate) struct Clients(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    scripts: Vec<VecDeque<Op>>,
    /// The operation that each client waits for.
    doing: Vec<Option<Op>>,
    /// The instances that somebody purged or tried to.
    purged: BTreeSet<u8>,
    failures: Vec<String>,
    done: u64,
}

impl Clients {
    pub(crate) fn new(scripts: &[Vec<Op>]) -> Self {
        let scripts: Vec<VecDeque<Op>> =
            scripts.iter().map(|script| script.iter().cloned().collect()).collect();
        let doing = vec![None; scripts.len()];
        let (purged, failures) = (BTreeSet::new(), Vec::new());
        Self(Arc::new(Mutex::new(State { scripts, doing, purged, failures, done: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.state().scripts.len()
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failures.first().cloned()
    }

    pub(crate) fn done(&self) -> u64 {
        self.state().done
    }

    /// The process has ended: what was under way is lost.
    pub(crate) fn cut_off(&self) {
        self.state().doing.iter_mut().for_each(|doing| *doing = None);
    }

    /// The operations that nobody has answered.
    pub(crate) fn waiting(&self) -> Vec<Op> {
        self.state().doing.iter().flatten().cloned().collect()
    }

    /// Carries out the rest of a script.
    pub(crate) async fn run(
        self,
        number: usize,
        hub: TaskHub,
        store: Arc<MemoryStore>,
        committed: Committed,
    ) {
        loop {
            let op = {
                let mut state = self.state();
                let Some(op) = state.scripts[number].pop_front() else { return };
                state.doing[number] = Some(op.clone());
                if let Op::Purge(id) = &op {
                    state.purged.insert(*id);
                }
                op
            };
            sim::say(|| format!("client {number}: {}", brief(&op)));
            let checked = act(&hub, &op, &store, &committed).await;
            sim::say(|| format!("client {number}: {} is done", brief(&op)));
            let mut state = self.state();
            state.doing[number] = None;
            state.done += 1;
            if let Err(wrong) = checked {
                // A client that purges an instance knows that it may be gone.
                let is_purged = matches!(op, Op::Start(id, _) if state.purged.contains(&id));
                if !is_purged {
                    state.failures.push(wrong);
                }
            }
        }
    }

    /// Looks at what every running instance waits for, when nobody can go on.
    pub(crate) async fn look(self, hub: TaskHub, ids: Vec<String>) {
        for id in ids {
            let Ok(instance) = hub.instance(&id) else { continue };
            let Ok(pending) = instance.pending().await else { continue };
            let mut wrong = Vec::new();
            for task in &pending.tasks {
                use durable::protocol::PendingKind as Kind;
                match &task.kind {
                    Kind::Activity { .. } => wrong.push("an activity that nobody runs".to_owned()),
                    Kind::Timer => wrong.push("a timer that is not due".to_owned()),
                    Kind::SubOrchestration { instance_id, .. } => {
                        let child = hub.instance(instance_id.as_str());
                        if let Ok(child) = child
                            && let Ok(status) = child.status().await
                            && !status.runtime_status.is_finished()
                        {
                            continue;
                        }
                        wrong.push(format!("a child that has ended: {instance_id}"));
                    }
                    Kind::EntityCall { .. } | Kind::Lock { .. } => {
                        let is_held =
                            pending.awaited_entities.iter().any(|it| it.locked_by.is_some());
                        if !is_held {
                            wrong.push("an entity that is free".to_owned());
                        }
                    }
                    _ => {}
                }
            }
            for name in &pending.awaited_events {
                if pending.unread_events.iter().any(|unread| unread.to_lowercase() == *name) {
                    wrong.push(format!("event {name}, which it has"));
                }
            }
            for what in wrong {
                self.state().failures.push(format!("I14 {id} waits for {what}"));
            }
        }
    }

    /// Resumes every suspended instance.
    pub(crate) async fn resume_all(hub: TaskHub, ids: Vec<String>) {
        for id in ids {
            if let Ok(instance) = hub.instance(&id) {
                drop(instance.resume("calm").await);
            }
        }
    }
}

/// Draws the scripts of all clients.
pub(crate) fn draw_scripts(choices: &mut Choices) -> Vec<Vec<Op>> {
    let mut writer = Writer::new(choices);
    let count = 1 + choices.below(Stream::Swarm, 3);
    let weights = [30, 20, 6, 6, 4, 4, 2, 5, 3, 3, 5, 5, 3, 12, 3]
        .map(|usual: u32| if choices.one_in(Stream::Swarm, 3) { 0 } else { usual });
    let mut number = 0;
    let mut script = |client: u32| {
        let stream = Stream::Client(u8::try_from(client).unwrap_or(u8::MAX));
        let length = 3 + choices.below(stream, 30);
        let first = Op::Start(0, Box::new(writer.program(choices)));
        let rest = (0..length).map(|_| draw(choices, stream, &mut writer, &weights, &mut number));
        std::iter::once(first).chain(rest).collect()
    };
    (0..count).map(&mut script).collect()
}

fn draw(
    choices: &mut Choices,
    stream: Stream,
    writer: &mut Writer,
    weights: &[u32; 15],
    number: &mut u64,
) -> Op {
    let below = |choices: &mut Choices, end: u8| {
        u8::try_from(choices.below(stream, u32::from(end))).unwrap_or(0)
    };
    let id = below(choices, writer.ids);
    let mut drawn = choices.below(stream, weights.iter().sum::<u32>().max(1));
    let index = weights.iter().position(|weight| {
        let is_it = drawn < *weight;
        drawn = drawn.saturating_sub(*weight);
        is_it
    });
    let when = |choices: &mut Choices| {
        use When::{Hour, Micro, Minute, Second, Year};
        choices.one_of(stream, &[Micro, Second, Second, Minute, Hour, Year])
    };
    match index.unwrap_or(0) {
        0 => Op::Start(id, Box::new(writer.program(choices))),
        1 => {
            *number += 1;
            Op::Raise(id, below(choices, 2), *number)
        }
        2 => Op::Suspend(id),
        3 => Op::Resume(id),
        4 => Op::Terminate(id, choices.one_in(stream, 2)),
        5 => Op::Rewind(id),
        6 => Op::Restart(id),
        7 => Op::Purge(id),
        8 => Op::Status(id),
        9 => Op::Pending(id),
        10 => {
            let at = choices.one_in(stream, 2).then(|| when(choices));
            Op::Signal(below(choices, 3), at)
        }
        11 => Op::Call(below(choices, 3)),
        12 => Op::Query,
        13 => Op::Pause(when(choices)),
        _ => Op::Abandon(Box::new(Op::Start(id, Box::new(writer.program(choices))))),
    }
}

/// Carries out one operation. An answer that the store does not bear out is an error.
async fn act(
    hub: &TaskHub,
    op: &Op,
    store: &MemoryStore,
    committed: &Committed,
) -> Result<(), String> {
    let instance = |id: u8| -> Option<InstanceHandle> { hub.instance(id_name(id)).ok() };
    match op {
        Op::Start(id, program) => {
            let call = sim_program((**program).clone(), 0).instance_id(id_name(*id));
            let started = hub.start(call).await.is_ok();
            let stored = durable::InstanceId::new(id_name(*id)).ok();
            let stored = stored.and_then(|id| store.instance(&id).ok().flatten());
            if started && stored.is_none() {
                return Err(format!("I1 {} was started, and is not stored", id_name(*id)));
            }
        }
        Op::Raise(id, name, number) => {
            let Some(instance) = instance(*id) else { return Ok(()) };
            let raised = instance.raise_event(&event_name(*name), number).await;
            if raised.is_ok() && !committed.has_raised(&id_name(*id), *number) {
                return Err(format!("I1 event {number} was accepted, and is in no history"));
            }
        }
        Op::Suspend(id) => _ = instance(*id).expect("an id").suspend("because").await,
        Op::Resume(id) => _ = instance(*id).expect("an id").resume("because").await,
        Op::Terminate(id, false) => _ = instance(*id).expect("an id").terminate("because").await,
        Op::Terminate(id, true) => {
            _ = instance(*id).expect("an id").terminate_recursively("because").await;
        }
        Op::Rewind(id) => _ = instance(*id).expect("an id").rewind("because").await,
        Op::Restart(id) => _ = instance(*id).expect("an id").restart().await,
        Op::Purge(id) => _ = instance(*id).expect("an id").purge().await,
        Op::Status(id) => _ = instance(*id).expect("an id").status().await,
        Op::Pending(id) => _ = instance(*id).expect("an id").pending().await,
        Op::Signal(key, None) => {
            _ = hub.signal_entity(Counter::at(key.to_string()).add(1)).await;
        }
        Op::Signal(key, Some(when)) => {
            let signal = Counter::at(key.to_string()).add(1);
            _ = hub.signal_entity_at(when.duration(), signal).await;
        }
        Op::Call(key) => _ = hub.call_entity(Counter::at(key.to_string()).add(1)).await,
        Op::Query => _ = hub.query(&InstanceQuery::new().page_size(3)).await,
        Op::Pause(when) => sim::sleep(when.duration()).await,
        Op::Abandon(op) => {
            let mut acting = Box::pin(act(hub, op, store, committed));
            std::future::poll_fn(|cx| {
                drop(acting.as_mut().poll(cx));
                std::task::Poll::Ready(())
            })
            .await;
        }
    }
    Ok(())
}
