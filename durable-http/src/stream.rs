//! Server-sent events: a response whose body continues until its source ends, the server shuts
//! down, or the client leaves.
//!
//! Rules:
//! 1. A stream does not count as a request that is being answered, because it may stay open for days.
//!    Streams have a limit of their own.
//! 2. A client that reads slowly slows its source down and nothing else: at most one frame is kept.
//! 3. A silent stream sends comments, so that proxies keep the connection open and a client
//!    that has left is noticed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep};

use crate::app::App;
use crate::json::with_header;
use crate::problem::{Code, Problem};

/// How long a client waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 2000\n\n";

/// Where the events of a stream come from.
pub(crate) trait Source: Sized + Send + 'static {
    /// Waits for the next event; `None` ends the stream.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// One event. JSON has no line breaks outside of strings, where they are escaped.
pub(crate) fn event(name: &str, id: Option<&str>, data: &(impl Serialize + ?Sized)) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    let data = serde_json::to_string(data).unwrap_or_else(|_| "null".to_owned());
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// A place among the streams of the server.
pub(crate) fn place(app: &App) -> Result<OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&app.streams).try_acquire_owned();
    place.map_err(|_| Problem::new(Code::Busy, "too many streams of events are open"))
}

/// The answer that sends the events of this source.
pub(crate) fn answer(app: &App, place: OwnedSemaphorePermit, source: impl Source) -> Response {
    let keep_alive = app.options.keep_alive;
    let body = Events {
        is_new: true,
        next: Some(step(source)),
        silence: Box::pin(sleep(keep_alive)),
        keep_alive,
        shutdown: Box::pin(app.shutdown.begun()),
        _place: place,
    };
    let answer = Response::new(Body::new(body));
    let answer = with_header(answer, "content-type", "text/event-stream");
    let answer = with_header(answer, "cache-control", "no-cache");
    // Otherwise nginx collects events before it passes them on.
    with_header(answer, "x-accel-buffering", "no")
}

type Step<S> = Pin<Box<dyn Future<Output = Option<(Bytes, S)>> + Send>>;

fn step<S: Source>(mut source: S) -> Step<S> {
    Box::pin(async move { source.next().await.map(|event| (event, source)) })
}

struct Events<S> {
    is_new: bool,
    /// Kept across comments, so that an event which is being read is not lost.
    next: Option<Step<S>>,
    silence: Pin<Box<Sleep>>,
    keep_alive: Duration,
    shutdown: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: OwnedSemaphorePermit,
}

impl<S: Source> hyper::body::Body for Events<S> {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if std::mem::take(&mut this.is_new) {
            return Poll::Ready(Some(Ok(Frame::data(RETRY.into()))));
        }
        if this.shutdown.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        let Some(next) = &mut this.next else { return Poll::Ready(None) };
        let event = match next.as_mut().poll(cx) {
            Poll::Ready(Some((event, source))) => {
                this.next = Some(step(source));
                event
            }
            Poll::Ready(None) => {
                this.next = None;
                return Poll::Ready(None);
            }
            Poll::Pending => {
                ready!(this.silence.as_mut().poll(cx));
                Bytes::from_static(b":\n\n")
            }
        };
        this.silence.as_mut().reset(Instant::now() + this.keep_alive);
        Poll::Ready(Some(Ok(Frame::data(event))))
    }
}
