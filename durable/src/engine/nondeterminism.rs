//! What is said when an instance cannot go on with the code that is there.
//!
//! Each report has a code with a page in `docs/errors`. The instance is suspended, not failed: it
//! keeps its history and goes on when a hub is opened with code that fits.

use std::borrow::Cow;

use crate::orchestration::scope::Request;
use crate::protocol::{EventKind, HistoryEvent, InstanceId, Json, Suspension};
use crate::registry::display_name;

/// How long a report may be, in bytes: it is written with every record of the instance.
const REPORT_MAX: usize = 4096;

const KEPT: &str =
    "the instance is suspended and keeps its history; it goes on when the code fits again";

/// The orchestrator no longer does what its history recorded.
pub(super) struct Mismatch<'a> {
    pub(super) position: usize,
    pub(super) recorded: &'a HistoryEvent,
    pub(super) wanted: Wanted<'a>,
}

/// What the orchestrator did where the history says something else.
pub(super) enum Wanted<'a> {
    Activity(&'a Request),
    Nothing,
    /// With what, where that matters.
    Returned(Option<&'a Json>),
    Failed(&'a str),
}

/// Whose report it is, and whether its code is what it was.
pub(super) struct Subject<'a> {
    pub(super) name: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) instance_id: &'a InstanceId,
    pub(super) recorded_hash: Option<u64>,
    pub(super) present_hash: u64,
    /// Whether it is the same code, run twice, that is compared.
    pub(super) strict: bool,
}

impl Subject<'_> {
    fn describe(&self) -> String {
        let name = display_name(self.name, self.version);
        format!("orchestration {name} (instance `{}`)", self.instance_id)
    }

    fn cause(&self) -> &'static str {
        match self.recorded_hash {
            _ if self.strict => {
                "it was run twice on the same events and did two things, so it, or something that \
                 it calls, is not deterministic: a clock, a random number, the order of a \
                 `HashMap`, shared state"
            }
            Some(hash) if hash == self.present_hash => {
                "the orchestrator's code is the same as when the instance was started, so \
                 something that it calls was changed or is not deterministic"
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
        Suspension { code: code.to_owned(), reason }
    }

    /// DURABLE0101 for a request that does not meet its recording.
    pub(super) fn mismatch(&self, mismatch: &Mismatch<'_>) -> Suspension {
        let position = format!("{} recorded", mismatch.position);
        let recorded = self.describe_event(&mismatch.recorded.kind);
        let (wanted, source) = self.describe_wanted(&mismatch.wanted);
        let source = source.map(|at| format!("\n  asked for at         {at}")).unwrap_or_default();
        let report = format!(
            "{}\n  event {position:<14} {recorded}\n  this \
             replay          {wanted}{source}\n{}",
            self.verdict(),
            self.cause()
        );
        self.suspend(self.code(), &report)
    }

    /// DURABLE0104 for a request that was not made the first time.
    pub(super) fn goes_on(&self, request: &Request) -> Suspension {
        let (wanted, source) = self.describe_wanted(&Wanted::Activity(request));
        let report = format!(
            "{}\n  at the end           nothing more was recorded\n  this replay          {wanted}\n  \
             asked for at         {}\n{}",
            self.verdict(),
            source.unwrap_or_default(),
            self.cause()
        );
        self.suspend(self.code(), &report)
    }

    fn code(&self) -> &'static str {
        if self.strict { "DURABLE0104" } else { "DURABLE0101" }
    }

    fn verdict(&self) -> &'static str {
        if self.strict {
            "does not do the same twice"
        } else {
            "no longer does what its history recorded"
        }
    }

    /// DURABLE0101 for a stored value that no longer fits the type that reads it.
    pub(super) fn unreadable(&self, what: &str) -> Suspension {
        let report = format!("cannot read its history\n  {what}\n{}", self.cause());
        self.suspend("DURABLE0101", &report)
    }

    /// DURABLE0102: something was awaited that is not durable.
    pub(super) fn foreign_await(&self, place: &str) -> Suspension {
        let report = format!(
            "awaited something that is not durable\n  {place}\nits result would not be recorded, \
             so a replay would go another way, or hang; do I/O, sleeping, locking and channels in \
             an `#[activity]` and await that"
        );
        self.suspend("DURABLE0102", &report)
    }
}

/// How events and requests are described.
impl Subject<'_> {
    fn describe_event(&self, kind: &EventKind) -> String {
        match kind {
            EventKind::TaskScheduled { name, version, source, input } => {
                let name = display_name(name, version.as_deref());
                let source = source.as_ref().map(|at| format!(", asked for at {at}"));
                format!("activity {name}{}{}", self.with(Some(input)), source.unwrap_or_default())
            }
            EventKind::ExecutionCompleted { status, result, .. } => {
                format!("its end, as {status}{}", self.with(result.as_ref()))
            }
            EventKind::ExecutionStarted { .. }
            | EventKind::ExecutionSuspended { .. }
            | EventKind::ExecutionResumed { .. }
            | EventKind::TaskCompleted { .. }
            | EventKind::TaskFailed { .. }
            | EventKind::GenericEvent { .. }
            | EventKind::OrchestratorStarted
            | EventKind::OrchestratorCompleted => kind.type_name().to_owned(),
        }
    }

    fn describe_wanted<'a>(&self, wanted: &Wanted<'a>) -> (String, Option<&'a str>) {
        match wanted {
            Wanted::Activity(request) => {
                let name = display_name(request.name, request.version);
                let input = self.with(Some(&request.input));
                (format!("wants activity {name}{input}"), Some(&request.source))
            }
            Wanted::Nothing => ("wants nothing more and waits".to_owned(), None),
            Wanted::Returned(result) => (format!("has returned{}", self.with(*result)), None),
            Wanted::Failed(message) => (format!("has failed: {message}"), None),
        }
    }

    /// A value, where values are compared.
    fn with(&self, value: Option<&Json>) -> String {
        match value {
            Some(value) if self.strict => format!(" with {value}"),
            _ => String::new(),
        }
    }
}

/// DURABLE0103: the code is not there at all.
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
         `TaskHub::builder().register::<..>()`\n{KEPT}",
        registered = shortened(registered)
    );
    Suspension { code: "DURABLE0103".to_owned(), reason }
}

fn shortened(report: &str) -> Cow<'_, str> {
    if report.len() <= REPORT_MAX {
        return report.into();
    }
    format!("{}... ({} bytes)", &report[..report.floor_char_boundary(REPORT_MAX)], report.len())
        .into()
}
