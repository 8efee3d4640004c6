//! Malformed requests over a socket, generated from a seed: each response is a 4xx, 501 or 503 and
//! arrives in time, the server stays up, and its memory does not grow.
//!
//! `DURABLE_LONG=1` sends ten thousand requests. The test has a process of its own, because it measures
//! the memory of the process.

use std::net::SocketAddr;
use std::time::Duration;
use std::{env, fs};

use durable::TaskHub;
use durable_http::{HttpOptions, serve};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const COUNT: usize = 400;
const COUNT_LONG: usize = 10_000;
/// The time limit of a response.
const PATIENCE: Duration = Duration::from_secs(30);
const BODY_MAX: usize = 16 * 1024;
/// The growth of memory that is allowed after a quarter of the requests, which warm up allocator and
/// pools. A leak of 1 KiB per request exceeds it in the long test.
const GROWTH_MAX: u64 = 6 * 1024 * 1024;

const BASES: [&str; 3] = ["/api/v1", "/runtime/webhooks/durabletask", "/durabletask"];
/// Routes that read a body as JSON.
const WITH_BODY: [&str; 8] = [
    "/api/v1/instances",
    "/api/v1/instances/a:suspend",
    "/api/v1/instances/a:raise/b",
    "/api/v1/batches",
    "/api/v1/schedules",
    "/api/v1/entities/counter/a:signal/add",
    "/durabletask/orchestrators/hello",
    "/durabletask/entities/counter/a?op=add",
];
const BAD_JSON: [&str; 10] = [
    "{",
    "}",
    "[1,",
    "nul",
    "\"",
    "{\"name\":}",
    "{\"name\":\"hello\",}",
    "1 2",
    "\u{1}",
    "{'name':1}",
];
const BAD_PATHS: [&str; 14] = [
    "/../../etc/passwd",
    "/instances/..%2f..%2fetc%2fpasswd",
    "/instances/%2e%2e/%2e%2e",
    "/instances/%00",
    "/instances/%FF%FE",
    "/instances/%",
    "/instances/%zz",
    "/instances/a/b/c/d",
    "/instances/@nobody@x",
    "/entities/@/a",
    "/entities/a%2Fb/c",
    "/batches/nobody",
    "/backups/..%2f..",
    "/;/?#",
];
const BAD_QUERIES: [&str; 8] = [
    "limit=-1",
    "limit=99999999999999999999",
    "after=%00",
    "status=Done",
    "createdFrom=9999-99-99",
    "tag=x",
    "x=1&y=2",
    "=&&=%",
];
const BAD_METHODS: [&str; 8] =
    ["PATCH", "FOO", "get", "TRACE", "PROPFIND", "OPTIONS", "CONNECT", "G@T"];

/// Random choices that a seed repeats.
struct Chance(u64);

impl Chance {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// The resident memory of this process in bytes, on systems with `/proc`.
fn resident_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// A request. The client sends nothing after it, but keeps the connection open.
fn request(chance: &mut Chance) -> Vec<u8> {
    let host = "host: localhost\r\n";
    let route = chance.of(&WITH_BODY);
    let base = chance.of(&BASES);
    let with_body = |headers: &str, body: &str| {
        format!(
            "POST {route} HTTP/1.1\r\n{host}content-type: application/json\r\n{headers}\r\n{body}"
        )
    };
    let text = match chance.below(12) {
        0 | 1 => {
            let body = chance.of(&BAD_JSON);
            with_body(&format!("content-length: {}\r\n", body.len()), body)
        }
        2 => {
            with_body(&format!("content-length: {}\r\n", BODY_MAX + 1 + chance.below(1 << 30)), "x")
        }
        3 => {
            let chunk = format!("{:x}\r\n{}\r\n", BODY_MAX / 2, "[".repeat(BODY_MAX / 2));
            with_body("transfer-encoding: chunked\r\n", &chunk.repeat(3))
        }
        4 => with_body("content-length: 100\r\n", "{\"na"),
        5 => format!("GET {base}{} HTTP/1.1\r\n{host}\r\n", chance.of(&BAD_PATHS)),
        6 => {
            let query = chance.of(&BAD_QUERIES);
            format!("GET /api/v1/instances?{query} HTTP/1.1\r\n{host}\r\n")
        }
        7 => format!("{} {base}/instances/a HTTP/1.1\r\n{host}\r\n", chance.of(&BAD_METHODS)),
        8 => {
            let headers = "x: 1\r\n".repeat(257 + chance.below(100));
            format!("GET /api/v1/hub HTTP/1.1\r\n{host}{headers}\r\n")
        }
        9 => {
            let long = "a".repeat(8 * 1024 + chance.below(4 * 1024));
            format!("GET {base}/instances/{long} HTTP/1.1\r\n{host}\r\n")
        }
        10 => {
            let length = chance.of(&["-1", "x", "1, 2", "99999999999999999999", ""]);
            with_body(&format!("content-length: {length}\r\n"), "{}")
        }
        _ => {
            let bytes: Vec<_> = (0..40).map(|_| u8::try_from(chance.below(256)).unwrap()).collect();
            return [&bytes[..], b"\r\n\r\n"].concat();
        }
    };
    text.into_bytes()
}

/// The status and body of an answer; `None` if the server closed the connection without one.
async fn answer(mut stream: TcpStream) -> Option<(u16, String, String)> {
    let mut bytes = Vec::new();
    let is_whole = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let head = head.to_lowercase();
        let length =
            head.split("content-length: ").nth(1).map_or("0", |it| it.lines().next().unwrap());
        (body.len() >= length.parse().unwrap()).then(|| (head, body.to_owned()))
    };
    loop {
        let mut buffer = [0; 4096];
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        bytes.extend_from_slice(&buffer[..read]);
        if let Some((head, body)) = is_whole(&bytes) {
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            return Some((status, head, body));
        }
        if read == 0 {
            assert!(bytes.is_empty(), "half an answer: {}", String::from_utf8_lossy(&bytes));
            return None;
        }
    }
}

/// The status of a request that is right. On a busy machine, the time for its head may be over before
/// the head is sent; the server then closes the connection, and the request is sent again.
async fn status_of_hub(address: SocketAddr) -> u16 {
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = b"GET /api/v1/hub HTTP/1.1\r\nhost: localhost\r\n\r\n";
        drop(stream.write_all(request).await);
        if let Some((status, ..)) = answer(stream).await {
            return status;
        }
    }
}

#[tokio::test]
async fn malformed_requests_over_a_socket_are_refused_in_time_and_leak_no_memory() {
    let hub = TaskHub::builder().in_memory().open().await.unwrap();
    let options = HttpOptions::new()
        .listen("127.0.0.1:0")
        .max_body(BODY_MAX)
        .body_time(Duration::from_millis(5))
        .header_time(Duration::from_millis(50))
        .max_scans_per_second(u32::MAX);
    let server = serve(&hub, options).await.unwrap();
    let address = server.addresses()[0];
    let is_long = env::var_os("DURABLE_LONG").is_some_and(|long| long == "1");
    let count = if is_long { COUNT_LONG } else { COUNT };
    let (mut chance, mut memory) = (Chance(11), None);
    for number in 0..count {
        if number == count / 4 {
            memory = resident_memory();
        }
        let request = request(&mut chance);
        let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
        let mut stream = TcpStream::connect(address).await.unwrap();
        // The server may refuse the request before it has read all of it.
        drop(stream.write_all(&request).await);
        let answer = timeout(PATIENCE, answer(stream)).await;
        let answer = answer.unwrap_or_else(|_| panic!("{number}: no answer to {shown:?}"));
        // If a request is not HTTP or was not read to its end, the server may close the connection.
        let Some((status, head, body)) = answer else { continue };
        let is_refused = (400..500).contains(&status) || [501, 503].contains(&status);
        assert!(is_refused, "{number}: {status} {body} to {shown:?}");
        if !body.is_empty() {
            let body: Value = serde_json::from_str(&body).unwrap();
            assert!(body["requestId"].is_string() || body.is_string(), "{shown:?} {head} {body}");
            assert!(body.is_string() || body["status"] == status, "{shown:?}: {body}");
        }
    }
    if let (Some(before), Some(after)) = (memory, resident_memory()) {
        let growth = after.saturating_sub(before);
        assert!(growth <= GROWTH_MAX, "memory grew from {before} to {after} bytes");
    }
    let status = timeout(PATIENCE, status_of_hub(address)).await;
    assert_eq!(status.unwrap(), 200, "the server stays up");
    assert!(server.shutdown().await);
    hub.shutdown().await.unwrap();
}
