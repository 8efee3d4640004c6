//! What runs beside the commits: the keeper of the log, and the checkpoints.
//!
//! An actor is a state machine. In production a thread drives it, and in a simulation the seed
//! decides when it takes a step.

use std::fmt;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::disk::Disk;
#[cfg(feature = "testing")]
use super::disk::simulated::SimDisk;
use super::monitor::Monitor;
use crate::store::StoreError;

/// What an actor does after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// It has more to do.
    Again,
    /// It waits until this much time has passed, or it is stopped.
    After(Duration),
    /// It waits for something to do.
    Idle,
    /// It was stopped.
    End,
}

/// A state machine that works beside the commits.
pub(super) trait Actor: Send + 'static {
    /// The part of its state that is shared, and tells what it has to do.
    type Shared: Send;

    fn shared(&self) -> &Monitor<Self::Shared>;

    /// Whether it has something to do, or is stopped.
    fn has_work(shared: &Self::Shared) -> bool;

    /// Whether it is stopped.
    fn is_stopped(shared: &Self::Shared) -> bool;

    /// Takes one step.
    fn step(&mut self) -> Next;

    /// Whether all locks are free that the next step takes.
    #[cfg(feature = "testing")]
    fn is_free(&self) -> bool;
}

/// A running actor. Who stops it waits for its end with [`join`](Self::join).
pub(super) struct Running(Option<Inner>);

enum Inner {
    Thread(JoinHandle<()>),
    #[cfg(feature = "testing")]
    Simulated(SimDisk, u64),
}

impl Running {
    /// Starts an actor: on a thread with this name, or in the simulation of the disk.
    pub(super) fn start(disk: &Disk, name: &str, actor: impl Actor) -> Result<Self, StoreError> {
        match disk {
            Disk::System => {
                let thread = thread::Builder::new().name(name.to_owned()).spawn(|| run(actor));
                let thread =
                    thread.map_err(|error| StoreError::io("cannot start a thread", error))?;
                Ok(Self(Some(Inner::Thread(thread))))
            }
            #[cfg(feature = "testing")]
            Disk::Simulated(disk) => {
                let number = disk.actors.add(actor);
                Ok(Self(Some(Inner::Simulated(disk.clone(), number))))
            }
        }
    }

    /// Waits for the end of an actor that was stopped.
    pub(super) fn join(&mut self) {
        match self.0.take() {
            Some(Inner::Thread(thread)) => drop(thread.join()),
            #[cfg(feature = "testing")]
            Some(Inner::Simulated(disk, number)) => disk.actors.join(number),
            None => {}
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

/// The body of an actor's thread.
fn run<A: Actor>(mut actor: A) {
    loop {
        let next = actor.step();
        let shared = actor.shared();
        match next {
            Next::Again => {}
            Next::After(time) => {
                let waits = |shared: &mut _| !A::is_stopped(shared);
                drop(shared.wait_timeout_while(shared.lock(), time, waits));
            }
            Next::Idle => drop(shared.wait_while(shared.lock(), |shared| !A::has_work(shared))),
            Next::End => return,
        }
    }
}

/// The actors of a simulation.
#[cfg(feature = "testing")]
pub(in crate::store::sled) mod simulated {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use super::super::disk::simulated::SimDisk;
    use super::{Actor, Next};

    /// After this many steps an actor must have stopped.
    const STEPS_MAX: u32 = 100_000;

    /// An actor, whatever it shares.
    trait Stepped: Send {
        fn step(&mut self) -> Next;
        fn notified(&self) -> u64;
        fn has_work(&self) -> bool;
        fn is_free(&self) -> bool;
    }

    impl<A: Actor> Stepped for A {
        fn step(&mut self) -> Next {
            Actor::step(self)
        }

        fn notified(&self) -> u64 {
            self.shared().notified()
        }

        fn has_work(&self) -> bool {
            A::has_work(&self.shared().lock())
        }

        fn is_free(&self) -> bool {
            self.shared().is_free() && Actor::is_free(self)
        }
    }

    struct Slot {
        number: u64,
        /// `None` while it takes a step.
        actor: Option<Box<dyn Stepped>>,
        /// While it is idle: how often it had been notified when it fell asleep.
        asleep: Option<u64>,
    }

    /// The actors of one process.
    #[derive(Default)]
    pub(in crate::store::sled) struct Actors {
        slots: Mutex<Vec<Slot>>,
        next: AtomicU32,
        depth: AtomicU32,
        preemption: AtomicU32,
    }

    impl Actors {
        fn slots(&self) -> MutexGuard<'_, Vec<Slot>> {
            self.slots.lock().unwrap_or_else(PoisonError::into_inner)
        }

        pub(super) fn add(&self, actor: impl Actor) -> u64 {
            let number = u64::from(self.next.fetch_add(1, Ordering::Relaxed));
            let actor: Box<dyn Stepped> = Box::new(actor);
            self.slots().push(Slot { number, actor: Some(actor), asleep: None });
            number
        }

        pub(in crate::store::sled) fn set_preemption(&self, one_in: u32) {
            self.preemption.store(one_in, Ordering::Relaxed);
        }

        /// A place where another thread could run.
        pub(in crate::store::sled) fn maybe_step(&self, disk: &SimDisk) {
            let one_in = self.preemption.load(Ordering::Relaxed);
            // An actor could wait for one that is further down the stack.
            if one_in == 0 || self.depth.load(Ordering::Relaxed) > 0 {
                return;
            }
            if disk.choose(one_in) == 0 {
                for _ in 0..=disk.choose(4) {
                    if !self.step_one(disk) {
                        break;
                    }
                }
            }
        }

        /// Lets one of the actors that can go on take a step.
        pub(in crate::store::sled) fn step_one(&self, disk: &SimDisk) -> bool {
            let ready: Vec<u64> = {
                let mut slots = self.slots();
                let ready =
                    slots.iter_mut().filter_map(|slot| slot.is_ready().then_some(slot.number));
                ready.collect()
            };
            let Ok(count) = u32::try_from(ready.len()) else { return false };
            if count == 0 {
                return false;
            }
            self.step(ready[disk.choose(count) as usize]);
            true
        }

        /// Runs an actor to its end.
        pub(super) fn join(&self, number: u64) {
            for _ in 0..STEPS_MAX {
                if self.step(number) == Next::End {
                    return;
                }
            }
        }

        fn step(&self, number: u64) -> Next {
            let taken = {
                let mut slots = self.slots();
                let slot = slots.iter_mut().find(|slot| slot.number == number);
                slot.and_then(|slot| slot.actor.take())
            };
            let Some(mut actor) = taken else { return Next::End };
            self.depth.fetch_add(1, Ordering::Relaxed);
            let next = actor.step();
            self.depth.fetch_sub(1, Ordering::Relaxed);
            let asleep = (next == Next::Idle && !actor.has_work()).then(|| actor.notified());
            let mut slots = self.slots();
            if next == Next::End {
                slots.retain(|slot| slot.number != number);
            } else if let Some(slot) = slots.iter_mut().find(|slot| slot.number == number) {
                slot.actor = Some(actor);
                slot.asleep = asleep;
            }
            next
        }
    }

    impl Slot {
        /// Whether it can take a step.
        fn is_ready(&mut self) -> bool {
            let Some(actor) = self.actor.as_ref().filter(|actor| actor.is_free()) else {
                return false;
            };
            if let Some(seen) = self.asleep {
                let notified = actor.notified();
                if notified == seen {
                    return false;
                }
                // It looks again, as after every notification.
                self.asleep = (!actor.has_work()).then_some(notified);
            }
            self.asleep.is_none()
        }
    }

    impl std::fmt::Debug for Actors {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Actors").finish_non_exhaustive()
        }
    }
}
