//! Serving over sockets: protocols, binding, time limits, and draining.

use std::time::Duration;

use durable::TaskHub;
use durable_http::{HttpOptions, Role, ServeError, Shutdown, serve};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::common::order;

/// Sends one request and reads until the server closes the connection.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, line: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn open() -> TaskHub {
    TaskHub::builder().in_memory().open().await.unwrap()
}

fn options() -> HttpOptions {
    HttpOptions::new().listen("127.0.0.1:0")
}

#[tokio::test]
async fn a_hub_is_served_as_http_1_and_as_http_2() {
    let hub = open().await;
    let server = serve(&hub, options()).await.unwrap();
    let address = server.addresses()[0];
    let stream = TcpStream::connect(address).await.unwrap();
    let start = "POST /runtime/webhooks/durabletask/orchestrators/hello/a?timeout=10";
    let answer = ask(stream, start, "\"Tokyo\"").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n\"Hello Tokyo!\""), "{answer}");

    let mut stream = TcpStream::connect(address).await.unwrap();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    stream.write_all(preface).await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "SETTINGS, the first frame of a server");
    drop(stream);
    assert!(server.shutdown().await);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn other_machines_are_served_only_with_a_key() {
    let hub = open().await;
    let refused = serve(&hub, HttpOptions::new().listen("0.0.0.0:0")).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, ServeError::NoKey(_)));
    assert!(error.to_string().starts_with("`0.0.0.0:0` can be reached by other machines"));
    let refused = serve(&hub, HttpOptions::new().listen("nowhere")).await;
    assert!(matches!(refused.unwrap_err(), ServeError::InvalidPlace { .. }));

    let server = serve(&hub, HttpOptions::new().listen("0.0.0.0:0").key(Role::Admin, "k")).await;
    let server = server.unwrap();
    let port = server.addresses()[0].port();
    let again = serve(&hub, HttpOptions::new().listen(format!("127.0.0.1:{port}"))).await;
    assert!(matches!(again.unwrap_err(), ServeError::Bind { .. }));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    assert!(ask(stream, "GET /api/v1/hub", "").await.starts_with("HTTP/1.1 401 "));
    server.shutdown().await;
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_unix_socket_needs_no_key_and_is_removed_at_the_end() {
    let hub = open().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sock");
    let place = format!("unix:{}", path.display());
    let options = HttpOptions::new().listen(&place).key(Role::Admin, "k");
    let server = serve(&hub, options.clone()).await.unwrap();
    let stream = UnixStream::connect(&path).await.unwrap();
    assert!(ask(stream, "GET /api/v1/hub", "").await.starts_with("HTTP/1.1 200 "));
    let again = serve(&hub, options.clone()).await;
    assert!(matches!(again.unwrap_err(), ServeError::Bind { .. }), "it is in use");
    server.shutdown().await;
    assert!(!path.exists());

    // What a killed process leaves behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = serve(&hub, options).await.unwrap();
    let stream = UnixStream::connect(&path).await.unwrap();
    assert!(ask(stream, "GET /api/v1/hub", "").await.starts_with("HTTP/1.1 200 "));
    drop(server);
    assert!(!path.exists());
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_client_that_sends_no_request_head_is_cut_off() {
    let hub = open().await;
    let options = options().header_time(Duration::from_millis(20));
    let server = serve(&hub, options).await.unwrap();
    for sent in ["", "P", "PRI * HTTP", "GET /api/v1/hub HTTP/1.1\r\nhost: local"] {
        let mut stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end, too.
        drop(stream.read_to_end(&mut answer).await);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"), "{sent:?}");
    }
    assert!(server.shutdown().await);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let hub = open().await;
    let server = serve(&hub, options()).await.unwrap();
    let mut stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let headers = "x: 1\r\n".repeat(300);
    let request = format!("GET /api/v1/hub HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 431");
    server.shutdown().await;
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_that_waits_is_answered_when_the_server_shuts_down() {
    let hub = open().await;
    let server = serve(&hub, options()).await.unwrap();
    let idle = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
    let start = "POST /durabletask/orchestrators/order/waits?timeout=200";
    let asking = tokio::spawn(ask(stream, start, "500"));
    // Once the instance is there, its starter waits for it.
    let waits = hub.instance("waits").unwrap();
    while waits.status().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(server.shutdown().await);
    let answer = asking.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    drop(idle);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn an_open_stream_of_events_ends_when_the_server_shuts_down() {
    let hub = open().await;
    let server = serve(&hub, options()).await.unwrap();
    let mut stream = TcpStream::connect(server.addresses()[0]).await.unwrap();
    stream.write_all(b"GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"retry: 2000\n\n\r\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(server.shutdown().await);
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    hub.shutdown().await.unwrap();
}

/// The routes in an `axum` app of their own, until `stop`.
async fn mounted(
    hub: &TaskHub,
    shutdown: &Shutdown,
    stop: impl Future<Output = ()> + Send + 'static,
) -> (std::net::SocketAddr, JoinHandle<std::io::Result<()>>) {
    let options = HttpOptions::new().shutdown(shutdown.clone());
    let routes = durable_http::router(hub, options);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::serve(listener, routes).with_graceful_shutdown(stop);
    (address, tokio::spawn(app.into_future()))
}

/// An open stream of events, whose beginning has been read.
async fn follow(address: std::net::SocketAddr, path: &str) -> (TcpStream, Vec<u8>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(13).any(|it| it == b"retry: 2000\n\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    (stream, answer)
}

#[tokio::test]
async fn a_graceful_shutdown_of_an_app_ends_open_streams_and_waits() {
    let hub = open().await;
    let shutdown = Shutdown::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let stop_signal = shutdown.clone().begin_after(async { drop(stopped.await) });
    let (address, app) = mounted(&hub, &shutdown, stop_signal).await;
    let streams = [follow(address, "/api/v1/events").await, {
        hub.start(order(500).instance_id("a")).await.unwrap();
        follow(address, "/api/v1/instances/a/events").await
    }];
    let start = "POST /durabletask/orchestrators/order/waits?timeout=200";
    let asking = tokio::spawn(ask(TcpStream::connect(address).await.unwrap(), start, "500"));
    let waits = hub.instance("waits").unwrap();
    while waits.status().await.is_err() {
        tokio::task::yield_now().await;
    }
    drop(stop);
    app.await.unwrap().unwrap();
    assert!(asking.await.unwrap().starts_with("HTTP/1.1 202 "));
    for (mut stream, mut answer) in streams {
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn open_streams_end_when_the_hub_shuts_down() {
    let hub = open().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let (address, app) = mounted(&hub, &Shutdown::new(), async { drop(stopped.await) }).await;
    hub.start(order(500).instance_id("a")).await.unwrap();
    let streams = [
        follow(address, "/api/v1/events").await,
        follow(address, "/api/v1/instances/a/events").await,
    ];
    hub.shutdown().await.unwrap();
    drop(stop);
    app.await.unwrap().unwrap();
    for (mut stream, mut answer) in streams {
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&answer));
    }
}
