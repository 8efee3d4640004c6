//! How a request reaches the routes: through a call in the process, a TCP connection, or a Unix socket.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Uri;
use axum::response::Response;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tower_service::Service;

use super::ClientError;

const CONNECT_TIME: Duration = Duration::from_secs(3);

#[derive(Clone)]
pub(super) enum Transport {
    InProcess(Router),
    Socket {
        connections: Arc<legacy::Client<Connector, Body>>,
        /// The origin of the requests, such as `http://localhost:7071`.
        origin: Arc<str>,
    },
}

impl Transport {
    /// The connections to an address, and the path at which its routes are mounted.
    pub(super) fn to(place: &str) -> Result<(Self, String), ClientError> {
        let invalid = || ClientError::InvalidPlace(place.to_owned());
        #[cfg(unix)]
        if let Some(path) = place.strip_prefix("unix:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() {
                return Err(invalid());
            }
            let connector = Connector::Unix(std::path::Path::new(path).into());
            return Ok((Self::through(connector, "http://localhost"), String::new()));
        }
        let uri: Uri = place.parse().map_err(|_| invalid())?;
        let (Some("http"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(invalid());
        };
        let host = authority.host();
        // The host of an IPv6 address is in brackets, and a lookup takes it without them.
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let connector = Connector::Tcp(name.into(), authority.port_u16().unwrap_or(80));
        let prefix = uri.path().trim_end_matches('/').to_owned();
        Ok((Self::through(connector, &format!("http://{authority}")), prefix))
    }

    fn through(connector: Connector, origin: &str) -> Self {
        let connections = legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self::Socket { connections: Arc::new(connections), origin: origin.into() }
    }

    /// The URI to request for a path.
    pub(super) fn uri(&self, path_and_query: &str) -> String {
        match self {
            Self::InProcess(_) => path_and_query.to_owned(),
            Self::Socket { origin, .. } => format!("{origin}{path_and_query}"),
        }
    }

    pub(super) async fn send(
        &self,
        request: Request,
    ) -> Result<Response, Box<dyn Error + Send + Sync>> {
        match self {
            Self::InProcess(router) => {
                let Ok(answer) = router.clone().call(request).await;
                Ok(answer)
            }
            Self::Socket { connections, .. } => {
                Ok(connections.request(request).await?.map(Body::new))
            }
        }
    }
}

/// Makes the connections. The address is fixed, so the address in a request is ignored.
#[derive(Clone)]
pub(super) enum Connector {
    Tcp(Arc<str>, u16),
    #[cfg(unix)]
    Unix(Arc<std::path::Path>),
}

impl Connector {
    async fn connect(self) -> io::Result<TokioIo<Stream>> {
        let connecting = async {
            Ok(match self {
                Self::Tcp(host, port) => {
                    let stream = TcpStream::connect((&*host, port)).await?;
                    stream.set_nodelay(true)?;
                    Stream::Tcp(stream)
                }
                #[cfg(unix)]
                Self::Unix(path) => Stream::Unix(UnixStream::connect(path).await?),
            })
        };
        let connected = tokio::time::timeout(CONNECT_TIME, connecting).await;
        let no_answer = || {
            let text = format!("no connection within {} s", CONNECT_TIME.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, text)
        };
        connected.unwrap_or_else(|_| Err(no_answer())).map(TokioIo::new)
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Stream>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

/// Calls a method of the stream.
macro_rules! of_stream {
    ($this:expr, $method:ident, $($argument:expr),*) => {
        match $this.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            #[cfg(unix)]
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        of_stream!(self, poll_read, cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        of_stream!(self, poll_write, cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_stream!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        of_stream!(self, poll_shutdown, cx)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
