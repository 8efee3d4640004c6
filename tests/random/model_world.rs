//! The state that programs in the model share: time, the events of an instance, entities.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use crate::model::poll_once;
use crate::program::Micros;

type Task = Pin<Box<dyn Future<Output = ()>>>;

/// A task, unless it is being polled or has ended, and whether it is cancelled.
type Spawned = (Rc<Cell<bool>>, Option<Task>);

/// The world of one run.
#[derive(Clone, Default)]
pub(crate) struct Sim(Rc<State>);

#[derive(Default)]
struct State {
    now: Cell<Micros>,
    deadlines: RefCell<BTreeSet<Micros>>,
    /// The deadline that was last waited for.
    registered: Cell<Option<Micros>>,
    /// Counts everything that may let another task continue.
    changes: Cell<u64>,
    tickets: Cell<u64>,
    entities: RefCell<BTreeMap<u8, Entity>>,
    served: RefCell<BTreeSet<u64>>,
    tasks: RefCell<Vec<Spawned>>,
}

/// An entity that operations and lock requests reach in order.
#[derive(Default)]
struct Entity {
    owner: Option<u64>,
    queue: VecDeque<(u64, bool)>,
}

impl Sim {
    pub(crate) fn now(&self) -> Micros {
        self.0.now.get()
    }

    pub(crate) fn set_now(&self, now: Micros) {
        self.0.now.set(now);
    }

    /// Records that something has happened that another task may wait for.
    pub(crate) fn changed(&self) {
        self.0.changes.set(self.0.changes.get() + 1);
    }

    pub(crate) fn next_deadline(&self) -> Option<Micros> {
        self.0.deadlines.borrow().range(self.now() + 1..).next().copied()
    }

    pub(crate) fn forget_deadline(&self) {
        self.0.registered.set(None);
    }

    pub(crate) fn registered_deadline(&self) -> Option<Micros> {
        self.0.registered.get()
    }

    /// Runs a separate task, until the returned flag is set.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) -> Rc<Cell<bool>> {
        let is_cancelled = Rc::new(Cell::new(false));
        self.0.tasks.borrow_mut().push((Rc::clone(&is_cancelled), Some(Box::pin(task))));
        self.changed();
        is_cancelled
    }

    pub(crate) fn run_until_nothing_changes(&self) {
        loop {
            let before = self.0.changes.get();
            let mut n = 0;
            while n < self.0.tasks.borrow().len() {
                self.run(n);
                n += 1;
            }
            if self.0.changes.get() == before {
                return;
            }
        }
    }

    fn run(&self, n: usize) {
        let (is_cancelled, task) = {
            let (is_cancelled, task) = &mut self.0.tasks.borrow_mut()[n];
            (Rc::clone(is_cancelled), task.take())
        };
        let Some(mut task) = task else { return };
        if is_cancelled.get() {
            drop(task);
            self.changed();
        } else if poll_once(task.as_mut()).is_pending() {
            self.0.tasks.borrow_mut()[n].1 = Some(task);
        }
    }

    fn ticket(&self) -> u64 {
        self.0.tickets.set(self.0.tickets.get() + 1);
        self.0.tickets.get()
    }

    /// Serves the requests that wait for an entity, until one of them holds its lock.
    fn serve(&self, key: u8) {
        let mut entities = self.0.entities.borrow_mut();
        let entity = entities.entry(key).or_default();
        while entity.owner.is_none()
            && let Some((ticket, is_lock)) = entity.queue.pop_front()
        {
            entity.owner = is_lock.then_some(ticket);
            self.0.served.borrow_mut().insert(ticket);
            self.changed();
        }
    }

    fn ask(&self, key: u8, ticket: u64, is_lock: bool) {
        let mut entities = self.0.entities.borrow_mut();
        entities.entry(key).or_default().queue.push_back((ticket, is_lock));
        drop(entities);
        self.serve(key);
    }

    /// An operation takes place even if its caller was cancelled.
    pub(crate) async fn add(&self, key: u8) {
        let ticket = self.ticket();
        self.ask(key, ticket, false);
        poll_fn(|_| self.is_served(ticket)).await;
    }

    /// Locks entities one after another, until the returned value is dropped.
    pub(crate) async fn lock(&self, keys: &[u8]) -> Locked {
        let mut locked = Locked { sim: self.clone(), tickets: Vec::new() };
        let keys: BTreeSet<_> = keys.iter().copied().collect();
        for key in keys {
            let ticket = self.ticket();
            locked.tickets.push((key, ticket));
            self.ask(key, ticket, true);
            poll_fn(|_| self.is_served(ticket)).await;
        }
        locked
    }

    fn is_served(&self, ticket: u64) -> Poll<()> {
        let is_served = self.0.served.borrow().contains(&ticket);
        if is_served { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Locks that are held or requested.
pub(crate) struct Locked {
    sim: Sim,
    tickets: Vec<(u8, u64)>,
}

impl Drop for Locked {
    fn drop(&mut self) {
        for (key, ticket) in &self.tickets {
            let mut entities = self.sim.0.entities.borrow_mut();
            let entity = entities.entry(*key).or_default();
            entity.owner = entity.owner.filter(|owner| owner != ticket);
            entity.queue.retain(|(waiting, _)| waiting != ticket);
            drop(entities);
            self.sim.serve(*key);
        }
    }
}

pub(crate) async fn sleep(sim: &Sim, time: Micros) {
    sleep_until(sim, sim.now() + time).await;
}

pub(crate) async fn sleep_until(sim: &Sim, deadline: Micros) {
    poll_fn(|_| {
        if sim.now() >= deadline {
            return Poll::Ready(());
        }
        sim.0.deadlines.borrow_mut().insert(deadline);
        sim.0.registered.set(Some(deadline));
        Poll::Pending
    })
    .await;
}

/// The events of an instance, and whether it has panicked.
#[derive(Default)]
pub(crate) struct Instance {
    pub(crate) panicked: Cell<bool>,
    waits: RefCell<Vec<(u8, u64)>>,
    events: RefCell<Vec<(u8, u64)>>,
}

/// The position of a wait in the queue. Dropping it gives up the position.
struct Waiting<'a> {
    instance: &'a Instance,
    sim: &'a Sim,
    ticket: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.instance.waits.borrow_mut().retain(|(_, ticket)| *ticket != self.ticket);
        self.sim.changed();
    }
}

impl Instance {
    pub(crate) fn raise(&self, sim: &Sim, name: u8, number: u64) {
        self.events.borrow_mut().push((name, number));
        sim.changed();
    }

    /// The n-th wait gets the n-th event that has not been delivered.
    pub(crate) async fn wait(&self, sim: &Sim, name: u8) -> u64 {
        let waiting = Waiting { instance: self, sim, ticket: sim.ticket() };
        self.waits.borrow_mut().push((name, waiting.ticket));
        poll_fn(|_| {
            let waits = self.waits.borrow();
            let mut line = waits.iter().filter(|(of, _)| *of == name);
            let place = line.position(|(_, ticket)| *ticket == waiting.ticket);
            let mut events = self.events.borrow_mut();
            let own = events.iter().enumerate().filter(|(_, (of, _))| *of == name);
            match place.and_then(|place| own.map(|(index, _)| index).nth(place)) {
                Some(index) => Poll::Ready(events.remove(index).1),
                None => Poll::Pending,
            }
        })
        .await
    }
}
