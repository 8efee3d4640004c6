//! Serving a hub on addresses and Unix sockets, for programs that have no `axum` app.
//!
//! Rules:
//! 1. An address that other machines can reach is bound only if requests need a key.
//! 2. A connection that sends no request head in time is closed, from its first byte on.
//! 3. A shutdown stops accepting connections, answers requests that wait for an instance at once,
//!    and closes each connection after the answer in flight.
//!
//! Read next: `listen.rs` (binding), `patient.rs` (the first bytes of a connection).

mod listen;
mod patient;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use durable::TaskHub;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::access::ThroughSocket;
use crate::app::App;
use crate::options::HttpOptions;
use listen::{Accepted, Listener};
use patient::Patient;

/// The maximum number of headers of a request.
const HEADERS_MAX: usize = 256;
/// The maximum size in bytes of the headers of an HTTP/2 request.
const HEADER_BYTES_MAX: u32 = 64 * 1024;
/// The maximum number of buffered bytes of an HTTP/1.1 connection.
const BUFFER_MAX: usize = 128 * 1024;

/// The interval of keep-alive pings to an HTTP/2 client.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The error of [`serve`]. After an error, no address stays bound.
///
/// ```
/// # use durable::TaskHub;
/// use durable_http::{HttpOptions, ServeError, Server, serve};
///
/// /// Listens on the default port, or on a free one if another process has it.
/// async fn listen(hub: &TaskHub) -> Result<Server, ServeError> {
///     match serve(hub, HttpOptions::new()).await {
///         Err(ServeError::Bind { .. }) => serve(hub, HttpOptions::new().listen("127.0.0.1:0")).await,
///         other => other,
///     }
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Other machines can reach the address, and requests need no key.
    #[error(
        "`{0}` can be reached by other machines, and no key is set; add one with \
         `HttpOptions::key`, or listen on a loopback address"
    )]
    NoKey(SocketAddr),
    /// The text is not an address.
    #[error(
        "`{place}` is not an address to listen on; write an IP address with a port, or `unix:/path`"
    )]
    InvalidPlace {
        /// The given text.
        place: String,
        /// Why the text is not an address.
        source: std::io::Error,
    },
    /// The operating system refused to bind the address or socket.
    #[error("cannot listen on `{place}`; is another process listening there?")]
    Bind {
        /// The address or socket.
        place: String,
        /// The error of the operating system.
        source: std::io::Error,
    },
}

/// A running server of a hub. If it is dropped, the server stops without waiting for answers.
///
/// ```
/// # use durable::TaskHub;
/// use durable_http::{HttpOptions, Server};
///
/// async fn run(hub: &TaskHub) -> Result<(), durable_http::ServeError> {
///     let server: Server = durable_http::serve(hub, HttpOptions::new()).await?;
///     println!("listening on {}", server.url());
///     // ... until the program ends:
///     server.shutdown().await;
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    addresses: Vec<SocketAddr>,
    paths: Vec<PathBuf>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<bool>,
}

/// Serves the routes of [`router`](crate::router) on each address of [`HttpOptions::listen`], over
/// HTTP/1.1, and over HTTP/2 without TLS (with prior knowledge).
///
/// The server runs in tasks of the current runtime until [`Server::shutdown`] is called, which
/// leaves the hub open.
///
/// ```
/// # use durable::prelude::*;
/// use durable_http::HttpOptions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let server = durable_http::serve(&hub, HttpOptions::new().listen("127.0.0.1:0")).await?;
/// println!("listening on {}", server.url());
/// // tokio::signal::ctrl_c().await?;
/// assert!(server.shutdown().await, "no answer was cut off");
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(hub: &TaskHub, options: HttpOptions) -> Result<Server, ServeError> {
    let mut listeners = Vec::new();
    let places = if options.listen.is_empty() {
        vec!["127.0.0.1:7071".to_owned()]
    } else {
        options.listen.clone()
    };
    for place in &places {
        listeners.extend(Listener::bind(place, !options.keys.is_empty()).await?);
    }
    let app = App::new(hub.clone(), options);
    let router = crate::routes(&app);
    let (mut addresses, mut paths) = (Vec::new(), Vec::new());
    for listener in &listeners {
        addresses.extend(listener.address());
        paths.extend(listener.path());
    }
    let stop = watch::Sender::new(false);
    let connections = Arc::new(Semaphore::new(app.options.max_connections));
    let mut tasks = JoinSet::new();
    for listener in listeners {
        let serving = Serving {
            router: router.clone(),
            connections: Arc::clone(&connections),
            header_time: app.options.header_time,
            drain: app.options.drain,
        };
        tasks.spawn(serving.run(listener, stop.subscribe()));
    }
    Ok(Server { app, addresses, paths, stop, tasks })
}

impl Server {
    /// Returns the addresses on which the server listens, with their actual ports.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the URL of the first address, or `http://localhost` if the server listens only on
    /// Unix sockets.
    pub fn url(&self) -> String {
        let address = self.addresses.first();
        address.map_or_else(|| "http://localhost".to_owned(), |it| format!("http://{it}"))
    }

    /// Stops accepting connections, waits up to [`drain_time`](HttpOptions::drain_time) for answers
    /// in flight, and closes the remaining connections. Returns `false` if an answer was cut off.
    ///
    /// Requests that wait for an instance are answered with 202 at once. The hub stays open.
    pub async fn shutdown(mut self) -> bool {
        self.app.shutdown.begin();
        self.stop.send_replace(true);
        let mut is_complete = true;
        while let Some(drained) = self.tasks.join_next().await {
            is_complete &= drained.unwrap_or(false);
        }
        is_complete
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.app.shutdown.begin();
        for path in &self.paths {
            drop(std::fs::remove_file(path));
        }
    }
}

/// Accepts the connections of one listener.
struct Serving {
    router: Router,
    connections: Arc<Semaphore>,
    header_time: Duration,
    drain: Duration,
}

impl Serving {
    /// Returns whether all answers were sent.
    async fn run(self, listener: Listener, mut stop: watch::Receiver<bool>) -> bool {
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some(_ended) = connections.join_next() => continue,
                accepted = self.accept(&listener) => accepted,
            };
            let Some((accepted, permit)) = accepted else { break };
            match accepted {
                Accepted::Tcp(stream) => {
                    // Answers are small, and waiting for more of them only delays them.
                    drop(stream.set_nodelay(true));
                    self.converse(stream, false, &graceful, &mut connections, permit);
                }
                #[cfg(unix)]
                Accepted::Unix(stream) => {
                    self.converse(stream, true, &graceful, &mut connections, permit);
                }
            }
        }
        drop(listener);
        let drained = tokio::time::timeout(self.drain, graceful.shutdown()).await;
        drained.is_ok()
    }

    async fn accept(&self, listener: &Listener) -> Option<(Accepted, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        Some((listener.accept().await, permit))
    }

    fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        is_local: bool,
        graceful: &GracefulShutdown,
        connections: &mut JoinSet<()>,
        permit: OwnedSemaphorePermit,
    ) {
        let router = self.router.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            if is_local {
                request.extensions_mut().insert(ThroughSocket);
            }
            let mut router = router.clone();
            async move { tower_service::Service::call(&mut router, request).await }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_time)
            .max_headers(HEADERS_MAX)
            .max_buf_size(BUFFER_MAX);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(KEEP_ALIVE)
            .max_header_list_size(HEADER_BYTES_MAX);
        let io = TokioIo::new(Patient::new(stream, self.header_time));
        let connection = builder.serve_connection(io, service).into_owned();
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error, "connection ended");
            }
            drop(permit);
        });
    }
}
