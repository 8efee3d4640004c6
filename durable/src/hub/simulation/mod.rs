//! An open hub without threads: a simulation takes the steps that its threads would take.
//!
//! The partitions, the commits of groups and the tasks of the runtime are those of production. Only
//! what drives them differs: there a thread for each, here the caller, who chooses whose turn it
//! is, how much mail a turn takes and when time passes.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::builder::TaskHubBuilder;
use super::commit::committer::Committer;
use super::commit::run::CommitRun;
use super::commit::write::Write;
use super::drive::Drive;
use super::error::OpenError;
use super::mail::Delivery;
use super::met;
use super::opening;
use super::ownership::Ownership;
use super::partition::Partition;
use super::partition::outbox::Outlet;
use super::parts::{Claimed, Parts};
use super::sizes::Sizes;
use super::task_hub::TaskHub;
use super::threads::{Readers, Threads};
use super::time::virtual_time::VirtualTime;
use super::work::batches::{BatchJob, Batches};
use crate::panics;
use crate::protocol::{FailureDetails, InstanceRecord, PartitionId, Timestamp};
use crate::store::{PartitionState, Store};

/// An open hub whose threads the caller plays.
#[derive(Debug)]
pub(crate) struct Process {
    hub: TaskHub,
    time: Arc<VirtualTime>,
    partitions: Vec<Actor>,
    commits: Arc<Commits>,
}

/// A partition, and the mail that it has not taken.
struct Actor {
    id: PartitionId,
    /// `None` while it takes a step, and once it has stopped.
    partition: RefCell<Option<Box<Partition>>>,
    /// What it recovers from in its first step.
    found: RefCell<Option<PartitionState>>,
    /// `None` once it has stopped.
    mail: RefCell<Option<Receiver<Delivery>>>,
    /// The first delivery, which was received to see whether there is any.
    first: RefCell<Option<Delivery>>,
    /// When it wants a turn without mail.
    due: Cell<Option<Timestamp>>,
}

/// The committer, and the group that it is committing.
#[derive(Debug)]
struct Commits {
    committer: Arc<Committer>,
    run: Mutex<Option<CommitRun<Arc<Committer>>>>,
}

impl Process {
    /// Opens a hub on this thread, which drives it.
    pub(crate) fn open(builder: TaskHubBuilder) -> Result<Self, OpenError> {
        let mut options = builder.options;
        options.settings.complete();
        let time = options.time.clone().unwrap_or_default();
        options.time = Some(Arc::clone(&time));
        panics::note_places();
        let options = options.with_built_in_states();
        let (hub, (partitions, commits)) =
            opening::open_with(options, &Drive::Simulated, |parts, claimed, _kept| {
                Ok(start(parts, claimed))
            })?;
        Ok(Self { hub, time, partitions, commits })
    }

    pub(crate) fn hub(&self) -> &TaskHub {
        &self.hub
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// The next time at which anything is due.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.time.next_due()
    }

    pub(crate) fn advance_to(&self, time: Timestamp) {
        self.time.advance_to(time);
    }

    /// Sleeps for this much virtual time.
    pub(crate) fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let awake = self.time.sleep(time);
        async move { drop(awake.await) }
    }

    /// The number of partitions.
    pub(crate) fn partitions(&self) -> usize {
        self.partitions.len()
    }

    /// Whether a partition has something to do.
    pub(crate) fn has_turn(&self, index: usize) -> bool {
        let actor = &self.partitions[index];
        if actor.partition.borrow().is_none() {
            return false;
        }
        let mut first = actor.first.borrow_mut();
        if first.is_none() {
            *first = actor.mail.borrow().as_ref().and_then(|mail| mail.try_recv().ok());
        }
        first.is_some()
            || actor.found.borrow().is_some()
            || actor.due.get().is_some_and(|due| due <= self.time.now())
    }

    /// Lets a partition take its turn with at most this much mail. Its first turn is its recovery.
    pub(crate) fn turn(
        &self,
        index: usize,
        mail: usize,
        between: impl FnOnce(),
    ) -> Result<(), FailureDetails> {
        let actor = &self.partitions[index];
        let Some(mut partition) = actor.partition.take() else { return Ok(()) };
        let found = actor.found.take();
        let turn = || {
            let turned = match found {
                Some(found) => partition.recover(found),
                None => {
                    let (first, received) = (actor.first.take(), actor.mail.borrow());
                    let rest = received.iter().flat_map(Receiver::try_iter);
                    let mail = first.into_iter().chain(rest).take(mail);
                    partition.turn(mail.inspect(|delivery| met::mail(&delivery.mail)))
                }
            };
            let goes_on = turned.is_ok();
            if goes_on {
                between();
                partition.end_turn(true);
            }
            let stays = goes_on && !partition.has_stopped();
            actor.due.set(partition.next_due().filter(|_| stays));
            self.time.set_due(actor.id, actor.due.get());
            stays.then_some(partition)
        };
        // A partition that panics, or has stopped, is gone, and with it its mail.
        let turned = panics::catch(turn);
        if !matches!(turned, Ok(Some(_))) {
            drop((actor.mail.take(), actor.first.take()));
        }
        *actor.partition.borrow_mut() = turned?;
        Ok(())
    }

    /// Whether a group can be committed, or the next step of its commit taken.
    pub(crate) fn has_commit(&self) -> bool {
        self.commits.run().is_some() || self.commits.committer.writes.has_group()
    }

    /// Takes a step of the commit of a group: the whole group, or one effect of it.
    pub(crate) fn commit(&self, at_most: usize) -> Result<(), FailureDetails> {
        self.commits.step(at_most)
    }

    /// Whether all partitions have stopped, and all that they wrote is committed.
    pub(crate) fn has_stopped(&self) -> bool {
        let is_gone = |actor: &Actor| actor.partition.borrow().is_none();
        self.partitions.iter().all(is_gone) && !self.has_commit()
    }

    /// Begins an orderly shutdown: no more activities begin.
    pub(crate) fn close(&self) {
        self.hub.inner.close();
    }

    /// Whether no activity and no batch of operations is running.
    pub(crate) fn is_drained(&self) -> bool {
        let inner = &self.hub.inner;
        inner.activities.has_drained() && inner.batches.under_way.len() == 0
    }

    /// Tells all partitions to stop, once they have handled their mail.
    pub(crate) fn stop(&self) {
        self.hub.inner.mailboxes.stop_all();
    }

    /// The failure of the hub, if it has failed.
    pub(crate) fn failure(&self) -> Option<String> {
        self.hub.inner.health.failure().map(|failure| format!("{failure:?}"))
    }

    /// Checks what each partition keeps in memory against the store.
    pub(crate) fn check(&self, store: &dyn Store) -> Result<(), String> {
        for actor in &self.partitions {
            if let Some(partition) = &*actor.partition.borrow()
                && actor.found.borrow().is_none()
            {
                partition.check(store)?;
            }
        }
        let running = self.hub.inner.activities.check()?;
        // While a group is being committed, not all of its effects are taken.
        if self.has_commit() {
            return Ok(());
        }
        for (id, (execution, task)) in running {
            let is_given_up = |actor: &Actor| {
                let partition = actor.partition.borrow();
                partition.as_ref().is_some_and(|it| it.has_given_up(&id, execution, task))
            };
            if self.partitions.iter().any(is_given_up) {
                return Err(format!("I20 activity {task} of {id} runs, and was given up"));
            }
            let record = store.instance(&id).map_err(|error| error.to_string())?;
            let is_waiting = |record: &InstanceRecord| {
                record.execution_id == execution && !record.runtime_status.is_finished()
            };
            if !record.is_some_and(|record| is_waiting(&record)) {
                return Err(format!("I20 activity {task} of {id} runs, and nobody waits for it"));
            }
        }
        Ok(())
    }
}

/// Builds the partitions and the committer of a hub whose threads the caller plays.
fn start(parts: &Parts, claimed: Claimed) -> (Threads, Arc<Readers>, (Vec<Actor>, Arc<Commits>)) {
    let Claimed { committer, partitions, .. } = claimed;
    let commits = Arc::new(Commits { committer, run: Mutex::default() });
    let actor = |(owner, mail, found): (Arc<Ownership>, _, _)| {
        let batches = Arc::clone(&parts.batches);
        let outlet =
            SimulatedOutlet { commits: Arc::clone(&commits), batches, owner: Arc::clone(&owner) };
        outlet.commits.committer.writes.join();
        let make = parts.partition(&owner, outlet);
        Actor {
            id: owner.partition,
            partition: RefCell::new(Some(Box::new(make()))),
            found: RefCell::new(Some(found)),
            mail: RefCell::new(Some(mail)),
            first: RefCell::default(),
            due: Cell::default(),
        }
    };
    let actors = partitions.into_iter().map(actor).collect();
    let threads = Threads::new(Arc::clone(&parts.health));
    let readers = Readers::new(threads.clone(), Drive::Simulated);
    (threads, readers, (actors, commits))
}

impl Commits {
    fn run(&self) -> std::sync::MutexGuard<'_, Option<CommitRun<Arc<Committer>>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step. Does nothing if a step is under way further down the stack.
    fn step(&self, at_most: usize) -> Result<(), FailureDetails> {
        let next = || {
            let group = self.committer.writes.next_group()?;
            Some(CommitRun::new(Arc::clone(&self.committer), group))
        };
        let under_way = self.run().take();
        let Some(mut run) = under_way.or_else(next) else { return Ok(()) };
        let step = || run.step(at_most).then_some(run);
        *self.run() = panics::catch(step)?;
        Ok(())
    }
}

/// Where the products of a simulated partition go.
#[derive(Debug)]
struct SimulatedOutlet {
    commits: Arc<Commits>,
    batches: Arc<Batches>,
    owner: Arc<Ownership>,
}

impl Outlet for SimulatedOutlet {
    fn hand_over(&mut self, writes: &mut Vec<Write>) {
        let committer = &self.commits.committer;
        // Others would go on while a thread waits for room. If the commit itself is further down
        // the stack, the queue becomes larger than it may be, which changes no order.
        while committer.writes.is_full() && self.commits.step(usize::MAX).is_ok() {
            if self.commits.run().is_none() && !committer.writes.has_group() {
                break;
            }
        }
        committer.writes.add_unbounded(writes);
    }

    /// The commit is a step of its own, as if the committer's thread had come first.
    fn commit(&mut self, writes: &mut Vec<Write>) {
        self.hand_over(writes);
    }

    fn run(&mut self, batch: BatchJob) {
        self.batches.submit(batch, &self.owner);
    }
}

impl Drop for SimulatedOutlet {
    fn drop(&mut self) {
        self.commits.committer.writes.leave();
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The internal sizes of a hub, by name.
fn by_name(sizes: &mut Sizes) -> [(&'static str, &mut usize); 16] {
    let Sizes { at_once, generations, hand_over, hand_over_bytes, commit, due, queue } = sizes;
    [
        ("at_once", at_once),
        ("generations", generations),
        ("hand_over", hand_over),
        ("hand_over_bytes", hand_over_bytes),
        ("group", &mut commit.group),
        ("group_bytes", &mut commit.group_bytes),
        ("waiting", &mut commit.waiting),
        ("waiting_bytes", &mut commit.waiting_bytes),
        ("due_read", &mut due.read),
        ("due_keep", &mut due.keep),
        ("queue_messages", &mut queue.messages),
        ("queue_bytes", &mut queue.bytes),
        ("queue_batch", &mut queue.batch),
        ("queue_batch_bytes", &mut queue.batch_bytes),
        ("queue_first_read", &mut queue.first_read),
        ("queue_read", &mut queue.read),
    ]
}

/// The names of the internal sizes of a hub, and their values in production.
pub(crate) fn production_sizes() -> Vec<(&'static str, usize)> {
    by_name(&mut Sizes::default()).into_iter().map(|(name, size)| (name, *size)).collect()
}

impl TaskHubBuilder {
    /// Replaces internal sizes: `choose` gets the name and the value of each in production.
    pub(crate) fn sizes(mut self, mut choose: impl FnMut(&'static str, usize) -> usize) -> Self {
        for (name, size) in by_name(&mut self.options.settings.sizes) {
            *size = choose(name, *size).max(1);
        }
        self
    }
}
