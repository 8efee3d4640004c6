//! The runtime that drives the connections. Callers block until their future is done.

use std::future::Future;

use durable::store::StoreError;
use tokio::runtime::{Builder, Handle, Runtime};

/// One thread that drives all connections of a store.
#[derive(Debug)]
pub(crate) struct Driver {
    handle: Handle,
    /// `None` while the driver is being dropped.
    runtime: Option<Runtime>,
}

impl Driver {
    pub(crate) fn start() -> Result<Self, StoreError> {
        let builder = |builder: &mut Builder| {
            builder.worker_threads(1).thread_name("durable-postgres").enable_all().build()
        };
        let runtime = builder(&mut Builder::new_multi_thread());
        let runtime = runtime.map_err(|error| StoreError::io("cannot start a thread", error))?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// Runs a future to its end.
    ///
    /// # Panics
    /// If it is called on a thread of an async runtime, because such a thread must not block.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle.block_on(future)
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A store may be dropped on a thread of an async runtime, where waiting for the thread would
        // panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
