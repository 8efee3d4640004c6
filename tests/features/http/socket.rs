//! Requests that are really sent: over a socket of this machine.

use std::net::{TcpListener, TcpStream};

use durable::http::{HttpPolicy, HttpRetry};

use super::server::{Server, response};
use super::*;

#[tokio::test]
async fn a_request_and_its_response_arrive_as_they_are() {
    let server = Server::start(|_| {
        response(200, "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: \u{e9}\r\n", &[0xff, 0, 1])
    });
    let hub = TestHub::open().await.unwrap();
    let request = HttpRequest::post(server.url("/a?b=c"))
        .add_header("X-Two", "1")
        .add_header("X-Two", "2")
        .json(&["hi"]);
    let response = result(&hub, request).await.unwrap();
    assert_eq!((response.status(), &*response.bytes()), (200, &[0xff, 0, 1][..]));
    assert_eq!(response.header_values("set-cookie").collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(response.header("x-odd").is_some());
    assert_eq!(response.url(), server.url("/a?b=c"));
    let received = &server.received()[0];
    assert_eq!((&*received.line, &*received.body), ("POST /a?b=c HTTP/1.1", &b"[\"hi\"]"[..]));
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert!(received.header("idempotency-key").is_some());
    assert!(received.header("user-agent").unwrap().starts_with("durable/"));
    let twice: Vec<_> = received.headers.iter().filter(|it| it.0 == "x-two").collect();
    assert_eq!(twice.len(), 2);
}

#[tokio::test]
async fn a_202_is_polled_over_a_socket() {
    let server = Server::start(|request| match &*request.line {
        "POST /jobs HTTP/1.1" => response(202, "Location: /jobs/1\r\nRetry-After: 3600\r\n", b""),
        "GET /jobs/1 HTTP/1.1" => response(303, "Location: /results/1\r\n", b""),
        _ => response(200, "", b"done"),
    });
    let hub = TestHub::open().await.unwrap();
    let began = hub.now();
    let response = result(&hub, HttpRequest::post(server.url("/jobs")).text("x")).await.unwrap();
    assert_eq!((response.text(), response.url()), (Some("done"), &*server.url("/results/1")));
    assert_eq!((hub.now() - began).num_hours(), 1);
    assert!(server.received()[1].header("content-type").is_none());
}

#[tokio::test]
async fn a_connection_that_breaks_is_retried() {
    let count = Mutex::new(0);
    let server = Server::start(move |_| {
        let mut count = count.lock().unwrap();
        *count += 1;
        match *count {
            1 => Vec::new(),
            // It ends before all the bytes that it announced.
            2 => b"HTTP/1.1 200 X\r\nContent-Length: 10\r\nConnection: close\r\n\r\nhalf".to_vec(),
            _ => response(200, "", b"whole"),
        }
    });
    let hub = TestHub::open().await.unwrap();
    let request = HttpRequest::get(server.url("/")).retry(HttpRetry::new(3, SECOND));
    assert_eq!(result(&hub, request).await.unwrap().text(), Some("whole"));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    // The client's port of a connection: no process listens on it, and no other test gets it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let port = connection.local_addr().unwrap().port();
    let hub = TestHub::open().await.unwrap();
    let error = result(&hub, HttpRequest::get(format!("http://127.0.0.1:{port}/x"))).await;
    let error = error.unwrap_err();
    assert!(matches!(error, HttpError::Unreachable { .. }), "{error}");
    let start = format!("no response from `http://127.0.0.1:{port}/x`: ");
    assert!(error.to_string().starts_with(&start), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_large_body_is_not_read_to_its_end() {
    let server = Server::start(|_| response(200, "", &vec![b'x'; 1 << 22]));
    let hub = TestHub::open().await.unwrap();
    let request = HttpRequest::get(server.url("/")).max_response(1 << 16);
    let error = result(&hub, request).await.unwrap_err();
    assert!(matches!(error, HttpError::TooLarge { limit: 0x1_0000, .. }), "{error}");
}

#[tokio::test]
async fn an_internal_address_behind_a_name_is_refused_where_it_connects() {
    let server = Server::start(|_| response(200, "", b"inside"));
    let port = server.address.port();
    let policy = HttpPolicy::new().deny_private();
    let open =
        |policy: HttpPolicy| TestHub::builder().configure(|hub| hub.http_policy(policy)).open();
    let hub = open(policy.clone()).await.unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let error = result(&hub, HttpRequest::get(format!("http://{host}:{port}/"))).await;
        let error = error.unwrap_err();
        assert!(matches!(error, HttpError::Denied { .. }), "{host}: {error}");
    }
    assert!(server.received().is_empty());
    let hub = open(policy.allow_private_hosts(["localhost"])).await.unwrap();
    let response = result(&hub, HttpRequest::get(format!("http://localhost:{port}/"))).await;
    assert_eq!(response.unwrap().text(), Some("inside"));
}

#[tokio::test]
async fn invalid_header_fields_and_methods_are_errors_that_show_no_value() {
    let hub = TestHub::open().await.unwrap();
    let get = || HttpRequest::get("http://127.0.0.1:9/");
    for (request, reason) in [
        (get().header("X Y", "1"), "its header name `x y`"),
        (get().header("X", "a\nb"), "its value of header `x`"),
        (HttpRequest::new("G T", "http://127.0.0.1:9/"), "its method `G T`"),
    ] {
        let error = result(&hub, request).await.unwrap_err();
        let expected = format!("invalid request to `http://127.0.0.1:9/`: {reason}");
        assert_eq!(error.to_string(), expected);
    }
}

#[tokio::test]
async fn a_hub_that_takes_requests_over_the_network_denies_internal_addresses_by_default() {
    let server = Server::start(|_| response(200, "", b"inside"));
    let request = || HttpRequest::get(server.url("/"));
    let hub = TestHub::open().await.unwrap();
    assert_eq!(result(&hub, request()).await.unwrap().status(), 200);
    hub.expose();
    let error = result(&hub, request()).await.unwrap_err();
    assert!(matches!(error, HttpError::Denied { .. }), "{error}");
    let own = TestHub::builder().configure(|hub| hub.http_policy(HttpPolicy::new()));
    let hub = own.open().await.unwrap();
    hub.expose();
    assert_eq!(result(&hub, request()).await.unwrap().status(), 200);
}
