//! Batches: how one begins, and what it leaves.

use super::live::Live;
use super::queue::{Origin, Queued};
use crate::entity::{BatchDone, Outgoing, Requested};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::EntityReply;
use crate::hub::partition::messages;
use crate::hub::partition::{Partition, Stopped};
use crate::hub::work::batches::BatchJob;
use crate::protocol::{EventKind, ExecutionStarted, FailureDetails, InstanceId, Json, TaskMessage};

type Outcome = Result<Json, FailureDetails>;

impl Partition {
    /// Begins the next batch of an entity. Whether the entity's record changes by what that takes.
    pub(super) fn begin_batch(
        &mut self,
        live: &mut Live,
        content: &mut Content,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(run) = self.registry.entity(live.entity_id.name()) else {
            return self.do_without_code(live, content, effects);
        };
        live.running = live.queue.take_batch();
        let operations = live.running.iter().filter_map(Queued::requested).collect();
        let (entity_id, state) = (live.entity_id.clone(), live.kept.state.clone());
        let now = self.clock.now();
        self.batches.submit(BatchJob { entity_id, run, state, operations, now });
        false
    }

    /// Where there is no code for an entity it can be deleted, calls fail, and signals wait.
    fn do_without_code(
        &mut self,
        live: &mut Live,
        content: &mut Content,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if live.queue.hold() {
            tell!(
                warn,
                entity = %live.entity_id,
                registered = self.registry.entity_names(),
                "no entity of this name is registered: signals wait until one is"
            );
        }
        let mut is_changed = false;
        for queued in live.queue.take_batch() {
            let outcome = if queued.is_deletion() {
                is_changed |= live.kept.state.take().is_some();
                Ok(Json::null())
            } else {
                Err(self.not_registered_entity(live))
            };
            settle(live, queued, outcome, content, effects);
        }
        is_changed
    }

    fn not_registered_entity(&self, live: &Live) -> FailureDetails {
        let message = format!(
            "entity `{}` is not registered; registered: {}",
            live.entity_id.name(),
            self.registry.entity_names()
        );
        FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
    }

    /// Writes what a batch has left, with all that it sends.
    pub(crate) fn end_batch(&mut self, id: &InstanceId, done: BatchDone) -> Result<(), Stopped> {
        let mut live = self.take_live(id)?;
        let BatchDone { state, outcomes, outgoing } = done;
        let (mut content, mut effects) = (Content::default(), Vec::new());
        let is_changed = live.kept.state != state;
        live.kept.state = state;
        // What an operation has written can be read.
        if outcomes.iter().any(|outcome| matches!(outcome, Some(Ok(_)))) {
            live.queue.release();
        }
        // The last operation may have been a deletion.
        let is_readable = !is_unreadable(outcomes.last().and_then(Option::as_ref));
        let mut waiting = Vec::new();
        let running = std::mem::take(&mut live.running);
        for (queued, outcome) in running.into_iter().zip(outcomes) {
            match outcome {
                Some(outcome) => {
                    settle(&mut live, queued, outcome, &mut content, &mut effects);
                }
                None => waiting.extend(stored(queued, &mut content, &mut effects)),
            }
        }
        for queued in waiting.into_iter().rev() {
            live.queue.put_back(queued);
        }
        if !is_readable {
            hold(&mut live);
        }
        let properties = &self.settings.properties;
        content.messages.extend(outgoing.into_iter().map(|sent| match sent {
            Outgoing::Signal { asked, at } => messages::signal(asked, at),
            Outgoing::Start { instance_id, started } => {
                let properties = properties.as_ref().clone();
                let started = ExecutionStarted { properties, ..*started };
                messages::start(instance_id, Box::new(started))
            }
        }));
        self.write_entity(&mut live, is_changed, content, effects);
        self.touch(live);
        Ok(())
    }
}

/// Whether this came of a state that cannot be read.
fn is_unreadable(outcome: Option<&Outcome>) -> bool {
    match outcome {
        Some(Err(failure)) => failure.error_type == FailureDetails::INVALID_STATE,
        Some(Ok(_)) => false,
        None => true,
    }
}

/// A signal that is to wait. If only its client has it, it is stored, and comes back from there.
fn stored(queued: Queued, content: &mut Content, effects: &mut Vec<Effect>) -> Option<Queued> {
    let Queued { message, origin } = queued;
    match origin {
        Origin::Client(EntityReply::Signalled(reply)) => {
            content.messages.push(message);
            effects.push(Effect::Signalled(reply));
            None
        }
        origin => Some(Queued { message, origin }),
    }
}

/// Lets signals wait until there is code that can read the state.
fn hold(live: &mut Live) {
    if live.queue.hold() {
        tell!(
            error,
            entity = %live.entity_id,
            "the state of an entity cannot be read: signals wait for code that can read it, or for \
             its deletion"
        );
    }
}

/// Sends the outcome of an operation to its caller.
fn settle(
    live: &mut Live,
    queued: Queued,
    outcome: Outcome,
    content: &mut Content,
    effects: &mut Vec<Effect>,
) {
    let TaskMessage { id, from, event, .. } = queued.message;
    let mut caller = None;
    match queued.origin {
        Origin::Stored => {
            content.consumed.push(id);
            caller = live.callers.remove(&id);
        }
        Origin::Client(EntityReply::Called(reply)) => caller = Some(reply),
        Origin::Client(EntityReply::Signalled(reply)) => effects.push(Effect::Signalled(reply)),
        Origin::Scheduled(signal) => content.purged.push(signal),
    }
    if let EventKind::EntityOperationSignaled { operation, .. } = &event
        && let Err(failure) = &outcome
    {
        tell!(warn, entity = %live.entity_id, operation, "a signal failed: {failure}");
    }
    if let Some(from) = from {
        content.messages.push(messages::operation_result(&from, outcome));
    } else if let Some(reply) = caller {
        effects.push(Effect::Operated(reply, outcome));
    }
}

impl Queued {
    fn requested(&self) -> Option<Requested> {
        let (EventKind::EntityOperationCalled { operation, input, .. }
        | EventKind::EntityOperationSignaled { operation, input, .. }) = &self.message.event
        else {
            return None;
        };
        Some(Requested {
            operation: operation.clone(),
            input: input.clone(),
            caller: self.message.from.as_ref().map(|from| from.instance_id.clone()),
            is_call: self.is_call(),
        })
    }
}
