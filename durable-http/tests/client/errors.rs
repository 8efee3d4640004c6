//! Errors of the API are told apart from a hub that does not answer.

use std::time::Duration;

use durable_http::client::{Client, ClientError, StartRequest};
use durable_http::{HttpOptions, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::open;

#[tokio::test]
async fn an_error_of_the_api_has_its_code_status_and_detail() {
    let hub = open().await;
    let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
    let error = client.get_instance("nobody").await.unwrap_err();
    let problem = error.problem().unwrap();
    assert_eq!((problem.status, &*problem.code), (404, "no-such-instance"));
    assert_eq!(error.to_string(), problem.detail);
    let error = client.start_instance(&StartRequest::new("unknown")).await.unwrap_err();
    assert_eq!(error.code(), Some("not-registered"));
    let error = client.get_hub().query("limit", "1").await.unwrap_err();
    assert_eq!(error.code(), Some("invalid-request"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_client_in_the_process_needs_a_key_with_the_role() {
    let hub = open().await;
    let options = HttpOptions::new().key(Role::Read, "read");
    let client = Client::in_process(durable_http::router(&hub, options));
    assert_eq!(client.get_hub().await.unwrap_err().code(), Some("unauthorized"));
    let client = client.with_key("read").unwrap();
    client.get_hub().await.unwrap();
    let refused = client.restart_instance("a").await.unwrap_err();
    assert_eq!(refused.code(), Some("forbidden"));
    assert!(matches!(client.with_key("\n").unwrap_err(), ClientError::InvalidKey));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_unreachable() {
    // Connections to a port that is bound and not listening are refused.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let place = format!("http://{}", socket.local_addr().unwrap());
    for place in [place.as_str(), "unix:/nonexistent/hub.sock"] {
        let error = Client::connect(place).unwrap().get_hub().await.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }));
        assert_eq!(error.to_string(), format!("cannot reach the hub at `{place}`"));
    }
    for place in ["localhost:7071", "https://shop.example", "unix:", "", "ftp://a", "/path"] {
        let error = Client::connect(place).unwrap_err();
        assert!(matches!(error, ClientError::InvalidPlace(_)), "{place}");
    }
}

/// Answers every connection with this text; with an empty one, never.
async fn answering(text: &'static str) -> Client {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _length = stream.read(&mut request).await.unwrap();
            stream.write_all(text.as_bytes()).await.unwrap();
            if text.is_empty() {
                open.push(stream);
            }
        }
    });
    Client::connect(&place).unwrap()
}

#[tokio::test]
async fn what_is_not_a_hub_is_told_apart() {
    let page = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 4\r\n\r\noops";
    let error = answering(page).await.get_hub().await.unwrap_err();
    assert!(matches!(error, ClientError::NotAHub { status: 502, .. }));
    let other = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    let error = answering(other).await.get_hub().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreadable { .. }));
    assert!(error.to_string().contains("`GET /api/v1/hub`"));
}

#[tokio::test]
async fn a_hub_that_does_not_answer_in_time_is_told_apart() {
    let client = answering("").await.with_request_time(Duration::from_millis(10));
    let error = client.get_hub().await.unwrap_err();
    assert!(matches!(error, ClientError::TimedOut { .. }));
}

#[tokio::test]
async fn a_read_is_sent_again_if_the_hub_is_busy() {
    let hub = open().await;
    let options = HttpOptions::new().max_scans_per_second(1);
    let client = Client::in_process(durable_http::router(&hub, options));
    for _ in 0..3 {
        // The third is refused at first.
        client.list_batches().await.unwrap();
    }
    hub.shutdown().await.unwrap();
}
