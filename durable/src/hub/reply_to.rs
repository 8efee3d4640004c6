//! Where the reply to a request goes.

use std::fmt;

use tokio::sync::oneshot;

use super::error::HubError;
use crate::store::RequestId;

/// The reply to a request, or why there is none. If the hub stops, the sender is dropped instead.
pub(crate) type Replied<T> = Result<T, HubError>;

/// Where the reply to a request goes.
#[derive(Debug)]
pub(crate) enum ReplyTo<T> {
    /// To a client of this process.
    Client(oneshot::Sender<Replied<T>>),
    /// To a client of this process, whose request another process can carry out if this one does not.
    Repeated(Repeated<T>),
    /// To the node that sent the request. The commit of the write that causes the reply contains it.
    Node(RequestId),
}

/// The client of a request that is repeated if this is dropped without a reply.
pub(crate) struct Repeated<T>(Option<(oneshot::Sender<Replied<T>>, Repeat<T>)>);

/// Asks again on behalf of a client.
pub(crate) type Repeat<T> = Box<dyn FnOnce(oneshot::Sender<Replied<T>>) + Send + Sync>;

/// A reply that can be sent to another node.
pub(crate) trait Encode {
    /// As JSON.
    fn encode(&self) -> String;
}

impl<T> ReplyTo<T> {
    /// Asks again if this is dropped without a reply while the client waits. A reply to another node stays
    /// as it is: that node asks again.
    pub(crate) fn repeated(self, repeat: Repeat<T>) -> Self {
        match self {
            Self::Client(client) => Self::Repeated(Repeated(Some((client, repeat)))),
            reply @ (Self::Repeated(_) | Self::Node(_)) => reply,
        }
    }

    /// Whether no client waits for the reply any longer.
    pub(crate) fn is_closed(&self) -> bool {
        self.client().is_some_and(oneshot::Sender::is_closed)
    }

    /// The request of another node, if it is one.
    pub(crate) fn request(&self) -> Option<RequestId> {
        match self {
            Self::Node(request) => Some(*request),
            Self::Client(_) | Self::Repeated(_) => None,
        }
    }

    fn client(&self) -> Option<&oneshot::Sender<Replied<T>>> {
        match self {
            Self::Client(client) => Some(client),
            Self::Repeated(Repeated(repeated)) => repeated.as_ref().map(|(client, _)| client),
            Self::Node(_) => None,
        }
    }
}

impl<T: Encode> ReplyTo<T> {
    /// Sends the reply. A client that no longer waits has dropped its end of the channel.
    pub(crate) fn send(self, reply: T) {
        match self {
            Self::Client(client) => drop(client.send(Ok(reply))),
            Self::Repeated(mut repeated) => {
                if let Some((client, _)) = repeated.0.take() {
                    drop(client.send(Ok(reply)));
                }
            }
            Self::Node(_) => {}
        }
    }
}

impl<T> From<oneshot::Sender<Replied<T>>> for ReplyTo<T> {
    fn from(client: oneshot::Sender<Replied<T>>) -> Self {
        Self::Client(client)
    }
}

impl<T> Drop for Repeated<T> {
    fn drop(&mut self) {
        if let Some((client, repeat)) = self.0.take_if(|(client, _)| !client.is_closed()) {
            repeat(client);
        }
    }
}

impl<T> fmt::Debug for Repeated<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repeated").finish_non_exhaustive()
    }
}
