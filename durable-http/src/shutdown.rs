//! The signal by which an app ends the responses that would keep its connections open.

use tokio::sync::watch;

/// Ends event streams and waiting requests when an `axum` app shuts down.
///
/// The graceful shutdown of `axum` waits until all connections have closed. An event stream stays
/// open as long as its client reads it, so without a `Shutdown` the app would not end. Pass a clone
/// to [`HttpOptions::shutdown`](crate::HttpOptions::shutdown), and begin the shutdown together with
/// that of the app:
///
/// ```
/// # use durable::prelude::*;
/// use durable_http::{HttpOptions, Shutdown};
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let shutdown = Shutdown::new();
/// let app = durable_http::router(&hub, HttpOptions::new().shutdown(shutdown.clone()));
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let interrupted = async { drop(tokio::signal::ctrl_c().await) };
/// # let interrupted = async move { drop(interrupted) };
/// axum::serve(listener, app).with_graceful_shutdown(shutdown.begin_after(interrupted)).await?;
/// hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// Once the shutdown has begun:
/// * Event streams end, and their clients connect again, elsewhere or later.
/// * Requests that wait for an instance (`Prefer: wait`, `timeout`, and
///   [`wait_or_accepted`](crate::wait_or_accepted)) are answered at once with the state of the
///   instance.
/// * All other requests are answered as before.
///
/// When a hub shuts down, its streams and waits end in any case. [`serve`](crate::serve) needs no
/// `Shutdown`, because [`Server::shutdown`](crate::Server::shutdown) begins one itself.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(watch::Sender<bool>);

impl Shutdown {
    /// Creates a shutdown that has not begun. Clones refer to the same shutdown.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins the shutdown. This cannot be undone; a second call has no effect.
    ///
    /// ```
    /// use durable_http::Shutdown;
    ///
    /// let shutdown = Shutdown::new();
    /// shutdown.clone().begin();
    /// assert!(shutdown.has_begun());
    /// ```
    pub fn begin(&self) {
        self.0.send_replace(true);
    }

    /// Returns whether the shutdown has begun.
    pub fn has_begun(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for a signal, such as Ctrl-C, and then begins the shutdown.
    pub async fn begin_after(self, signal: impl Future<Output = ()>) {
        signal.await;
        self.begin();
    }

    /// Waits until the shutdown has begun.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use durable_http::Shutdown;
    ///
    /// let shutdown = Shutdown::new();
    /// let begun = tokio::spawn(shutdown.begun());
    /// shutdown.begin();
    /// begun.await.unwrap();
    /// # }
    /// ```
    pub fn begun(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut has_begun = self.0.subscribe();
        // The sender lives as long as this future, so that its end is not taken for the signal.
        let sender = self.0.clone();
        async move {
            drop(has_begun.wait_for(|has_begun| *has_begun).await);
            drop(sender);
        }
    }
}
