//! Clients: the script of each, and the answers that they have received.
//!
//! Read next: `op.rs` (the operations), `act.rs` (how they are carried out, and what an answer
//! promises), `look.rs` (checks when no actor can continue).

mod act;
mod answer;
mod entity;
mod follow;
mod look;
mod op;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use durable::TaskHub;
use durable::store::Store;
use durable::testing::sim;

use self::act::act;
use self::follow::Progress;
pub(crate) use self::op::{CLIENTS_MAX, Op, draw_scripts};
use crate::pretty::brief;
use crate::rules::Committed;
use crate::trace;

/// The scripts, and what the clients know.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    state: Arc<Mutex<State>>,
    /// The number of the client that acts.
    number: usize,
}

#[derive(Debug)]
struct State {
    scripts: Vec<VecDeque<Op>>,
    /// The operation that each client waits for.
    doing: Vec<Option<Op>>,
    /// The waits for the end of an instance that clients have left to separate tasks, which wait as
    /// long as it takes; each with its client.
    left: BTreeMap<u64, (String, usize)>,
    /// How far clients have followed histories.
    followed: BTreeMap<u64, Progress>,
    /// The number of processes. A client uses the process with its own number, modulo this number.
    processes: usize,
    waits: u64,
    /// Whether the clients are paused, so that they begin no operation.
    holds: bool,
    failures: Vec<String>,
    done: u64,
}

impl Clients {
    pub(crate) fn new(scripts: &[Vec<Op>], processes: usize) -> Self {
        let scripts: Vec<VecDeque<Op>> =
            scripts.iter().map(|script| script.iter().cloned().collect()).collect();
        let doing = vec![None; scripts.len()];
        let state = Arc::new(Mutex::new(State {
            scripts,
            doing,
            left: BTreeMap::new(),
            followed: BTreeMap::new(),
            processes,
            waits: 0,
            holds: false,
            failures: Vec::new(),
            done: 0,
        }));
        Self { state, number: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count(&self) -> usize {
        self.state().scripts.len()
    }

    fn processes(&self) -> usize {
        self.state().processes
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failures.first().cloned()
    }

    pub(crate) fn done(&self) -> u64 {
        self.state().done
    }

    /// The clients of a process.
    pub(crate) fn of(&self, process: usize) -> Vec<usize> {
        let (count, processes) = (self.count(), self.state().processes);
        (0..count).filter(|client| client % processes == process).collect()
    }

    /// Called when a process has ended: the operations in progress are lost.
    pub(crate) fn cut_off(&self, process: usize) {
        let clients = self.of(process);
        let mut state = self.state();
        for client in &clients {
            if let Some(op) = state.doing[*client].take() {
                state.give_up(&op);
            }
        }
        state.left.retain(|_, (_, client)| !clients.contains(client));
    }

    /// Called when a process begins to shut down. Operations that its clients wait for may be
    /// refused, and another process may nevertheless carry them out.
    pub(crate) fn shut_down(&self, process: usize) {
        let clients = self.of(process);
        let state = self.state();
        let doing = clients.iter().filter_map(|client| state.doing[*client].as_ref());
        doing.for_each(|op| state.give_up(op));
    }

    /// Called when a client stops waiting for an operation.
    fn gives_up(&self, op: &Op) {
        self.state().give_up(op);
    }

    /// Pauses the clients, so that they begin no operation, or lets the next process continue their
    /// scripts.
    pub(crate) fn hold(&self, holds: bool) {
        self.state().holds = holds;
    }

    /// Moves a wait for the end of an instance to a separate task.
    fn leave(&self, id: &str, wait: impl Future<Output = ()> + Send + 'static) {
        let mut state = self.state();
        state.waits += 1;
        let number = state.waits;
        state.left.insert(number, (id.to_owned(), self.number));
        drop(state);
        let clients = self.clone();
        sim::spawn(async move {
            wait.await;
            clients.state().left.remove(&number);
        });
    }

    /// The instances for whose end a task waits.
    pub(crate) fn awaited_ends(&self) -> BTreeSet<String> {
        self.state().left.values().map(|(id, _)| id.clone()).collect()
    }

    /// Ends the clients.
    pub(crate) fn stop(&self) {
        self.state().scripts.iter_mut().for_each(VecDeque::clear);
    }

    /// The operations that have no answer yet, except calls of locked entities.
    pub(crate) fn waiting(&self, locked: &BTreeSet<u8>) -> Vec<Op> {
        let doing = self.state().doing.clone();
        doing.into_iter().flatten().filter(|op| !waits_for_a_lock(op, locked)).collect()
    }

    fn fail(&self, wrong: String) {
        self.state().failures.push(wrong);
    }

    /// Carries out the rest of a script.
    pub(crate) async fn run(
        mut self,
        number: usize,
        hub: TaskHub,
        store: Arc<dyn Store>,
        committed: Committed,
    ) {
        self.number = number;
        loop {
            let op = {
                let mut state = self.state();
                if state.holds {
                    return;
                }
                let Some(op) = state.scripts[number].pop_front() else { return };
                state.doing[number] = Some(op.clone());
                op
            };
            sim::say(|| format!("client {number}: {}", brief(&op)));
            let checked = act(&self, &hub, &op, &store, &committed).await;
            sim::say(|| format!("client {number}: {} is done", brief(&op)));
            let mut state = self.state();
            state.doing[number] = None;
            state.done += 1;
            state.failures.extend(checked.err());
        }
    }

    /// Resumes every suspended instance. Those that no longer fit their code are terminated.
    pub(crate) async fn resume_all(hub: TaskHub, ids: Vec<String>, committed: Committed) {
        for id in ids {
            let Ok(instance) = hub.instance(&id) else { continue };
            if let Err(durable::client::ManageError::StillSuspended(_)) =
                instance.resume("calm").await
            {
                committed.asks_end(&id);
                drop(instance.terminate("its code has changed").await);
            }
        }
    }
}

impl State {
    /// With several processes, an operation that no client waits for may be carried out after the
    /// next one.
    fn give_up(&self, op: &Op) {
        if let Some(number) = op.number().filter(|_| self.processes > 1) {
            trace::note_unordered(number);
        }
    }
}

/// Whether an operation waits for the end of a critical section.
fn waits_for_a_lock(op: &Op, locked: &BTreeSet<u8>) -> bool {
    match op {
        Op::Call(call, _) => locked.contains(&call.key),
        Op::Abandon(_, op) => waits_for_a_lock(op, locked),
        _ => false,
    }
}
