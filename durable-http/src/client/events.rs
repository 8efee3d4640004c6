//! Streams of server-sent events: the history of an instance, and the lifecycle events of the hub.

use axum::body::BodyDataStream;
use axum::http::{HeaderName, HeaderValue};
use durable::protocol::Json;
use futures_core::Stream;
use serde::de::DeserializeOwned;

use super::request::Request;
use super::{ClientError, FollowedEvent, InstanceStatus, LifecycleEvent};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An event of an instance that is followed.
///
/// ```
/// use durable_http::client::InstanceEvent;
///
/// fn print(event: &InstanceEvent) {
///     match event {
///         InstanceEvent::History(event) => println!("{}", event.event.index),
///         InstanceEvent::End(_) => println!("the instance has ended"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum InstanceEvent {
    /// An event of the history. The index 0 begins a new history: discard the events before it.
    History(Box<FollowedEvent>),
    /// The end of the instance; `None` if it was removed. No events follow.
    End(Option<Box<InstanceStatus>>),
}

/// The history of an instance as it grows. If the connection is lost, the client connects again.
///
/// ```
/// use durable_http::client::{Client, ClientError, InstanceEvent};
///
/// async fn count(client: &Client, id: &str) -> Result<usize, ClientError> {
///     let mut events = client.follow_instance(id, 0).await?;
///     let mut count = 0;
///     while let Some(InstanceEvent::History(_)) = events.next().await? {
///         count += 1;
///     }
///     Ok(count)
/// }
/// ```
#[derive(Debug)]
pub struct InstanceEvents {
    request: Request<Json>,
    frames: Frames,
    has_ended: bool,
}

impl InstanceEvents {
    pub(super) async fn open(request: Request<Json>) -> Result<Self, ClientError> {
        let frames = Frames::open(&request).await?;
        Ok(Self { request, frames, has_ended: false })
    }

    /// Waits for the next event. Returns `None` after the end.
    ///
    /// # Errors
    /// See [`ClientError`]. A stream that has failed does not continue.
    pub async fn next(&mut self) -> Result<Option<InstanceEvent>, ClientError> {
        loop {
            if self.has_ended {
                return Ok(None);
            }
            let Some(frame) = self.frames.next().await else {
                self.open_again().await?;
                continue;
            };
            match frame.name.as_str() {
                "history" => {
                    let event = read(&self.request, &frame.data)?;
                    if let Ok(id) = HeaderValue::from_str(&frame.id) {
                        self.request = self.request.clone().header(LAST_EVENT_ID, id);
                    }
                    return Ok(Some(InstanceEvent::History(event)));
                }
                "end" => {
                    self.has_ended = true;
                    let status = read(&self.request, &frame.data)?;
                    return Ok(Some(InstanceEvent::End(status)));
                }
                _ => {}
            }
        }
    }

    /// Connects once more, because a hub that is being restarted soon answers again.
    async fn open_again(&mut self) -> Result<(), ClientError> {
        self.has_ended = true;
        let frames = Frames::open(&self.request).await?;
        // No content: it has ended, and all of its events were received.
        self.has_ended = frames.is_empty;
        self.frames = frames;
        Ok(())
    }
}

/// An event of a hub that is followed.
///
/// ```
/// use durable_http::client::HubEvent;
///
/// fn print(event: &HubEvent) {
///     match event {
///         HubEvent::Lifecycle(event) => println!("{} {:?}", event.instance_id, event.kind),
///         HubEvent::Missed(count) => println!("{count} events were missed"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HubEvent {
    /// A change in the life of an instance.
    Lifecycle(Box<LifecycleEvent>),
    /// This many events were dropped, because they were not read in time.
    Missed(u64),
}

/// The lifecycle events of a hub as they happen.
///
/// ```
/// use durable_http::client::{Client, ClientError, HubEvent};
///
/// async fn print_failures(client: &Client) -> Result<(), ClientError> {
///     let mut events = client.follow_hub(|events| events.kinds(["Failed"])).await?;
///     while let Some(HubEvent::Lifecycle(event)) = events.next().await? {
///         println!("{} has failed", event.instance_id);
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct HubEvents {
    request: Request<Json>,
    frames: Frames,
}

impl HubEvents {
    pub(super) async fn open(request: &Request<Json>) -> Result<Self, ClientError> {
        Ok(Self { request: request.clone(), frames: Frames::open(request).await? })
    }

    /// Waits for the next event. Returns `None` when the hub stops or the connection is lost.
    ///
    /// # Errors
    /// [`ClientError::Unreadable`] if an event cannot be read.
    pub async fn next(&mut self) -> Result<Option<HubEvent>, ClientError> {
        while let Some(frame) = self.frames.next().await {
            match frame.name.as_str() {
                "lifecycle" => {
                    return Ok(Some(HubEvent::Lifecycle(read(&self.request, &frame.data)?)));
                }
                "missed" => {
                    #[derive(serde::Deserialize)]
                    struct Missed {
                        count: u64,
                    }
                    let Missed { count } = read(&self.request, &frame.data)?;
                    return Ok(Some(HubEvent::Missed(count)));
                }
                _ => {}
            }
        }
        Ok(None)
    }
}

fn read<T: DeserializeOwned>(request: &Request<Json>, data: &str) -> Result<T, ClientError> {
    serde_json::from_str(data).map_err(|source| {
        let request = format!("{} {}", request.method(), request.path_and_query());
        ClientError::Unreadable { request, source }
    })
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq)]
struct Frame {
    name: String,
    id: String,
    data: String,
}

/// The events of an answer.
#[derive(Debug)]
struct Frames {
    body: BodyDataStream,
    /// Bytes after the last complete event.
    buffer: Vec<u8>,
    is_empty: bool,
}

impl Frames {
    async fn open(request: &Request<Json>) -> Result<Self, ClientError> {
        let answer = request.opened_in_time().await?;
        let is_empty = answer.status() == axum::http::StatusCode::NO_CONTENT;
        let body = answer.into_body().into_data_stream();
        Ok(Self { body, buffer: Vec::new(), is_empty })
    }

    /// The next event; `None` at the end or if the connection is lost.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            while let Some(length) = self.buffer.windows(2).position(|it| it == b"\n\n") {
                let frame: Vec<_> = self.buffer.drain(..length + 2).collect();
                let frame = Frame::parse(&String::from_utf8_lossy(&frame));
                if !frame.data.is_empty() {
                    return Some(frame);
                }
            }
            let body = &mut self.body;
            let bytes =
                std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_next(cx)).await;
            self.buffer.extend_from_slice(&bytes?.ok()?);
        }
    }
}

impl Frame {
    /// The hub writes each field on one line, and comments that keep the connection open.
    fn parse(text: &str) -> Self {
        let mut frame = Self::default();
        for line in text.lines() {
            match line.split_once(": ") {
                Some(("event", name)) => name.clone_into(&mut frame.name),
                Some(("id", id)) => id.clone_into(&mut frame.id),
                Some(("data", data)) => frame.data.push_str(data),
                _ => {}
            }
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::Frame;

    #[test]
    fn an_event_is_read_by_its_fields_and_a_comment_has_none() {
        let frame = Frame::parse("event: history\nid: 7\ndata: {\"a\": 1}\n\n");
        let wanted = Frame { name: "history".into(), id: "7".into(), data: "{\"a\": 1}".into() };
        assert_eq!(frame, wanted);
        assert_eq!(Frame::parse(":\n\n"), Frame::default());
        assert_eq!(Frame::parse("retry: 2000\n\n"), Frame::default());
    }
}
