//! Where the hub's asynchronous work runs: on a tokio runtime, or in a simulation.

#[cfg(feature = "testing")]
pub(crate) mod simulated;

use tokio::runtime::Handle;

/// Runs the hub's asynchronous work. In production there is one variant.
#[derive(Clone, Debug)]
pub(crate) enum Drive {
    Runtime(Handle),
    /// The tasks of the simulation that runs on this thread.
    #[cfg(feature = "testing")]
    Simulated,
}

/// The place of a task that may be spawned later. Destructors run in any order; in a simulation, the
/// tasks that they spawn have the order of their places.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    #[cfg(feature = "testing")]
    number: u64,
}

impl Drive {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Runtime(_) => Place::default(),
            #[cfg(feature = "testing")]
            Self::Simulated => Place { number: simulated::next_number() },
        }
    }

    /// Like [`spawn`](Self::spawn), but in a place that was kept for the task.
    pub(crate) fn spawn_at(
        &self,
        #[cfg_attr(not(feature = "testing"), expect(unused, reason = "for simulations"))]
        place: Place,
        task: impl Future<Output = ()> + Send + 'static,
    ) {
        match self {
            Self::Runtime(_) => self.spawn(task),
            #[cfg(feature = "testing")]
            Self::Simulated => simulated::spawn_at(place.number, task),
        }
    }

    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime(runtime) => drop(runtime.spawn(task)),
            #[cfg(feature = "testing")]
            Self::Simulated => simulated::spawn(task),
        }
    }

    /// Like [`spawn`](Self::spawn), but a simulated task does not end with the simulated runtime:
    /// it stands for a thread of the hub.
    pub(crate) fn spawn_apart(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime(_) => self.spawn(task),
            #[cfg(feature = "testing")]
            Self::Simulated => simulated::spawn_apart(task),
        }
    }

    /// Runs a body that may block its thread.
    pub(crate) fn spawn_blocking(&self, body: impl FnOnce() + Send + 'static) {
        match self {
            Self::Runtime(runtime) => drop(runtime.spawn_blocking(body)),
            #[cfg(feature = "testing")]
            Self::Simulated => simulated::spawn(async move { body() }),
        }
    }

    /// Whether no thread of the hub runs.
    pub(crate) fn is_simulated(&self) -> bool {
        match self {
            Self::Runtime(_) => false,
            #[cfg(feature = "testing")]
            Self::Simulated => true,
        }
    }
}
