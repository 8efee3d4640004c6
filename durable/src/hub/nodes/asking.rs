//! Requests of this node's clients: to a partition of its own, or to another node.

use std::pin::pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::node::Nodes;
use super::wire::{Ask, Asker, To};
use crate::hub::admission::Permit;
use crate::hub::error::HubError;
use crate::hub::mail::{Delivery, Mail};
use crate::hub::task_hub::TaskHub;
use crate::hub::time::wait::{First, first};
use crate::protocol::PartitionId;
use crate::store::{ClusterRequest, RequestId, StoreError, chain};

impl TaskHub {
    /// Sends a client's request to the owner of a partition, on this or another node.
    pub(crate) fn ask_owner(
        &self,
        nodes: &Arc<Nodes>,
        target: PartitionId,
        mail: Mail,
        permit: Permit,
    ) {
        let (hub, nodes) = (self.clone(), Arc::clone(nodes));
        let drive = nodes.drive.clone();
        match Ask::of(mail) {
            Ok((ask, asker)) => {
                drive.spawn(async move { hub.ask(&nodes, target, ask, asker, permit).await });
            }
            Err(mail) => self.watch_from_store(&drive, *mail),
        }
    }

    async fn ask(
        &self,
        nodes: &Nodes,
        target: PartitionId,
        ask: Ask,
        mut asker: Box<dyn Asker>,
        permit: Permit,
    ) {
        let mut permit = Some(permit);
        if let Some(owner) = nodes.mailboxes.owner(target) {
            let (reply, answer) = oneshot::channel();
            let (mail, busy) = (ask.clone().into_mail(To::Client(reply)), nodes.mailboxes.busy());
            let permit = permit.take().unwrap_or_default();
            owner.send(Delivery { mail, busy, permit });
            match wait(&mut *asker, answer).await {
                Outcome::Gone => return,
                Outcome::Answer(answer) => return pass_on(asker, &answer),
                // The partition was lost, and with it the request.
                Outcome::Dropped => {}
            }
        }
        let id = ask.request_id();
        let answer = nodes.waiting.answer_to(id);
        if let Err(error) = self.send_request(id, target, &ask).await {
            nodes.waiting.forget(id);
            return self.inner.health.not_sent(error);
        }
        drop(permit);
        match wait(&mut *asker, answer).await {
            Outcome::Answer(answer) => pass_on(asker, &answer),
            Outcome::Dropped => {}
            Outcome::Gone => nodes.waiting.forget(id),
        }
    }

    async fn send_request(
        &self,
        id: RequestId,
        target: PartitionId,
        ask: &Ask,
    ) -> Result<(), HubError> {
        let encoded = serde_json::to_string(ask);
        let sent = self.read(move |store| {
            let body = encoded.map_err(|error| StoreError::backend("cannot encode", error))?;
            let cluster = store.cluster().ok_or_else(|| {
                StoreError::backend("cannot send a request", "the store has no cluster")
            })?;
            cluster.ask(&ClusterRequest::new(id, target, body))
        });
        sent.await.inspect_err(|error| {
            tell!(error, error = chain(error), "a request could not be sent to its partition");
        })
    }
}

/// What a client has waited for.
enum Outcome {
    Answer(String),
    /// Nobody will answer.
    Dropped,
    /// The client waits no longer.
    Gone,
}

async fn wait(asker: &mut dyn Asker, answer: oneshot::Receiver<String>) -> Outcome {
    match first(pin!(answer), pin!(asker.gone())).await {
        First::This(Ok(answer)) => Outcome::Answer(answer),
        First::This(Err(_dropped)) => Outcome::Dropped,
        First::That(()) => Outcome::Gone,
    }
}

fn pass_on(asker: Box<dyn Asker>, answer: &str) {
    if !asker.answer(answer) {
        tell!(error, "the answer of another process of the hub cannot be read");
    }
}
