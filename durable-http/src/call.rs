//! A request on its way to the function that answers it.

use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use bytes::Bytes;
use durable::client::HubError;
use durable::protocol::{Json, TraceContext};
use durable::{InstanceHandle, TaskHub};

use crate::access::Granted;
use crate::app::App;
use crate::links::Place;
use crate::options::HttpOptions;
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Params;

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) app: Arc<App>,
    /// The base of the dialect.
    pub(crate) base: &'static str,
    pub(crate) granted: Granted,
    pub(crate) params: Params,
    pub(crate) query: Query,
    pub(crate) head: Parts,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn hub(&self) -> &TaskHub {
        &self.app.hub
    }

    pub(crate) fn options(&self) -> &HttpOptions {
        &self.app.options
    }

    /// The address at which the request arrived, for the links of the answer.
    pub(crate) fn place(&self) -> Place {
        Place::new(self.options(), &self.head, self.base, self.granted.key.clone())
    }

    /// The instance that the path names as `id`.
    pub(crate) fn instance(&self) -> Result<InstanceHandle, Problem> {
        let handle = self.hub().instance(self.params.get("id"));
        handle.map_err(|error| HubError::from(error).into())
    }

    pub(crate) fn text(&self) -> Result<&str, Problem> {
        std::str::from_utf8(&self.body).map_err(|_| Problem::invalid("the body is not UTF-8"))
    }

    /// The body as JSON; `None` if it is empty.
    pub(crate) fn json(&self) -> Result<Option<Json>, Problem> {
        let text = self.text()?.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let json = Json::parse(text);
        json.map(Some).map_err(|error| Problem::invalid(format!("the body is not JSON: {error}")))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The trace to which the request belongs. An invalid one is ignored, as W3C Trace Context demands.
    pub(crate) fn trace(&self) -> Option<TraceContext> {
        let trace = TraceContext::parse(self.header("traceparent")?.trim()).ok()?;
        Some(match self.header("tracestate") {
            Some(state) => trace.with_tracestate(state),
            None => trace,
        })
    }

    /// The output of a future; `None` if it takes longer than `limit`, or the server shuts down.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        future: impl Future<Output = T>,
    ) -> Option<T> {
        let limit = limit.min(self.options().max_wait);
        tokio::select! {
            biased;
            outcome = self.hub().timeout(limit, future) => outcome.ok(),
            () = self.app.shutdown.begun() => None,
        }
    }
}
