//! A TCP proxy between the store and its server, which cuts a connection after a number of bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Where bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    ToServer,
    ToClient,
}

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Both sides see its end.
    Closed,
    /// Neither side sees anything more, and nothing is passed on.
    Silent,
    /// The client sees its end, and the server nothing.
    Abandoned,
}

/// A proxy. It ends with this value.
pub(crate) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
    _runtime: Runtime,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The bytes that were passed on to the server, and to the client.
    passed: [u64; 2],
    cut: Option<Cut>,
}

/// The connection is cut after the last of this many bytes has passed.
struct Cut {
    direction: Direction,
    left: u64,
    end: End,
}

impl Proxy {
    pub(crate) fn start(server: SocketAddr) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0))).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let all = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, server, Arc::clone(&all)));
            }
        });
        Self { shared, port, _runtime: runtime }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The bytes that all connections have passed on in a direction.
    pub(crate) fn passed(&self, direction: Direction) -> u64 {
        self.shared.state().passed[direction as usize]
    }

    /// Cuts the connection that passes the last of the next `bytes` bytes in a direction.
    pub(crate) fn cut(&self, direction: Direction, bytes: u64, end: End) {
        self.shared.state().cut = Some(Cut { direction, left: bytes, end });
    }

    /// Cuts nothing more. Returns whether a connection was cut.
    pub(crate) fn has_cut(&self) -> bool {
        self.shared.state().cut.take().is_none()
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many of these bytes are passed on, and how the connection ends after them.
    fn pass(&self, direction: Direction, bytes: usize) -> (usize, Option<End>) {
        let mut state = self.state();
        let (mut passes, mut end) = (bytes, None);
        if let Some(cut) = state.cut.as_mut().filter(|cut| cut.direction == direction) {
            if cut.left <= bytes as u64 {
                passes = usize::try_from(cut.left).expect("a small number");
                end = Some(cut.end);
                state.cut = None;
            } else {
                cut.left -= bytes as u64;
            }
        }
        state.passed[direction as usize] += passes as u64;
        (passes, end)
    }
}

async fn connect(client: TcpStream, server: SocketAddr, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    client.set_nodelay(true).expect("a socket");
    server.set_nodelay(true).expect("a socket");
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (ending, ended) = watch::channel(None);
    let up = pump(from_client, to_server, Direction::ToServer, &shared, &ending, ended.clone());
    let down = pump(from_server, to_client, Direction::ToClient, &shared, &ending, ended);
    let ((from_client, to_server), (from_server, to_client)) = tokio::join!(up, down);
    let end = *ending.borrow();
    if end == Some(End::Abandoned) {
        drop((from_client, to_client));
    }
    if end != Some(End::Closed) {
        // Kept as long as the proxy: what is left of the connection stays open.
        std::future::pending::<()>().await;
    }
    drop((from_server, to_server));
}

/// Passes bytes on until the connection ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    shared: &Shared,
    ending: &watch::Sender<Option<End>>,
    mut ended: watch::Receiver<Option<End>>,
) -> (OwnedReadHalf, OwnedWriteHalf) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            _ = ended.wait_for(Option::is_some) => break,
            read = from.read(&mut buffer) => read,
        };
        let Ok(bytes @ 1..) = read else {
            ending.send_replace(Some(End::Closed));
            break;
        };
        let (passes, end) = shared.pass(direction, bytes);
        let written = to.write_all(&buffer[..passes]).await;
        if let Some(end) = end.or(written.is_err().then_some(End::Closed)) {
            ending.send_replace(Some(end));
            break;
        }
    }
    (from, to)
}
