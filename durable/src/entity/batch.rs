//! A batch of operations of one entity, and its result: what a hub and a run exchange.
//!
//! Read next: `run.rs` (how a batch runs).

use tokio_util::sync::CancellationToken;

use crate::activity::States;
use crate::limits::Limits;
use crate::orchestration::request::OperationRequest;
use crate::protocol::{
    EntityId, EventKind, ExecutionStarted, FailureDetails, InstanceId, Json, TaskMessage, Timestamp,
};

/// The result of an operation.
pub(super) type Outcome = Result<Json, FailureDetails>;

/// The operation that every entity has, unless its own code has one of this name.
pub(crate) const DELETE: &str = "delete";

/// Whether a message asks for the operation that every entity has.
pub(crate) fn is_deletion(message: &TaskMessage) -> bool {
    let (EventKind::EntityOperationCalled { operation, .. }
    | EventKind::EntityOperationSignaled { operation, .. }) = &message.event
    else {
        return false;
    };
    operation.eq_ignore_ascii_case(DELETE)
}

/// Operations of one entity that run one after another and are committed together.
#[derive(Debug)]
pub struct Batch {
    pub(crate) entity_id: EntityId,
    pub(crate) state: Option<Json>,
    pub(crate) operations: Vec<Requested>,
    pub(crate) around: BatchContext,
}

/// An operation that was requested.
#[derive(Debug)]
pub(crate) struct Requested {
    pub(crate) operation: String,
    pub(crate) input: Json,
    /// The orchestration that waits for the result, if one does.
    pub(crate) caller: Option<InstanceId>,
    /// Whether it is a call, and not a signal.
    pub(crate) is_call: bool,
}

/// The result of a batch.
#[derive(Debug)]
pub struct BatchDone {
    pub(crate) state: Option<Json>,
    /// The result of each operation; `None` for a signal that stays queued (rule 3 of `run.rs`).
    pub(crate) outcomes: Vec<Option<Outcome>>,
    pub(crate) outgoing: Vec<Outgoing>,
}

/// What every operation of a batch is given.
#[derive(Clone, Debug, Default)]
pub(crate) struct BatchContext {
    /// When the batch began.
    pub(crate) now: Timestamp,
    pub(crate) limits: Limits,
    pub(crate) states: States,
    /// Cancelled when the hub is shut down.
    pub(crate) cancellation: CancellationToken,
}

/// A signal or a start that an operation sends.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Signal { asked: OperationRequest, at: Option<Timestamp> },
    Start { instance_id: InstanceId, started: Box<ExecutionStarted> },
}
