//! The processes of a world: one, or several that share a hub.
//!
//! A process that has died keeps its leases until they expire. A frozen process takes no steps, and
//! when it continues, it does not know whether its leases have expired.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::choice::Stream;
use super::policy::Actor;
use super::slot::Slot;
use super::store::WatchedStore;
use super::world::{World, current, preempt};
use crate::TaskHub;
use crate::client::{OpenError, TaskHubBuilder};
use crate::hub::drive::simulated::{process as present, within};
use crate::hub::simulation::Process;
use crate::panics;
use crate::store::Cluster as _;
use crate::testing::MemoryCluster;

impl World {
    /// Opens a process at this place.
    pub(super) fn open(
        &self,
        number: usize,
        builder: TaskHubBuilder,
    ) -> Result<TaskHub, OpenError> {
        let flag = || Arc::new(AtomicBool::new(true));
        let (is_alive, is_opening) = (flag(), flag());
        let flags = (Arc::clone(&is_alive), Arc::clone(&is_opening));
        let node = self.cluster.as_ref().map(MemoryCluster::node);
        let store = match &node {
            Some(node) => WatchedStore::of_node(node.clone(), flags),
            None => WatchedStore::new(Arc::clone(&self.store), flags),
        };
        let builder = builder.store(store).virtual_time(self.now.get());
        let process = within(number, || Process::open(builder))?;
        is_opening.store(false, Ordering::Relaxed);
        let hub = process.hub().clone();
        let mut slots = self.slots.borrow_mut();
        let count = slots.len().max(number + 1);
        slots.resize_with(count, Slot::default);
        let slot = &mut slots[number];
        slot.process = Some(Rc::new(process));
        (slot.is_alive, slot.node, slot.is_frozen) = (is_alive, node, false);
        drop(slots);
        self.note("open", number as u64);
        Ok(hub)
    }

    /// Ends all processes: none of their calls has an effect on the store any more.
    pub(super) fn crash(&self) {
        self.note("crash", 0);
        mark!("fault: the process ends without a shutdown");
        let is_committing = self.live().iter().any(|(_, process)| process.has_commit());
        mark!(is_committing, "fault: .. during a commit");
        self.breakage.take();
        self.may_fail.set(false);
        self.must_fail.set(false);
        let numbers = 0..self.slots.borrow().len();
        let taken: Vec<_> = numbers.filter_map(|number| self.take_out(number)).collect();
        let cleared = self.executor.clear();
        // Done outside the borrow, because destructors run.
        let dropped = panics::catch(|| drop(taken));
        if let Err(panic) = cleared.and(dropped).and(self.executor.clear()) {
            self.fail(format!("I21 the end of the process: {}", panic.message));
        }
    }

    /// Ends one of several processes. Its leases expire later.
    pub(super) fn crash_one(&self, number: usize) {
        self.note("crash", number as u64 + 1);
        mark!("fault: one of several processes ends");
        let taken = self.take_out(number);
        let cleared = self.executor.clear_of(number);
        let dropped = panics::catch(|| within(number, || drop(taken)));
        if let Err(panic) = cleared.and(dropped).and(self.executor.clear_of(number)) {
            self.fail(format!("I21 the end of a process: {}", panic.message));
        }
    }

    fn take_out(&self, number: usize) -> Option<Rc<Process>> {
        let mut slots = self.slots.borrow_mut();
        let slot = slots.get_mut(number)?;
        slot.is_alive.store(false, Ordering::Relaxed);
        slot.left.extend(slot.node.take());
        slot.process.take()
    }

    /// Lets the leases of the dead processes of this place expire.
    pub(super) fn expire(&self, number: usize) {
        self.note("expire", number as u64);
        self.say(|| format!("the leases of those who died at {number} expire"));
        let left = self.with_slot(number, |slot| std::mem::take(&mut slot.left));
        for node in left.into_iter().flatten() {
            mark!("fault: the leases of a dead process expire");
            // A store in memory does not fail.
            drop(node.leave());
        }
    }

    /// Freezes a process, so that it takes no steps, or lets it continue.
    pub(super) fn freeze(&self, number: usize, is_frozen: bool) {
        self.note("freeze", number as u64 * 2 + u64::from(is_frozen));
        mark!(is_frozen, "fault: a process stands still");
        let what = if is_frozen { "stands still" } else { "goes on" };
        self.say(|| format!("process {number} {what}"));
        self.with_slot(number, |slot| slot.is_frozen = is_frozen);
    }

    /// Lets the leases of a process expire. The process does not notice.
    pub(super) fn cut_off(&self, number: usize) {
        self.note("cut off", number as u64);
        self.say(|| format!("the leases of process {number} expire"));
        mark!("fault: leases expire, and their process lives on");
        if let Some(node) = self.with_slot(number, |slot| slot.node.clone()).flatten() {
            node.cut_off();
        }
    }

    /// A process that was cut off can own partitions again.
    pub(super) fn reconnect(&self, number: usize) {
        self.note("reconnect", number as u64);
        self.say(|| format!("process {number} can have leases again"));
        if let Some(node) = self.with_slot(number, |slot| slot.node.clone()).flatten() {
            node.reconnect();
        }
    }

    /// An orderly shutdown of a process is complete, so the others can own its partitions.
    pub(super) fn leave(&self, number: usize) {
        let node = self.with_slot(number, |slot| slot.node.take());
        if let Some(node) = node.flatten() {
            drop(node.leave());
        }
    }

    /// Changes the place of a process. Returns `None` if there is none.
    fn with_slot<T>(&self, number: usize, change: impl FnOnce(&mut Slot) -> T) -> Option<T> {
        self.has_settled.set(false);
        self.slots.borrow_mut().get_mut(number).map(change)
    }

    pub(super) fn with_process<T>(
        &self,
        number: usize,
        function: impl FnOnce(&Process) -> T,
    ) -> Option<T> {
        self.process(number).map(|process| within(number, || function(&process)))
    }

    pub(super) fn process(&self, number: usize) -> Option<Rc<Process>> {
        self.slots.borrow().get(number).and_then(|slot| slot.process.clone())
    }

    /// The processes that can continue, by number.
    pub(super) fn live(&self) -> Vec<(usize, Rc<Process>)> {
        let slots = self.slots.borrow();
        let live = slots.iter().enumerate().filter(|(_, slot)| !slot.is_frozen);
        live.filter_map(|(number, slot)| Some((number, slot.process.clone()?))).collect()
    }

    pub(super) fn check(&self, number: usize, process: &Process) -> Result<(), String> {
        let node = self.slots.borrow().get(number).and_then(|slot| slot.node.clone());
        process.check(&*self.store, |partition, epoch| {
            node.as_ref().is_none_or(|node| node.lost(&[(partition, epoch)]).is_empty())
        })
    }

    /// Whether something has arrived for a process, or it can start partitions.
    pub(super) fn receives(&self, number: usize, process: &Process) -> bool {
        if let Some(can_start) = process.can_start_gained() {
            return can_start;
        }
        let slots = self.slots.borrow();
        let node = slots.get(number).and_then(|slot| slot.node.as_ref());
        let owned = process.receives_for();
        node.zip(owned).is_some_and(|(node, owned)| node.has_arrived(&owned))
    }
}

/// Others run between two steps that call no store. Meanwhile leases may expire and be renewed,
/// except during the steps that renew them, which would have no end.
pub(super) fn pause() {
    let Some(world) = current().filter(|world| !world.is_calm.get()) else { return };
    let is_renewal = matches!(world.actor.get(), Some(Actor::Supervisor(_)));
    if world.cluster.is_some()
        && !is_renewal
        && world.choices.borrow_mut().one_in(Stream::Preempt, 8)
    {
        world.cut_off(present());
        world.reconnect(present());
        world.live().iter().for_each(|(_, process)| process.ring());
    }
    preempt();
}
