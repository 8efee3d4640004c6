//! What a hub answers, as a future with a name.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The answer of a hub, once it is awaited; nothing is asked before.
///
/// Its name has no bounds, unlike what an `async fn` returns. So a call of the wrong kind is one
/// error, on the call, and not one more on the future and one more on its `.await`.
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
