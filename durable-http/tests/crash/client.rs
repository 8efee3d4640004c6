//! A client that repeats each request until it is acknowledged.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

/// A start and an event that were both acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Acknowledged {
    pub(crate) id: String,
    /// The idempotency key, which is also the input.
    pub(crate) key: String,
    /// The event.
    pub(crate) cents: u32,
}

/// A client with one connection at a time.
pub(crate) struct Client {
    number: usize,
    /// Where the server is that is alive.
    server: watch::Receiver<SocketAddr>,
    connection: Option<SendRequest<Full<Bytes>>>,
    /// Told of each request that was acknowledged.
    acknowledged: mpsc::UnboundedSender<()>,
}

impl Client {
    pub(crate) fn new(
        number: usize,
        server: watch::Receiver<SocketAddr>,
        acknowledged: mpsc::UnboundedSender<()>,
    ) -> Self {
        Self { number, server, connection: None, acknowledged }
    }

    /// Starts one instance after the other and raises an event for each.
    pub(crate) async fn run(mut self, is_done: Arc<AtomicBool>) -> Vec<Acknowledged> {
        let mut all = Vec::new();
        for cents in 0.. {
            if is_done.load(Ordering::Relaxed) && cents > 0 {
                break;
            }
            let key = format!("{}-{cents}", self.number);
            let started = self.post("", &key, &json!({ "name": "order", "input": &key })).await;
            assert!(started.0.is_success(), "{started:?}");
            let id =
                started.1["instanceId"].as_str().expect("a start answers with an id").to_owned();
            let raised = self.post(&format!("/{id}:raise/paid"), "", &json!(cents)).await;
            // A repetition may find that the instance has completed with the first event.
            let is_repeated = raised.0 == StatusCode::CONFLICT && raised.1["code"] == "finished";
            assert!(raised.0.is_success() || is_repeated, "{raised:?}");
            all.push(Acknowledged { id, key, cents });
        }
        all
    }

    /// Sends a request until it has an answer other than 503.
    async fn post(&mut self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        loop {
            match self.try_post(path, key, body).await {
                Ok((StatusCode::SERVICE_UNAVAILABLE, _)) => tokio::task::yield_now().await,
                Ok(answer) => {
                    self.acknowledged.send(()).expect("the test counts");
                    return answer;
                }
                Err(_) => self.connection = None,
            }
        }
    }

    /// Connects to the server that is alive. While there is none, waits for the next one.
    async fn connect(&mut self) -> TcpStream {
        loop {
            let server = *self.server.borrow_and_update();
            match TcpStream::connect(server).await {
                Ok(stream) => return stream,
                Err(_) => self.server.changed().await.expect("a killed server is replaced"),
            }
        }
    }

    async fn try_post(
        &mut self,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
        let request = Request::post(format!("/api/v1/instances{path}"))
            .header("host", "localhost")
            .header("content-type", "application/json")
            .header("idempotency-key", key);
        let request = request.body(Full::from(body.to_string()))?;
        if self.connection.as_ref().is_none_or(SendRequest::is_closed) {
            let stream = self.connect().await;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            self.connection = Some(sender);
        }
        let connection = self.connection.as_mut().ok_or("there is no connection")?;
        connection.ready().await?;
        let answer = connection.send_request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body)? };
        Ok((status, body))
    }
}
