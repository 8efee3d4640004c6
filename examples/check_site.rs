//! Durable HTTP calls: a service checks a site, which takes hours, and fails now and then.
//!
//! The service answers `POST /checks` with 202 and a `Location`. `ctx.call_http(..)` polls that
//! location by durable timers, and retries what fails by its status. The server is real and listens on
//! a loopback socket; time is virtual, so that the hours take no time.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use durable::http::{HttpRequest, HttpRetry};
use durable::prelude::*;
use durable::testing::TestHub;

/// Orders a check of a site, and returns its report.
#[orchestrator]
async fn check_site(ctx: &OrchestrationContext, service: String, site: String) -> Result<String> {
    let order = HttpRequest::post(format!("{service}/checks"))
        .json(&site)
        .retry(HttpRetry::new(5, Duration::from_secs(10)).backoff_coefficient(2.0))
        .timeout(Duration::from_secs(20))
        .deadline(Duration::from_hours(24));
    let response = ctx.call_http(order).await?.error_for_status()?;
    Ok(response.text().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let service = serve()?;
    let hub = TestHub::open().await?;
    let began = hub.now();
    let run = hub.start(check_site(format!("http://{service}"), "example.com".into())).await?;
    println!("report: {}", run.result().await?);
    println!("virtual time: {} min", (hub.now() - began).num_minutes());
    hub.shutdown().await?;
    Ok(())
}

/// Starts the service on a free port.
fn serve() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if let Err(error) = stream.and_then(|stream| answer(&stream, number)) {
                eprintln!("a connection broke: {error}");
            }
        }
    });
    Ok(address)
}

fn answer(mut stream: &TcpStream, number: usize) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut length = 0;
    loop {
        let mut field = String::new();
        reader.read_line(&mut field)?;
        let Some((name, value)) = field.trim_end().split_once(':') else { break };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or_default();
        }
    }
    std::io::copy(&mut std::io::Read::take(reader, length), &mut std::io::sink())?;
    let (status, fields, body) = match number {
        0 | 3 => ("503 Service Unavailable", "", "busy"),
        1 => ("202 Accepted", "Location: /checks/1\r\nRetry-After: 3600\r\n", ""),
        2 | 4 => ("202 Accepted", "Location: /checks/1\r\nRetry-After: 1800\r\n", ""),
        _ => ("200 OK", "", "example.com is up"),
    };
    println!("{:<32} {status}", request.trim_end());
    let size = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{fields}")?;
    write!(stream, "Connection: close\r\n\r\n{body}")
}
