//! The state that all requests share.

use std::sync::Arc;

use durable::TaskHub;
use durable_http::client::Client;

use crate::api::Backend;
use crate::options::UiOptions;

#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    api: Backend,
    options: UiOptions,
}

impl App {
    pub(crate) fn new(hub: &TaskHub, options: UiOptions) -> Self {
        let api = Backend::Routes(durable_http::router(hub, options.http.clone()));
        Self(Arc::new(Shared { api, options }))
    }

    pub(crate) fn remote(client: Client, options: UiOptions) -> Self {
        Self(Arc::new(Shared { api: Backend::Remote(client), options }))
    }

    /// The API of `durable-http`.
    pub(crate) fn api(&self) -> Backend {
        self.0.api.clone()
    }

    pub(crate) fn options(&self) -> &UiOptions {
        &self.0.options
    }
}
