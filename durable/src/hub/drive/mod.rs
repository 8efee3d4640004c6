//! Where the hub's asynchronous work runs: on a tokio runtime, or in a simulation.

#[cfg(feature = "testing")]
#[allow(dead_code, reason = "the simulator is built on it")]
pub(crate) mod simulated;

use tokio::runtime::Handle;

/// Runs the hub's asynchronous work. In production there is one variant.
#[derive(Clone, Debug)]
pub(crate) enum Drive {
    Runtime(Handle),
    /// The tasks of the simulation that runs on this thread.
    #[cfg(feature = "testing")]
    #[allow(dead_code, reason = "the simulator is built on it")]
    Simulated,
}

impl Drive {
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Runtime(runtime) => drop(runtime.spawn(task)),
            #[cfg(feature = "testing")]
            Self::Simulated => simulated::spawn(task),
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

    /// Whether an idle worker may spin until the next job comes. What it finds depends on the
    /// machine.
    pub(crate) fn may_spin(&self) -> bool {
        match self {
            Self::Runtime(_) => true,
            #[cfg(feature = "testing")]
            Self::Simulated => false,
        }
    }

    #[cfg(feature = "testing")]
    #[allow(dead_code, reason = "the simulator is built on it")]
    pub(crate) fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated)
    }
}
