//! Sending a request within its time limit, and again if that is safe and may help.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use axum::response::Response;
use tokio::time::{sleep, timeout};

use super::request::Request;
use super::{Client, ClientError};

/// The maximum number of times that a request is sent.
const TIMES: u32 = 3;
/// The longest wait before a request is sent again.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// The wait if the hub names none.
const PAUSE: Duration = Duration::from_millis(200);

const KEY: HeaderName = HeaderName::from_static("x-functions-key");

/// A failed attempt, and the time after which another one may succeed.
struct Failed {
    error: ClientError,
    pause: Option<Duration>,
}

impl Client {
    /// Forwards a request to the hub with the key of this client, for proxies. The path is that of
    /// the routes, such as `/api/v1/instances`. The answer has no time limit.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if the hub cannot be reached.
    pub async fn forward(
        &self,
        mut request: axum::extract::Request,
    ) -> Result<Response, ClientError> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = self.transport.uri(&format!("{}{path}", self.prefix));
        *request.uri_mut() = uri.parse().map_err(|error| self.unreachable(Box::new(error)))?;
        let headers = request.headers_mut();
        headers.remove(header::HOST);
        if let Some(key) = &self.key {
            headers.insert(KEY, key.clone());
        }
        self.transport.send(request).await.map_err(|source| self.unreachable(source))
    }

    fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> ClientError {
        ClientError::Unreachable { place: self.place.to_string(), source }
    }
}

impl<T> Request<T> {
    /// The body of the answer, if the request succeeded.
    pub(super) async fn answered(&self) -> Result<String, ClientError> {
        let mut times = 1;
        loop {
            let Failed { error, pause } = match self.answered_in_time().await {
                Ok(text) => return Ok(text),
                Err(failed) => failed,
            };
            let Some(pause) = pause.filter(|pause| times < TIMES && *pause <= PAUSE_MAX) else {
                return Err(error);
            };
            times += 1;
            sleep(pause).await;
        }
    }

    async fn answered_in_time(&self) -> Result<String, Failed> {
        let limit = self.client.request_time + self.wait;
        let answering = async {
            let answer = self.opened().await?;
            let body = to_bytes(answer.into_body(), usize::MAX).await;
            let text = body.map_err(|error| self.lost(Box::new(error)))?;
            String::from_utf8(text.into()).map_err(|error| self.lost(Box::new(error)))
        };
        timeout(limit, answering).await.unwrap_or_else(|_| {
            let place = self.client.place.to_string();
            Err(Failed { error: ClientError::TimedOut { place, limit }, pause: None })
        })
    }

    /// The head of the answer, whose body a stream reads as it comes.
    pub(super) async fn opened_in_time(&self) -> Result<Response, ClientError> {
        let limit = self.client.request_time;
        match timeout(limit, self.opened()).await {
            Ok(opened) => opened.map_err(|failed| failed.error),
            Err(_) => {
                let place = self.client.place.to_string();
                Err(ClientError::TimedOut { place, limit })
            }
        }
    }

    async fn opened(&self) -> Result<Response, Failed> {
        let sent = self.client.transport.send(self.to_send()?).await;
        let answer = sent.map_err(|source| self.lost(source))?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        let (status, pause) = (answer.status(), self.pause(answer.status(), answer.headers()));
        let body = to_bytes(answer.into_body(), usize::MAX).await;
        let body = body.map_err(|error| self.lost(Box::new(error)))?;
        let error = match serde_json::from_slice(&body) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => {
                let place = self.client.place.to_string();
                ClientError::NotAHub { place, status: status.as_u16() }
            }
        };
        Err(Failed { error, pause })
    }

    fn to_send(&self) -> Result<axum::extract::Request, Failed> {
        let uri = self.client.transport.uri(&self.path_and_query());
        let mut request = axum::extract::Request::builder().method(self.method.clone()).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(key) = &self.client.key {
            request = request.header(KEY, key);
        }
        request.body(Body::from(self.body.clone())).map_err(|error| self.lost(Box::new(error)))
    }

    fn is_safe(&self) -> bool {
        self.method == Method::GET
    }

    /// The connection could not be made, or was lost. Only after a loss is another attempt made.
    fn lost(&self, source: Box<dyn std::error::Error + Send + Sync>) -> Failed {
        let error = source.downcast_ref::<hyper_util::client::legacy::Error>();
        let is_lost = error.is_some_and(|error| !error.is_connect());
        let pause = (self.is_safe() && is_lost).then_some(PAUSE);
        Failed { error: self.client.unreachable(source), pause }
    }

    /// How long to wait before the same request may succeed.
    fn pause(&self, status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
        let may_succeed =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let seconds = || headers.get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok();
        (self.is_safe() && may_succeed).then(|| seconds().map_or(PAUSE, Duration::from_secs))
    }
}
