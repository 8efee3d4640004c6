//! An execution: an orchestrator's future and its position in its history.
//!
//! | state       | event                                         | next state               |
//! |-------------|-----------------------------------------------|--------------------------|
//! | `Fresh`     | its start                                     | `Running`                |
//! | `Fresh`     | its start, at a later time                    | `Scheduled`              |
//! | `Scheduled` | that time has come                            | `Running`                |
//! | `Running`   | the orchestrator ends or continues as new     | `Ended(..)`              |
//! | `Running`   | a replay reads that it was terminated         | `Ended(Ending::Recorded)`|
//! | `Ended`     | the end is replayed, or returned in an episode| `Ended(Ending::Recorded)`|
//! | any         | a mismatch, or an await that is not durable   | `Parked`                 |
//!
//! Read next: `step.rs` (how one event is delivered), `replay.rs` (recorded events), `live.rs` (new
//! events).

use std::collections::VecDeque;
use std::rc::Rc;

use super::action::{AttemptId, FailedAttempt};
use super::backlog::Backlog;
use super::identity::Identity;
use super::nondeterminism::{self, Mode, Subject};
use super::open::{Open, OpenTasks};
use super::translate::Requester;
use crate::definition::{Entry, OrchestratorFuture};
use crate::orchestration::UnreadEvent;
use crate::orchestration::scope::{CustomStatus, NextExecution, Scope, TaskResult};
use crate::panics;
use crate::protocol::{ExecutionStarted, FailureDetails, Suspension, Timestamp};
use crate::quiet::quietly;
use crate::registry::{Registry, Runner};

/// An execution in memory, between two events.
pub(crate) struct Execution {
    pub(super) entry: Entry,
    pub(super) runner: Runner,
    pub(super) scope: Rc<Scope>,
    pub(super) state: State,
    pub(super) mode: Mode,
    pub(super) open: OpenTasks,
    /// Number of delivered events.
    pub(super) position: usize,
    /// While a rewound history is replayed, the position of its first failure.
    pub(super) rewound_from: Option<usize>,
    /// Total size in bytes of the values handed to the orchestrator, which may still hold all of
    /// them.
    pub(super) given: usize,
    pub(super) backlog: Backlog,
    /// External events that earlier executions left unread and that are not delivered yet.
    pub(super) inherited: VecDeque<UnreadEvent>,
    pub(super) failed_attempts: Vec<FailedAttempt>,
}

/// The state of an execution; the table above has the transitions.
pub(super) enum State {
    /// No event was delivered yet.
    Fresh,
    /// It was started with a later start time, which has not come.
    Scheduled(Requester),
    /// Its orchestrator is waiting.
    Running(Requester, OrchestratorFuture),
    /// Its orchestrator has ended.
    Ended(Requester, Ending),
    /// It cannot continue with the present code.
    Parked(Suspension),
}

/// How an orchestrator has ended.
pub(super) enum Ending {
    /// It has returned, failed or panicked; the end is not recorded yet.
    Unrecorded(TaskResult),
    /// It has continued as new; the end is not recorded yet.
    ContinuedAsNew(NextExecution),
    /// Its end is in the history or in an episode.
    Recorded,
}

impl Ending {
    /// The ending of an orchestrator whose destructor panicked, which fails the instance.
    /// Each replay repeats the panic, because the orchestrator holds the same values.
    pub(super) fn or_panic(self, panic: FailureDetails) -> Self {
        match self {
            Self::Unrecorded(Err(failure)) => Self::Unrecorded(Err(failure)),
            Self::Unrecorded(Ok(_)) | Self::ContinuedAsNew(_) | Self::Recorded => {
                Self::Unrecorded(Err(panic))
            }
        }
    }
}

impl Execution {
    /// A fresh execution.
    pub(crate) fn new(registry: &Registry, identity: Identity<'_>) -> Result<Self, Suspension> {
        let Identity { name, version, instance_id, execution_id, created_at, limits } = identity;
        let found = registry.orchestrator_for(name, version);
        let found = found.and_then(|entry| Some((*entry, registry.runner(entry)?)));
        let (entry, runner) = found.ok_or_else(|| {
            let registered = registry.orchestrator_names();
            nondeterminism::not_registered(name, version, instance_id, &registered)
        })?;
        Ok(Self {
            entry,
            runner,
            scope: Rc::new(Scope::new(instance_id.clone(), execution_id, created_at, limits)),
            state: State::Fresh,
            mode: Mode::Normal,
            open: OpenTasks::default(),
            position: 0,
            rewound_from: None,
            given: 0,
            backlog: Backlog::default(),
            inherited: VecDeque::new(),
            failed_attempts: Vec::new(),
        })
    }

    /// The identity under which it makes requests, once it is started.
    pub(super) fn requester(&self) -> Option<&Requester> {
        match &self.state {
            State::Scheduled(requester)
            | State::Running(requester, _)
            | State::Ended(requester, _) => Some(requester),
            State::Fresh | State::Parked(_) => None,
        }
    }

    /// Its start event, once it is started.
    pub(crate) fn started(&self) -> Option<&ExecutionStarted> {
        self.requester().map(|requester| &*requester.started)
    }

    /// Whether its orchestrator was called. If the start is delayed, that happens at the start
    /// time.
    pub(crate) fn has_begun(&self) -> bool {
        match self.state {
            State::Fresh | State::Scheduled(_) => false,
            State::Running(..) | State::Ended(..) | State::Parked(_) => true,
        }
    }

    /// How its orchestrator ended, once it has ended.
    pub(super) fn ending(&self) -> Option<&Ending> {
        match &self.state {
            State::Ended(_, ending) => Some(ending),
            State::Fresh | State::Scheduled(_) | State::Running(..) | State::Parked(_) => None,
        }
    }

    /// The time at which it has to run even if no event arrives.
    pub(crate) fn next_due(&self) -> Option<Timestamp> {
        self.open.next_due()
    }

    pub(crate) fn has_running_activities(&self) -> bool {
        self.open.has_running_activities()
    }

    /// The running or next attempt of a task.
    pub(crate) fn attempt(&self, task: i32) -> Option<AttemptId> {
        self.open.get(task).map(Open::attempt)
    }

    /// Approximate memory use in bytes. It includes every value handed to the orchestrator, because
    /// the engine cannot know which of them it keeps.
    pub(crate) fn bytes(&self) -> usize {
        let future = match &self.state {
            State::Running(_, future) => size_of_val(&**future),
            State::Fresh | State::Scheduled(_) | State::Ended(..) | State::Parked(_) => 0,
        };
        size_of::<Self>() + size_of::<Scope>() + future + self.given + self.open.bytes()
    }

    /// Its change of the instance's custom status.
    pub(crate) fn custom_status(&self) -> CustomStatus {
        self.scope.custom_status()
    }

    /// Parks the execution: no more events are delivered, and every later
    /// [`run`](Self::run) reports this suspension again.
    pub(super) fn park(&mut self, suspension: Suspension) {
        let before = std::mem::replace(&mut self.state, State::Parked(suspension));
        if let State::Running(_, future) = before {
            self.discard(future);
        }
    }

    /// Ends the execution in any state, because its history says that it ended.
    pub(super) fn end_as_recorded(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Fresh) {
            State::Scheduled(requester) | State::Ended(requester, _) => {
                State::Ended(requester, Ending::Recorded)
            }
            State::Running(requester, future) => {
                self.discard(future);
                // What its destructors requested is in no history.
                drop(self.scope.record_all());
                State::Ended(requester, Ending::Recorded)
            }
            State::Fresh => State::Fresh,
            State::Parked(suspension) => State::Parked(suspension),
        };
    }

    /// Drops a future outside its scope, so that none of its open tasks is cancelled.
    ///
    /// This runs the user's destructors. A panic in them is caught and logged. Their own log lines
    /// are suppressed, because an eviction from memory is not an event of the instance.
    fn discard(&self, future: OrchestratorFuture) {
        if let Err(panic) = panics::catch(|| quietly(|| drop(future))) {
            tell!(warn, instance = %self.scope.instance_id, "dropping an orchestrator {panic}");
        }
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            name: self.entry.name,
            version: self.entry.version,
            instance_id: &self.scope.instance_id,
            recorded_hash: self.started().and_then(|started| started.code_hash),
            present_hash: self.entry.code_hash,
            mode: self.mode,
            shows_ids: self.mode == Mode::Strict,
        }
    }
}

impl Drop for Execution {
    fn drop(&mut self) {
        if let State::Running(_, future) = std::mem::replace(&mut self.state, State::Fresh) {
            self.discard(future);
        }
    }
}
