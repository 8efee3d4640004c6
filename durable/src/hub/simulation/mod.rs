//! An open hub without threads: a simulation takes the steps that its threads would take.
//!
//! The partitions, the commits of groups and the tasks of the runtime are those of production. The
//! only difference is what drives them: in production each has a thread, and here the caller
//! chooses whose turn it is, how much mail a turn takes, and when time passes.

mod commits;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::commits::{Commits, SimulatedOutlet};
use super::builder::TaskHubBuilder;
use super::client::events::LifecycleEvents;
use super::drive::Drive;
use super::mail::Delivery;
use super::met;
use super::nodes::gained::{AtEnd, Gained};
use super::nodes::inbox::Inbox;
use super::nodes::node::Nodes;
use super::nodes::supervisor::Supervisor;
use super::open_error::OpenError;
use super::opening;
use super::ownership::Ownership;
use super::partition::Partition;
use super::parts::{Claimed, Parts, Started};
use super::sizes::Sizes;
use super::task_hub::TaskHub;
use super::threads::{StoreThreads, Threads};
use super::time::virtual_time::VirtualTime;
use crate::panics;
use crate::protocol::{FailureDetails, InstanceRecord, PartitionId, Timestamp};
use crate::store::{Epoch, Node, PartitionState, Store};

/// An open hub in which the caller takes the place of the threads.
#[derive(Debug)]
pub(crate) struct Process {
    hub: TaskHub,
    /// Metrics need lifecycle events, and a seed must do the same whether that feature is on or not.
    #[expect(dead_code, reason = "it is kept, so that the events are always sent")]
    lifecycle: LifecycleEvents,
    time: Arc<VirtualTime>,
    partitions: RefCell<Vec<Rc<Actor>>>,
    commits: Arc<Commits>,
    /// Present if the process shares its hub with others.
    node: Option<NodeActor>,
}

/// The supervisor and the inbox of a node.
struct NodeActor {
    nodes: Arc<Nodes>,
    /// `None` during their steps, and once they have stopped.
    supervisor: RefCell<Option<Supervisor>>,
    inbox: RefCell<Option<Inbox>>,
    /// The partitions that the inbox has started.
    gained: Arc<Mutex<Vec<(Gained, AtEnd)>>>,
    parts: Parts,
}

/// A partition, and the mail that it has not handled yet.
struct Actor {
    owner: Arc<Ownership>,
    /// `None` during its steps, and once it has stopped.
    partition: RefCell<Option<Box<Partition>>>,
    /// The stored state that it loads in its first step.
    found: RefCell<Option<PartitionState>>,
    /// `None` once it has stopped.
    mail: RefCell<Option<Receiver<Delivery>>>,
    /// The first delivery, which was received to find out whether there is one.
    first: RefCell<Option<Delivery>>,
    /// When it needs a turn without mail.
    due: Cell<Option<Timestamp>>,
    /// Called when it has stopped.
    at_end: RefCell<Option<AtEnd>>,
}

impl Process {
    /// Opens a hub that this thread drives.
    pub(crate) fn open(builder: TaskHubBuilder) -> Result<Self, OpenError> {
        let mut options = builder.options;
        options.settings.complete();
        let time = options.time.clone().unwrap_or_default();
        options.time = Some(Arc::clone(&time));
        panics::note_places();
        let options = options.with_built_in_states();
        let (hub, (partitions, commits, node)) =
            opening::open_with(options, &Drive::Simulated, |parts, claimed, _kept| {
                start(parts, claimed)
            })?;
        let (lifecycle, partitions) = (hub.lifecycle(), RefCell::new(partitions));
        let process = Self { hub, lifecycle, time, partitions, commits, node };
        process.start_gained();
        Ok(process)
    }

    pub(crate) fn hub(&self) -> &TaskHub {
        &self.hub
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
        self.partitions.borrow().len()
    }

    fn partition(&self, index: usize) -> Option<Rc<Actor>> {
        self.partitions.borrow().get(index).map(Rc::clone)
    }

    /// Whether a partition has something to do.
    pub(crate) fn has_turn(&self, index: usize) -> bool {
        let partitions = self.partitions.borrow();
        let actor = &partitions[index];
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

    /// Runs a turn of a partition with at most this much mail. The first turn is its recovery.
    pub(crate) fn turn(
        &self,
        index: usize,
        mail: usize,
        between: impl FnOnce(),
    ) -> Result<(), FailureDetails> {
        let Some(actor) = self.partition(index) else { return Ok(()) };
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
            self.set_due(&actor);
            stays.then_some(partition)
        };
        // A partition that has panicked or stopped is removed together with its mail.
        let turned = panics::catch(turn);
        if !matches!(turned, Ok(Some(_))) {
            drop((actor.mail.take(), actor.first.take()));
        }
        let turned = turned?;
        let at_end = actor.at_end.borrow_mut().take_if(|_| turned.is_none());
        *actor.partition.borrow_mut() = turned;
        at_end.map_or(Ok(()), panics::catch)
    }

    /// Reports to virtual time when a partition is due. A later ownership of the same partition may
    /// have begun before this one has noticed that it was lost.
    fn set_due(&self, actor: &Actor) {
        let partition = actor.owner.partition;
        let partitions = self.partitions.borrow();
        let of_it = partitions.iter().filter(|other| other.owner.partition == partition);
        self.time.set_due(partition, of_it.filter_map(|other| other.due.get()).min());
    }

    /// Makes an actor of each partition that was gained.
    fn start_gained(&self) {
        let Some(node) = &self.node else { return };
        let gained = std::mem::take(&mut *node.gained());
        let mut partitions = self.partitions.borrow_mut();
        // Removes those that have stopped. A partition that is taking a step still has its mail.
        partitions.retain(|actor| actor.mail.borrow().is_some());
        for (gained, at_end) in gained {
            let actor = actor(&node.parts, &self.commits, gained);
            *actor.at_end.borrow_mut() = Some(at_end);
            partitions.push(Rc::new(actor));
        }
    }

    /// Whether the supervisor of a node has work before it renews its leases the next time.
    pub(crate) fn has_supervisor(&self) -> bool {
        self.node.as_ref().is_some_and(|node| {
            let supervisor = node.supervisor.borrow();
            let can_release = supervisor.as_ref().map(Supervisor::can_release);
            can_release.is_some_and(|can_release| can_release || node.nodes.has_rung())
        })
    }

    /// Runs a turn of the supervisor, which renews its leases, and gains and stops partitions.
    pub(crate) fn supervise(&self) -> Result<(), FailureDetails> {
        let Some(node) = &self.node else { return Ok(()) };
        let Some(mut supervisor) = node.supervisor.take() else { return Ok(()) };
        node.nodes.take_ring();
        if node.nodes.is_stopping() {
            // The supervisor ends, and the inbox with it.
            node.inbox.take();
            return Ok(());
        }
        panics::catch(|| supervisor.turn(true))?;
        *node.supervisor.borrow_mut() = Some(supervisor);
        Ok(())
    }

    /// Runs a turn of the inbox, which starts the partitions that were gained, or takes in what has
    /// arrived.
    pub(crate) fn receive(&self) -> Result<(), FailureDetails> {
        let Some(node) = &self.node else { return Ok(()) };
        let Some(mut inbox) = node.inbox.take() else { return Ok(()) };
        if !node.nodes.is_stopping() {
            panics::catch(|| inbox.turn(Duration::ZERO))?;
            *node.inbox.borrow_mut() = Some(inbox);
            self.start_gained();
        }
        Ok(())
    }

    /// Whether the inbox could start partitions that were gained; `None` if there are none. A thread
    /// would wait for the end of a commit.
    pub(crate) fn can_start_gained(&self) -> Option<bool> {
        let node = self.node.as_ref().filter(|it| it.inbox.borrow().is_some())?;
        let is_committing = || self.commits.committer.writes.is_committing();
        node.nodes.has_gained().then(|| !is_committing())
    }

    /// The partitions whose messages the inbox would receive now; `None` if it has stopped.
    pub(crate) fn receives_for(&self) -> Option<Vec<(PartitionId, Epoch)>> {
        let node = self.node.as_ref()?;
        node.inbox.borrow().as_ref().map(|_| self.hub.inner.mailboxes.owned())
    }

    /// The leases have to be renewed.
    pub(crate) fn ring(&self) {
        if let Some(node) = self.node.as_ref().filter(|it| it.supervisor.borrow().is_some()) {
            node.nodes.ring();
        }
    }

    /// Whether a group can be committed, or the next step of its commit taken.
    pub(crate) fn has_commit(&self) -> bool {
        self.commits.has_step()
    }

    /// Takes a step of the commit of a group: the whole group, or one effect of it.
    pub(crate) fn commit(&self, at_most: usize) -> Result<(), FailureDetails> {
        self.commits.step(at_most)
    }

    /// Whether all partitions have stopped, and everything that they wrote is committed.
    pub(crate) fn has_stopped(&self) -> bool {
        let is_gone = |actor: &Rc<Actor>| actor.partition.borrow().is_none();
        let has_node = self.node.as_ref().is_some_and(|it| it.supervisor.borrow().is_some());
        !has_node && self.partitions.borrow().iter().all(is_gone) && !self.has_commit()
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

    /// Tells all partitions to stop once they have handled their mail.
    pub(crate) fn stop(&self) {
        self.hub.inner.stop_nodes();
        self.hub.inner.mailboxes.stop_all();
    }

    /// The failure of the hub, if it has failed.
    pub(crate) fn failure(&self) -> Option<String> {
        self.hub.inner.health.failure().map(|failure| format!("{failure:?}"))
    }

    /// Compares what each partition keeps in memory with the store. A partition that has lost its
    /// ownership and has not noticed yet is left out.
    pub(crate) fn check(
        &self,
        store: &dyn Store,
        is_owner: impl Fn(PartitionId, Epoch) -> bool,
    ) -> Result<(), String> {
        let partitions = self.partitions.borrow();
        let counts = |actor: &&Rc<Actor>| is_owner(actor.owner.partition, actor.owner.epoch);
        for actor in partitions.iter().filter(counts) {
            if let Some(partition) = &*actor.partition.borrow()
                && actor.found.borrow().is_none()
            {
                partition.check(store)?;
            }
        }
        let running = self.hub.inner.activities.check()?;
        // While a group is being committed, some of its effects have not been taken yet.
        if self.has_commit() {
            return Ok(());
        }
        for (id, (execution, task)) in running {
            let partition = self.hub.inner.mailboxes.partition(&id);
            let owned = partitions.iter().filter(counts);
            if !owned.clone().any(|actor| actor.owner.partition == partition) {
                continue;
            }
            let is_given_up = |actor: &Rc<Actor>| {
                let partition = actor.partition.borrow();
                partition.as_ref().is_some_and(|it| it.has_given_up(&id, execution, task))
            };
            if owned.clone().any(is_given_up) {
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

/// The parts of a process that are not threads.
type Built = (Vec<Rc<Actor>>, Arc<Commits>, Option<NodeActor>);

/// Builds the partitions and the committer of a hub without threads.
fn start(parts: &Parts, claimed: Claimed) -> Started<Built> {
    let Claimed { committer, partitions, .. } = claimed;
    let commits = Commits::new(committer);
    let actors = partitions.into_iter().map(|it| Rc::new(actor(parts, &commits, it))).collect();
    let node = match &parts.nodes {
        Some((nodes, node)) => Some(join(parts, &commits, nodes, node)?),
        None => None,
    };
    let threads = Threads::new(Arc::clone(&parts.health));
    let for_clients = StoreThreads::new(&threads, &Drive::Simulated);
    Ok((threads, for_clients, (actors, commits, node)))
}

/// Joins the other processes of the hub.
fn join(
    parts: &Parts,
    commits: &Arc<Commits>,
    nodes: &Arc<Nodes>,
    node: &Node,
) -> Result<NodeActor, OpenError> {
    let gained = Arc::<Mutex<Vec<(Gained, AtEnd)>>>::default();
    let into = Arc::clone(&gained);
    let start = move |partition, at_end| {
        into.lock().unwrap_or_else(PoisonError::into_inner).push((partition, at_end));
        Ok(())
    };
    let (writer, committer) = (Arc::clone(commits), Arc::clone(&commits.committer));
    let (of_node, clock) = (Arc::clone(nodes), parts.clock.clone());
    let mut inbox = Inbox::new(Arc::clone(nodes), Arc::clone(&committer), writer, Box::new(start));
    let mut supervisor = Supervisor::new(of_node, committer, clock, None);
    supervisor.begin(node)?;
    inbox.turn(Duration::ZERO);
    let inbox = RefCell::new(Some(inbox));
    let (nodes, supervisor) = (Arc::clone(nodes), RefCell::new(Some(supervisor)));
    Ok(NodeActor { nodes, supervisor, inbox, gained, parts: parts.clone() })
}

fn actor(parts: &Parts, commits: &Arc<Commits>, (owner, mail, found): Gained) -> Actor {
    let (commits, batches) = (Arc::clone(commits), Arc::clone(&parts.batches));
    let outlet = SimulatedOutlet::new(commits, batches, Arc::clone(&owner));
    let make = parts.partition(&owner, outlet);
    Actor {
        owner,
        partition: RefCell::new(Some(Box::new(make()))),
        found: RefCell::new(Some(found)),
        mail: RefCell::new(Some(mail)),
        first: RefCell::default(),
        due: Cell::default(),
        at_end: RefCell::default(),
    }
}

impl NodeActor {
    fn gained(&self) -> MutexGuard<'_, Vec<(Gained, AtEnd)>> {
        self.gained.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor").field("owner", &self.owner).finish_non_exhaustive()
    }
}

impl fmt::Debug for NodeActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeActor").field("nodes", &self.nodes).finish_non_exhaustive()
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
