//! The answer of a hub, as a named future.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The answer of a hub. The request is sent when this future is first polled.
///
/// Unlike the future of an `async fn`, the type has no bounds. So a call of the wrong kind causes
/// one compile error at the call, without further errors about the future and its `.await`.
///
/// ```
/// # use durable::prelude::*;
/// # use durable::client::{InstanceHandle, StartError};
/// use durable::client::{NamedCall, Reply};
///
/// /// A reply borrows nothing, so another task may wait for it.
/// fn start(hub: &TaskHub, name: &str) {
///     let reply: Reply<Result<InstanceHandle, StartError>> = hub.start_named(NamedCall::new(name));
///     tokio::spawn(async move {
///         if let Err(error) = reply.await {
///             eprintln!("{error}");
///         }
///     });
/// }
/// ```
#[must_use = "nothing happens until this is awaited"]
pub struct Reply<T>(Pin<Box<dyn Future<Output = T> + Send>>);

impl<T> Reply<T> {
    pub(crate) fn new(asking: impl Future<Output = T> + Send + 'static) -> Self {
        Self(Box::pin(asking))
    }
}

impl<T> Future for Reply<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        self.0.as_mut().poll(cx)
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
