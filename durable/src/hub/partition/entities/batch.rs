//! Batches of operations: starts a batch and writes its outcome.

use super::live::Live;
use super::queue::{KeptIn, Queued};
use super::write::write_entity;
use crate::entity::{BatchDone, Outgoing, Requested};
use crate::hub::commit::write::{Content, Effect};
use crate::hub::mail::EntityReply;
use crate::hub::partition::core::Core;
use crate::hub::partition::messages;
use crate::hub::recovery::held::operation_failure;
use crate::hub::reply_to::ReplyTo;
use crate::hub::telemetry::lines::logged;
use crate::hub::work::batches::BatchJob;
use crate::protocol::{EventKind, ExecutionStarted, FailureDetails, Json, TaskMessage};
use crate::store::RequestId;

type Outcome = Result<Json, FailureDetails>;

/// Begins the next batch of an entity, of at most this many operations. Returns whether the entity
/// has changed.
pub(super) fn begin_batch(
    core: &mut Core,
    live: &mut Live,
    at_most: usize,
    content: &mut Content,
    effects: &mut Vec<Effect>,
) -> bool {
    let Some(run) = core.env.registry.entity(live.entity_id.name()) else {
        return run_without_code(core, live, content, effects);
    };
    live.running = live.queue.take_batch(at_most);
    let operations = live.running.iter().filter_map(Queued::requested).collect();
    let (entity_id, state) = (live.entity_id.clone(), live.kept.state.clone());
    let now = core.now();
    core.outbox.run(BatchJob { entity_id, run, state, operations, now });
    false
}

/// Handles an entity without code: it can be deleted, calls fail, and signals wait.
fn run_without_code(
    core: &mut Core,
    live: &mut Live,
    content: &mut Content,
    effects: &mut Vec<Effect>,
) -> bool {
    if live.queue.hold() {
        tell!(
            warn,
            entity = %live.entity_id,
            registered = core.env.registry.entity_names(),
            "no entity of this name is registered: signals wait until one is"
        );
    }
    let mut is_changed = false;
    for queued in live.queue.take_batch(usize::MAX) {
        let outcome = if queued.is_deletion() {
            is_changed |= live.kept.state.take().is_some();
            Ok(Json::null())
        } else {
            Err(not_registered(core, live))
        };
        settle(live, queued, outcome, content, effects);
    }
    is_changed
}

/// Sets an entity aside, because its next operation crashes the process. Its messages stay.
pub(super) fn set_aside(core: &Core, live: &mut Live) {
    live.suspension = core.env.held.suspension(live.entity_id.instance_id());
    tell!(
        error,
        entity = %live.entity_id,
        "DURABLE0106: an operation of an entity crashes the process; the entity is set aside"
    );
}

/// Fails the next operation of an entity that is set aside, because a client skips it.
pub(super) fn skip_operation(live: &mut Live, content: &mut Content, effects: &mut Vec<Effect>) {
    for queued in live.queue.take_batch(1) {
        settle(live, queued, Err(operation_failure()), content, effects);
    }
}

fn not_registered(core: &Core, live: &Live) -> FailureDetails {
    let message = format!(
        "entity `{}` is not registered; registered: {}",
        live.entity_id.name(),
        core.env.registry.entity_names()
    );
    FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
}

/// Writes the outcome of a batch and everything that it sends.
pub(super) fn finish_batch(core: &mut Core, live: &mut Live, done: BatchDone) {
    let BatchDone { state, outcomes, outgoing } = done;
    let (mut content, mut effects) = (Content::default(), Vec::new());
    let is_changed = live.kept.state != state;
    live.kept.state = state;
    // An operation has succeeded, so this code can read the state.
    if outcomes.iter().any(|outcome| matches!(outcome, Some(Ok(_)))) {
        live.queue.release();
    }
    // The last operation decides, because it may have been a deletion.
    let is_readable = !is_unreadable(outcomes.last().and_then(Option::as_ref));
    let mut waiting = Vec::new();
    let running = std::mem::take(&mut live.running);
    for (queued, outcome) in running.into_iter().zip(outcomes) {
        match outcome {
            Some(outcome) => {
                settle(live, queued, outcome, &mut content, &mut effects);
            }
            None => waiting.extend(stored(queued, &mut content, &mut effects)),
        }
    }
    for queued in waiting.into_iter().rev() {
        live.queue.put_back(queued);
    }
    if !is_readable {
        hold(live);
    }
    let properties = &core.env.settings.properties;
    content.messages.extend(outgoing.into_iter().map(|sent| match sent {
        Outgoing::Signal { asked, at } => messages::signal(asked, at),
        Outgoing::Start { instance_id, started } => {
            let properties = properties.as_ref().clone();
            let started = ExecutionStarted { properties, ..*started };
            messages::start(instance_id, Box::new(started))
        }
    }));
    write_entity(core, live, is_changed, content, effects);
}

/// Whether an operation failed because the state could not be read.
fn is_unreadable(outcome: Option<&Outcome>) -> bool {
    match outcome {
        Some(Err(failure)) => failure.error_type == FailureDetails::INVALID_STATE,
        Some(Ok(_)) => false,
        None => true,
    }
}

/// Keeps a signal that waits for code. If only its client holds it, it is stored and arrives again
/// as a message.
fn stored(queued: Queued, content: &mut Content, effects: &mut Vec<Effect>) -> Option<Queued> {
    let Queued { message, origin } = queued;
    match origin {
        KeptIn::Client(EntityReply::Signalled(reply)) => {
            content.messages.push(message);
            effects.push(Effect::Signalled(reply));
            None
        }
        origin => Some(Queued { message, origin }),
    }
}

/// Holds signals back until code is registered that can read the state.
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

/// Consumes an operation and sends the result to its caller.
fn settle(
    live: &mut Live,
    queued: Queued,
    outcome: Outcome,
    content: &mut Content,
    effects: &mut Vec<Effect>,
) {
    let queued_is_call = queued.is_call();
    let TaskMessage { id, from, event, .. } = queued.message;
    let mut caller = None;
    match queued.origin {
        KeptIn::Stored => {
            content.consumed.push(id);
            // A client of another node, or of a former owner, waits for the answer to its request.
            let is_of_client = queued_is_call && from.is_none();
            let elsewhere = is_of_client.then_some(ReplyTo::Node(RequestId(id)));
            caller = live.callers.remove(&id).or(elsewhere);
        }
        KeptIn::Client(EntityReply::Called(reply)) => caller = Some(reply),
        KeptIn::Client(EntityReply::Signalled(reply)) => effects.push(Effect::Signalled(reply)),
        KeptIn::Scheduled(signal) => content.purged.push(signal),
    }
    if let EventKind::EntityOperationSignaled { operation, .. } = &event
        && let Err(failure) = &outcome
    {
        let failure = logged(&failure.to_string());
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
