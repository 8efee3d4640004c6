//! Requests of this node's clients: to a partition of its own, or to another node.

use std::pin::pin;
use std::sync::{Arc, Weak};

use tokio::sync::oneshot;

use super::node::Nodes;
use super::wire::{self, ClientRequest, Decode, SendRequest};
use crate::hub::admission::Permit;
use crate::hub::drive::Place;
use crate::hub::error::HubError;
use crate::hub::mail::{Delivery, Mail};
use crate::hub::reply_to::{Encode, Replied};
use crate::hub::task_hub::{Inner, TaskHub};
use crate::hub::time::wait::{First, first};
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, ParkedPartition, RequestId, StoreError, chain};

/// Sends a request to another node if no partition of this node replies to it.
struct Fallback {
    /// Weak, because a request may wait for as long as its client does, and must not keep the hub
    /// open.
    hub: Weak<Inner>,
    nodes: Arc<Nodes>,
    target: PartitionId,
    /// Where the task runs that sends the request.
    place: Place,
    /// Kept until the request is sent. Empty if the request became mail to a partition of this
    /// node, because the mail then has the permit.
    permit: Permit,
}

impl TaskHub {
    /// Sends a client's request to the owner of a partition, on this or another node.
    pub(crate) fn ask_owner(
        &self,
        nodes: &Arc<Nodes>,
        target: PartitionId,
        mail: Mail,
        permit: Permit,
    ) {
        let hub = Arc::downgrade(&self.inner);
        let (place, owner) = (nodes.drive.place(), nodes.mailboxes.owner(target));
        let (of_mail, of_request) = match &owner {
            Some(_) => (permit, Permit::default()),
            None => (Permit::default(), permit),
        };
        let (of_nodes, permit) = (Arc::clone(nodes), of_request);
        let fallback = Fallback { hub, nodes: of_nodes, target, place, permit };
        match ClientRequest::repeated(mail, fallback) {
            // If the mail is dropped, now or when the partition is lost, the request goes to the
            // next owner.
            Ok(mail) => {
                if let Some(owner) = owner {
                    owner.send(Delivery { mail, busy: nodes.mailboxes.busy(), permit: of_mail });
                }
            }
            Err(mail) => self.watch_from_store(&nodes.drive, *mail),
        }
    }

    async fn ask<T: Encode + Decode>(
        &self,
        nodes: &Nodes,
        target: PartitionId,
        request: ClientRequest,
        permit: Permit,
        mut client: oneshot::Sender<Replied<T>>,
    ) {
        let id = request.request_id();
        let answer = nodes.waiting.answer_to(id);
        if nodes.is_stopping() {
            return nodes.waiting.forget(id);
        }
        if let Err(error) = self.send_request(id, target, &request).await {
            nodes.waiting.forget(id);
            return drop(client.send(Err(error)));
        }
        drop(permit);
        let answer = first(pin!(answer), pin!(client.closed())).await;
        match answer {
            First::This(Ok(Err(parked))) => drop(client.send(Err(parked.into()))),
            First::This(Ok(Ok(answer))) => drop(client.send(wire::read(&answer, target))),
            // Nobody will answer: the hub stops.
            First::This(Err(_dropped)) => {}
            First::That(()) => nodes.waiting.abandon(id),
        }
    }

    async fn send_request(
        &self,
        id: RequestId,
        target: PartitionId,
        request: &ClientRequest,
    ) -> Result<(), HubError> {
        let encoded = serde_json::to_string(request);
        let sent = self.ask_store(move |store| {
            let body = encoded.map_err(|error| StoreError::backend("cannot encode", error))?;
            let cluster = store.cluster().ok_or_else(|| {
                StoreError::backend("cannot send a request", "the store has no cluster")
            })?;
            cluster.ask(&ClusterRequest::new(id, target, body))
        });
        match sent.await {
            Err(HubError::Store(StoreError::Parked { partition, reason })) => {
                Err(ParkedPartition::new(partition, reason).into())
            }
            sent => sent.inspect_err(|error| {
                tell!(error, error = chain(error), "a request could not be sent to its partition");
            }),
        }
    }
}

impl SendRequest for Fallback {
    fn send<T>(self, request: ClientRequest, client: oneshot::Sender<Replied<T>>)
    where
        T: Encode + Decode + Send + 'static,
    {
        let Self { hub, nodes, target, place, permit } = self;
        let Some(inner) = hub.upgrade().filter(|_| !nodes.is_stopping()) else { return };
        let (hub, drive) = (TaskHub { inner }, nodes.drive.clone());
        drive
            .spawn_at(place, async move { hub.ask(&nodes, target, request, permit, client).await });
    }
}
