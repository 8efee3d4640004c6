//! The actors that run beside the commits: the keeper of the log, and the checkpoints.
//!
//! An actor is a state machine. In production a thread drives it, and in a simulation the seed
//! decides when it takes a step.

use std::fmt;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::disk::Disk;
#[cfg(feature = "testing")]
use super::disk::actors::{Simulated, Stepped};
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

/// A running actor. After stopping it, wait for its end with [`join`](Self::join).
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
                let number = disk.actors.add(Box::new(actor));
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

#[cfg(feature = "testing")]
impl<A: Actor> Simulated for A {
    fn step(&mut self) -> Stepped {
        match Actor::step(self) {
            Next::Again | Next::After(_) => Stepped::GoesOn,
            Next::Idle => Stepped::Idle,
            Next::End => Stepped::Ended,
        }
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
