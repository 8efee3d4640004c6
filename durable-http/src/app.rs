//! The state that all requests share.

use std::sync::Arc;

use durable::TaskHub;
use tokio::sync::{Semaphore, watch};

use crate::backups::Backups;
use crate::batch;
use crate::options::HttpOptions;
use crate::scans::Scans;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) hub: TaskHub,
    pub(crate) options: HttpOptions,
    pub(crate) requests: Arc<Semaphore>,
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) scans: Scans,
    pub(crate) backups: Backups,
    /// Whether the server is shutting down, so that requests that wait answer at once and streams end.
    pub(crate) is_draining: watch::Sender<bool>,
}

impl App {
    pub(crate) fn new(hub: TaskHub, options: HttpOptions) -> Arc<Self> {
        let app = Arc::new(Self {
            hub,
            requests: Arc::new(Semaphore::new(options.max_requests.min(Semaphore::MAX_PERMITS))),
            streams: Arc::new(Semaphore::new(options.max_streams.min(Semaphore::MAX_PERMITS))),
            scans: Scans::new(options.scans_per_second),
            backups: Backups::default(),
            is_draining: watch::Sender::new(false),
            options,
        });
        batch::serve(&app);
        app
    }
}
