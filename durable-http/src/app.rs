//! The state that all requests share.

use std::sync::Arc;

use durable::TaskHub;
use tokio::sync::Semaphore;

use crate::backups::Backups;
use crate::batch;
use crate::options::HttpOptions;
use crate::scans::Scans;
use crate::shutdown::Shutdown;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) hub: TaskHub,
    pub(crate) options: HttpOptions,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) scans: Scans,
    pub(crate) backups: Backups,
    /// Ends streams, and answers requests that wait.
    pub(crate) shutdown: Shutdown,
}

impl App {
    pub(crate) fn new(hub: TaskHub, options: HttpOptions) -> Arc<Self> {
        let app = Arc::new(Self {
            hub,
            requests: Arc::new(Semaphore::new(options.max_requests.min(Semaphore::MAX_PERMITS))),
            streams: Arc::new(Semaphore::new(options.max_streams.min(Semaphore::MAX_PERMITS))),
            scans: Scans::new(options.scans_per_second),
            backups: Backups::default(),
            shutdown: options.shutdown.clone().unwrap_or_default(),
            options,
        });
        batch::serve(&app);
        app
    }
}
