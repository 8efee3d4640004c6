//! The actors of a simulated process: what its threads do, step by step.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// After this many steps an actor must have stopped.
const STEPS_MAX: u32 = 100_000;

/// What an actor can do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sled) enum Stepped {
    GoesOn,
    /// It waits for something to do.
    Idle,
    Ended,
}

/// An actor, whatever it shares.
pub(in crate::store::sled) trait Simulated: Send {
    fn step(&mut self) -> Stepped;

    /// How often its shared state was notified.
    fn notified(&self) -> u64;

    fn has_work(&self) -> bool;

    /// Whether all locks are free that the next step takes.
    fn is_free(&self) -> bool;
}

type Choose<'a> = &'a dyn Fn(u32) -> u32;

struct Slot {
    number: u64,
    /// `None` while it takes a step.
    actor: Option<Box<dyn Simulated>>,
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

    pub(in crate::store::sled) fn add(&self, actor: Box<dyn Simulated>) -> u64 {
        let number = u64::from(self.next.fetch_add(1, Ordering::Relaxed));
        self.slots().push(Slot { number, actor: Some(actor), asleep: None });
        number
    }

    pub(in crate::store::sled) fn set_preemption(&self, one_in: u32) {
        self.preemption.store(one_in, Ordering::Relaxed);
    }

    /// A place where another thread could run.
    pub(in crate::store::sled) fn maybe_step(&self, choose: Choose<'_>) {
        let one_in = self.preemption.load(Ordering::Relaxed);
        // An actor could wait for one that is further down the stack.
        if one_in == 0 || self.depth.load(Ordering::Relaxed) > 0 {
            return;
        }
        if choose(one_in) == 0 {
            for _ in 0..=choose(4) {
                if !self.step_one(choose) {
                    break;
                }
            }
        }
    }

    /// Lets one of the actors that can continue take a step.
    pub(in crate::store::sled) fn step_one(&self, choose: Choose<'_>) -> bool {
        let ready: Vec<u64> = {
            let mut slots = self.slots();
            let ready = slots.iter_mut().filter_map(|slot| slot.is_ready().then_some(slot.number));
            ready.collect()
        };
        let Ok(count) = u32::try_from(ready.len()) else { return false };
        if count == 0 {
            return false;
        }
        self.step(ready[choose(count) as usize]);
        true
    }

    /// Runs an actor to its end.
    pub(in crate::store::sled) fn join(&self, number: u64) {
        for _ in 0..STEPS_MAX {
            if self.step(number) == Stepped::Ended {
                return;
            }
        }
    }

    fn step(&self, number: u64) -> Stepped {
        let taken = {
            let mut slots = self.slots();
            let slot = slots.iter_mut().find(|slot| slot.number == number);
            slot.and_then(|slot| slot.actor.take())
        };
        let Some(mut actor) = taken else { return Stepped::Ended };
        self.depth.fetch_add(1, Ordering::Relaxed);
        let next = actor.step();
        self.depth.fetch_sub(1, Ordering::Relaxed);
        let asleep = (next == Stepped::Idle && !actor.has_work()).then(|| actor.notified());
        let mut slots = self.slots();
        if next == Stepped::Ended {
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
