//! Where the reply to a request goes.

use tokio::sync::oneshot;

use crate::store::RequestId;

/// Where the reply to a request goes.
#[derive(Debug)]
pub(crate) enum ReplyTo<T> {
    /// To a client of this process.
    Client(oneshot::Sender<T>),
    /// To a client of this process that reads it as JSON.
    Encoded(oneshot::Sender<String>),
    /// To the node that sent the request. The commit of the write that causes the reply contains it.
    Node(RequestId),
}

/// A reply that can be sent to another node.
pub(crate) trait Encode {
    /// As JSON.
    fn encode(&self) -> String;
}

impl<T> ReplyTo<T> {
    /// Whether nobody waits for the reply any longer.
    pub(crate) fn is_closed(&self) -> bool {
        match self {
            Self::Client(reply) => reply.is_closed(),
            Self::Encoded(reply) => reply.is_closed(),
            Self::Node(_) => false,
        }
    }

    /// Waits until nobody waits for the reply any longer.
    pub(crate) async fn closed(&mut self) {
        match self {
            Self::Client(reply) => reply.closed().await,
            Self::Encoded(reply) => reply.closed().await,
            Self::Node(_) => std::future::pending().await,
        }
    }

    /// The request of another node, if it is one.
    pub(crate) fn request(&self) -> Option<RequestId> {
        match self {
            Self::Node(request) => Some(*request),
            Self::Client(_) | Self::Encoded(_) => None,
        }
    }
}

impl<T: Encode> ReplyTo<T> {
    /// Sends the reply. A client that no longer waits has dropped its end of the channel.
    pub(crate) fn send(self, reply: T) {
        match self {
            Self::Client(client) => drop(client.send(reply)),
            Self::Encoded(client) => drop(client.send(reply.encode())),
            Self::Node(_) => {}
        }
    }
}

impl<T> From<oneshot::Sender<T>> for ReplyTo<T> {
    fn from(client: oneshot::Sender<T>) -> Self {
        Self::Client(client)
    }
}
