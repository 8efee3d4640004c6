//! The first event of an execution: how it was started, and under which rules it runs.

use serde::{Deserialize, Serialize};

use crate::protocol::{ExecutionId, Json, ParentInstance, Tags, Timestamp, TraceContext};

/// How an execution was started.
///
/// ```
/// use durable::protocol::{ExecutionId, ExecutionStarted, Json};
///
/// let started = ExecutionStarted::new("order", None, Json::null(), ExecutionId::from_u128(1));
/// assert_eq!((started.generation, started.parent), (0, None));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionStarted {
    /// Name of the orchestration.
    pub name: String,
    /// Version of the orchestration.
    pub version: Option<String>,
    /// Input of the orchestration.
    pub input: Json,
    /// The id of this execution.
    pub execution_id: ExecutionId,
    /// Hash of the orchestrator's code when the execution began.
    #[serde(default)]
    pub code_hash: Option<u64>,
    /// The call that waits for the result, if the instance is a sub-orchestration.
    #[serde(default)]
    pub parent: Option<ParentInstance>,
    /// When the execution is to begin, if its start is delayed.
    #[serde(default)]
    pub scheduled_start: Option<Timestamp>,
    /// The tags of the instance.
    #[serde(default)]
    pub tags: Tags,
    /// The trace that the execution belongs to.
    #[serde(default)]
    pub trace_context: Option<TraceContext>,
    /// The hub's settings for orchestrators, as they were at the start.
    #[serde(default)]
    pub properties: Tags,
    /// The number of this execution of the instance: 0 at first, and one more with each
    /// continue-as-new.
    #[serde(default)]
    pub generation: u64,
    /// Which replay rules the execution follows: the [`REPLAY_VERSION`] of the release that started
    /// it.
    ///
    /// An execution follows the rules with which it began, so a later release replays it as the
    /// release that started it did. 0 if the execution was started before 0.2.
    #[serde(default)]
    pub replay_version: u8,
    /// The hub's limits when the execution began. They apply until it ends, so a replay refuses
    /// exactly what was refused before. `None` if the execution was started before 0.2.
    #[serde(default)]
    pub limits: Option<ExecutionLimits>,
}

/// Limits on the requests and values of an execution.
///
/// ```
/// use durable::protocol::{EventKind, HistoryEvent};
///
/// /// The longest payload in bytes that a recorded execution accepted.
/// fn max_payload(first: &HistoryEvent) -> Option<u64> {
///     let EventKind::ExecutionStarted(started) = &first.kind else { return None };
///     started.limits.map(|limits| limits.payload)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExecutionLimits {
    /// The most bytes of a value, as JSON:
    /// [`max_payload`](crate::client::TaskHubBuilder::max_payload).
    pub payload: u64,
    /// The most bytes of a custom status, as JSON:
    /// [`max_custom_status`](crate::client::TaskHubBuilder::max_custom_status).
    pub custom_status: u64,
    /// The most requests: [`max_actions`](crate::client::TaskHubBuilder::max_actions).
    pub actions: u32,
    /// The most unread events:
    /// [`max_unread_events`](crate::client::TaskHubBuilder::max_unread_events).
    pub unread_events: u64,
}

/// The replay rules of executions that this release starts.
///
/// * 0: release 0.1.
/// * 1: release 0.2. After a continue-as-new, [`new_guid`] is derived from the execution id. A
///   dropped wait for an external event passes its event to the next wait of that name, which
///   passes on its own, so events stay in order; a wait that gets an event this way completes
///   immediately, not at the next event. An output that cannot be read again is a failure, and so
///   is an event or a custom status that is nested too deeply to be read. The text of a failure
///   repeats at most 1 KiB of the failure below. Calls with options that have no effect are refused
///   where they are awaited, started by `ctx.start` or given to `continue_as_new`; an execution
///   that release 0.1 started still ignores such options. Events that are sent and instances that
///   are started count towards [`max_actions`](crate::client::TaskHubBuilder::max_actions), and the
///   output of one episode is bounded. An [`Error`](crate::Error) that an orchestrator creates has
///   the public path of its type as [`error_type`](crate::protocol::FailureDetails::error_type)
///   (`durable::TaskFailed<..>`, not `durable::error::TaskFailed<..>`), and one created from
///   [`FailureDetails`](crate::protocol::FailureDetails) is recorded as those details, not as a
///   failure caused by them. The `source()` of a failure skips causes that its text repeats. A
///   replay also compares the target of a request: the entity of a call or signal, the recipient of
///   an event, the explicit instance id of a sub-orchestration. An event that was encoded twice is
///   decoded twice if it cannot be read otherwise.
///
/// [`new_guid`]: crate::OrchestrationContext::new_guid
pub const REPLAY_VERSION: u8 = 1;

impl ExecutionStarted {
    /// Creates a start event with the required fields only.
    pub fn new(
        name: impl Into<String>,
        version: Option<String>,
        input: Json,
        execution_id: ExecutionId,
    ) -> Self {
        Self {
            name: name.into(),
            version,
            input,
            execution_id,
            code_hash: None,
            parent: None,
            scheduled_start: None,
            tags: Tags::new(),
            trace_context: None,
            properties: Tags::new(),
            generation: 0,
            replay_version: REPLAY_VERSION,
            limits: None,
        }
    }
}
