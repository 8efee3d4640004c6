//! Reports of mismatches: why an instance cannot continue with the present code.
//!
//! Each report has a code with a page in `docs/errors`. The instance is suspended, not failed: it
//! keeps its history and continues once a hub is opened with code that fits.

use std::borrow::Cow;

use crate::definition::display_name;
use crate::orchestration::request::{Ask, FunctionCall, OperationRequest, Request};
use crate::protocol::{EntityId, EventKind, HistoryEvent, InstanceId, Json, Suspension};

/// The maximum length of a report in bytes. Every record of the instance contains the report.
const REPORT_MAX: usize = 4096;
/// The maximum number of bytes of a value that a report shows.
const VALUE_MAX: usize = 1024;

pub(crate) const KEPT: &str =
    "the instance is suspended and keeps its history; it resumes when the code fits again";

/// The orchestrator's behavior differs from its history.
pub(super) struct Mismatch<'a> {
    pub(super) position: usize,
    pub(super) recorded: &'a HistoryEvent,
    pub(super) actual: Actual<'a>,
}

/// What the orchestrator does in this replay.
pub(super) enum Actual<'a> {
    Request(&'a Request),
    Nothing,
    /// Has the result if results are compared.
    Returned(Option<&'a Json>),
    Failed(&'a str),
    ContinuedAsNew,
}

/// How closely a replay is compared with the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Requests must match the recorded ones, but their inputs may differ.
    Normal,
    /// Inputs and results must match too, because the same code runs twice.
    Strict,
}

/// How much of a request is compared with its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Compared {
    /// Kind and name; for a lock, also the entities, because the unlock names them too.
    Names,
    /// Also the target: the entity, the sub-orchestration, the recipient of an event.
    Targets,
    /// Also inputs and times, because the same code runs twice.
    Everything,
}

/// Whether a request matches the event that records it.
pub(super) fn fits(request: &Request, recorded: &EventKind, compared: Compared) -> bool {
    let strict = compared == Compared::Everything;
    let any_target = compared < Compared::Targets;
    let same = |call: &FunctionCall, name: &str, input: &Json| {
        call.name == name && (!strict || call.input == *input)
    };
    let same_operation =
        |asked: &OperationRequest, entity_id: &EntityId, operation: &str, input: &Json| {
            asked.operation == operation
                && (any_target || asked.entity_id == *entity_id)
                && (!strict || asked.input == *input)
        };
    // Each kind of request has one arm; events of any other kind do not match it.
    match &request.ask {
        Ask::Activity(call) => matches!(
            recorded,
            EventKind::TaskScheduled { name, input, .. } if same(call, name, input)
        ),
        Ask::SubOrchestration { call, instance_id: given, child } => matches!(
            recorded,
            EventKind::SubOrchestrationInstanceCreated { name, input, instance_id, detached, .. }
                if same(call, name, input)
                    && child.detached == *detached
                    && (any_target || given.as_ref().is_none_or(|given| given == instance_id))
        ),
        Ask::Timer { fire_at: actual, .. } => matches!(
            recorded,
            EventKind::TimerCreated { fire_at, .. } if !strict || actual == fire_at
        ),
        Ask::SendEvent { instance_id: to, name: actual, input: payload } => matches!(
            recorded,
            EventKind::EventSent { instance_id, name, input, .. }
                if actual == name
                    && (any_target || to == instance_id)
                    && (!strict || payload == input)
        ),
        Ask::CallEntity { asked, .. } => matches!(
            recorded,
            EventKind::EntityOperationCalled { entity_id, operation, input, .. }
                if same_operation(asked, entity_id, operation, input)
        ),
        Ask::SignalEntity { asked, .. } => matches!(
            recorded,
            EventKind::EntityOperationSignaled { entity_id, operation, input, .. }
                if same_operation(asked, entity_id, operation, input)
        ),
        Ask::LockEntities(actual) => matches!(
            recorded,
            EventKind::EntityLockRequested { lock_set, .. } if actual == lock_set
        ),
        Ask::UnlockEntities { lock, .. } => matches!(
            recorded,
            EventKind::EntityUnlockSent { task_scheduled_id, .. } if lock == task_scheduled_id
        ),
    }
}

/// The instance that a report is about, and whether its code was changed.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) instance_id: &'a InstanceId,
    pub(super) recorded_hash: Option<u64>,
    pub(super) present_hash: u64,
    pub(super) mode: Mode,
    /// Whether the ids of sub-orchestrations are shown.
    pub(super) shows_ids: bool,
}

impl Subject<'_> {
    fn is_strict(&self) -> bool {
        self.mode == Mode::Strict
    }

    fn describe(&self) -> String {
        let name = display_name(self.name, self.version);
        format!("orchestration {name} (instance `{}`)", self.instance_id)
    }

    fn cause(&self) -> &'static str {
        match self.recorded_hash {
            _ if self.is_strict() => {
                "it was run twice on the same events and behaved differently, so it, or something \
                 that it calls, is not deterministic: a clock, a random number, the order of a \
                 `HashMap`, shared state"
            }
            Some(hash) if hash == self.present_hash => {
                "the orchestrator's source is the same as when the instance was started, so a \
                 `cfg` or something that it calls was changed, or it is not deterministic"
            }
            Some(_) => "the orchestrator's code was changed while this instance was running",
            None => {
                "the orchestrator was changed while this instance was running, or its code is \
                 not deterministic"
            }
        }
    }

    fn suspend(&self, code: &str, report: &str) -> Suspension {
        let reason = format!("{code}: {} {}\n{KEPT}", self.describe(), shortened(report));
        Suspension { code: Some(code.to_owned()), reason }
    }

    /// DURABLE0101 or DURABLE0104: a request or an end that does not match its record.
    pub(super) fn mismatch(&self, mismatch: &Mismatch<'_>) -> Suspension {
        let position = format!("{} recorded", mismatch.position);
        let fits = |compared| match mismatch.actual {
            Actual::Request(request) => fits(request, &mismatch.recorded.kind, compared),
            Actual::Nothing | Actual::Returned(_) | Actual::Failed(_) | Actual::ContinuedAsNew => {
                false
            }
        };
        let differs_in_target = fits(Compared::Names);
        // After a rewind. No input is shown, because clients and logs get the report.
        let differs_in_input = !self.is_strict() && fits(Compared::Targets);
        let input = if differs_in_input { ", with another input" } else { "" };
        let described = Self { shows_ids: self.shows_ids || differs_in_target, ..*self };
        let recorded = described.describe_event(&mismatch.recorded.kind);
        let (wanted, source) = described.describe_actual(&mismatch.actual);
        let source = source.map(|at| format!("\n  requested at         {at}")).unwrap_or_default();
        let report = format!(
            "{}\n  event {position:<14} {recorded}\n  this \
             replay          {wanted}{input}{source}\n{}",
            self.verdict(),
            self.cause()
        );
        self.suspend(self.code(), &report)
    }

    /// DURABLE0104: a request beyond the end of the history.
    pub(super) fn extra_request(&self, request: &Request) -> Suspension {
        let (wanted, source) = self.describe_actual(&Actual::Request(request));
        let report = format!(
            "{}\n  at the end           nothing more was recorded\n  this replay          {wanted}\n  \
             requested at         {}\n{}",
            self.verdict(),
            source.unwrap_or_default(),
            self.cause()
        );
        self.suspend(self.code(), &report)
    }

    fn code(&self) -> &'static str {
        if self.is_strict() { "DURABLE0104" } else { "DURABLE0101" }
    }

    fn verdict(&self) -> &'static str {
        if self.is_strict() {
            "behaves differently when it is replayed"
        } else {
            "no longer does what its history recorded"
        }
    }

    /// DURABLE0101: a stored value that its type can no longer read.
    pub(super) fn unreadable(&self, what: &str) -> Suspension {
        let report = format!("cannot read its history\n  {what}\n{}", self.cause());
        self.suspend("DURABLE0101", &report)
    }

    /// DURABLE0102: something was awaited that is not durable.
    pub(super) fn foreign_await(&self, place: &str) -> Suspension {
        let report = format!(
            "awaited something that is not durable\n  {place}\nits result would not be recorded, \
             so a replay would go another way, or hang; wait with `ctx.create_timer(..)` or \
             `ctx.wait_for_external_event(..)`, and do I/O in an `#[activity]`"
        );
        self.suspend("DURABLE0102", &report)
    }
}

/// How events and requests are described.
impl Subject<'_> {
    fn describe_event(&self, kind: &EventKind) -> String {
        let (text, source) = match kind {
            EventKind::TaskScheduled { name, version, source, input, .. } => {
                let name = display_name(name, version.as_deref());
                (format!("activity {name}{}", self.with(Some(input))), source)
            }
            EventKind::SubOrchestrationInstanceCreated {
                name,
                version,
                source,
                input,
                instance_id,
                detached,
                ..
            } => {
                let name = display_name(name, version.as_deref());
                let with = self.with(Some(input));
                let child = self.child(Some(instance_id), *detached);
                (format!("orchestration {name}{with}{child}"), source)
            }
            EventKind::TimerCreated { fire_at, source } => {
                (format!("a timer due {fire_at}"), source)
            }
            EventKind::EventSent { instance_id, name, input, source } => {
                (format!("event `{name}` to `{instance_id}`{}", self.with(Some(input))), source)
            }
            EventKind::EntityOperationCalled { entity_id, operation, source, .. } => {
                (format!("a call of `{operation}` of entity `{entity_id}`"), source)
            }
            EventKind::EntityOperationSignaled { entity_id, operation, source, .. } => {
                (format!("a signal `{operation}` to entity `{entity_id}`"), source)
            }
            EventKind::EntityLockRequested { lock_set, source } => {
                (format!("a critical section with {}", list(lock_set)), source)
            }
            EventKind::EntityUnlockSent { lock_set, .. } => {
                (format!("the end of a critical section with {}", list(lock_set)), &None)
            }
            EventKind::ExecutionCompleted { status, result, .. } => {
                (format!("its end, as {status}{}", self.with(result.as_ref())), &None)
            }
            // These events are never compared with a request.
            EventKind::ExecutionStarted(_)
            | EventKind::ExecutionTerminated { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::ExecutionRewound { .. }
            | EventKind::TaskCompleted { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::TaskAttemptFailed { .. }
            | EventKind::SubOrchestrationInstanceCompleted { .. }
            | EventKind::SubOrchestrationInstanceFailed { .. }
            | EventKind::TimerFired { .. }
            | EventKind::EventRaised { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::EntityOperationCompleted { .. }
            | EventKind::EntityOperationFailed { .. }
            | EventKind::EntityLockGranted { .. }
            | EventKind::EntityState(_)
            | EventKind::OrchestratorStarted
            | EventKind::OrchestratorCompleted => (kind.type_name().to_owned(), &None),
        };
        match source {
            Some(at) => format!("{text}, requested at {at}"),
            None => text,
        }
    }

    fn describe_actual(&self, actual: &Actual<'_>) -> (String, Option<String>) {
        match actual {
            Actual::Request(request) => {
                (format!("requests {}", self.describe_request(request)), Some(request.source()))
            }
            Actual::Nothing => ("requests nothing more and waits".to_owned(), None),
            Actual::Returned(result) => (format!("has returned{}", self.with(*result)), None),
            Actual::Failed(message) => (format!("has failed: {message}"), None),
            Actual::ContinuedAsNew => ("continues as new".to_owned(), None),
        }
    }

    fn describe_request(&self, request: &Request) -> String {
        let called = |kind: &str, call: &FunctionCall| {
            let name = display_name(&call.name, call.version.as_deref());
            format!("{kind} {name}{}", self.with(Some(&call.input)))
        };
        match &request.ask {
            Ask::Activity(call) => called("activity", call),
            Ask::SubOrchestration { call, instance_id, child } => {
                let called = called("orchestration", call);
                format!("{called}{}", self.child(instance_id.as_ref(), child.detached))
            }
            Ask::Timer { fire_at, .. } => format!("a timer due {fire_at}"),
            Ask::SendEvent { instance_id, name, input } => {
                format!("event `{name}` to `{instance_id}`{}", self.with(Some(input)))
            }
            Ask::CallEntity { asked: OperationRequest { entity_id, operation, input }, .. } => {
                let with = self.with(Some(input));
                format!("a call of `{operation}` of entity `{entity_id}`{with}")
            }
            Ask::SignalEntity {
                asked: OperationRequest { entity_id, operation, input }, ..
            } => {
                let with = self.with(Some(input));
                format!("a signal `{operation}` to entity `{entity_id}`{with}")
            }
            Ask::LockEntities(lock_set) => {
                format!("a critical section with {}", list(lock_set))
            }
            Ask::UnlockEntities { lock_set, .. } => {
                format!("the end of a critical section with {}", list(lock_set))
            }
        }
    }

    /// Further compared properties of a child: its id where ids are shown, and whether it is
    /// detached.
    fn child(&self, instance_id: Option<&InstanceId>, detached: bool) -> String {
        let id = instance_id.filter(|_| self.shows_ids);
        let id = id.map(|id| format!(" as `{id}`")).unwrap_or_default();
        format!("{id}{}", if detached { ", detached" } else { "" })
    }

    /// A value, if values are compared.
    fn with(&self, value: Option<&Json>) -> String {
        let value = value.filter(|_| self.is_strict()).map(Json::as_str);
        value.map(|it| format!(" with {}", shortened_to(it, VALUE_MAX))).unwrap_or_default()
    }
}

/// DURABLE0103: no code is registered for the instance.
pub(super) fn not_registered(
    name: &str,
    version: Option<&str>,
    instance_id: &InstanceId,
    registered: &str,
) -> Suspension {
    let name = display_name(name, version);
    let reason = format!(
        "DURABLE0103: orchestration {name} (instance `{instance_id}`) is not registered\n  \
         registered           {registered}\na crate that is never named in code is not linked, and \
         what it annotates not registered: write `use that_crate as _;`, or register it with \
         `TaskHub::builder().register::<..>()`; a version that was taken out of the code has to stay \
         until its instances have ended, unless `TaskHub::builder().version_match(..)` lets a newer \
         one go on\n{KEPT}",
        registered = shortened(registered)
    );
    Suspension { code: Some("DURABLE0103".to_owned()), reason }
}

fn list(entities: &[EntityId]) -> String {
    let ids: Vec<_> = entities.iter().map(|id| format!("`{id}`")).collect();
    ids.join(", ")
}

fn shortened(report: &str) -> Cow<'_, str> {
    shortened_to(report, REPORT_MAX)
}

fn shortened_to(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return text.into();
    }
    format!("{}... ({} bytes)", &text[..text.floor_char_boundary(max)], text.len()).into()
}
