//! The state that all requests share.

use std::sync::Arc;

use axum::Router;
use durable::TaskHub;

use crate::options::UiOptions;

#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    api: Router,
    options: UiOptions,
}

impl App {
    pub(crate) fn new(hub: &TaskHub, options: UiOptions) -> Self {
        let api = durable_http::router(hub, options.http.clone());
        Self(Arc::new(Shared { api, options }))
    }

    /// The routes of `durable-http`.
    pub(crate) fn api(&self) -> Router {
        self.0.api.clone()
    }

    pub(crate) fn options(&self) -> &UiOptions {
        &self.0.options
    }
}
