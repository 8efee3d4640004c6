//! The log lines about instances and about the hub itself.
//!
//! Rules:
//! 1. A line about an instance is an effect of a write: it is logged once, when the reported change
//!    is durable. Replays, evictions and reopening do not log it again.
//! 2. No line contains an input, an output or another value. Error texts are logged; their author
//!    decides what they contain.
//! 3. An episode without a failure logs nothing.
//!
//! `docs/observability.md` lists the lines and their fields.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::path;
#[cfg(feature = "sled")]
use std::path::PathBuf;

use tracing::field::display;

use super::event::LifecycleKind;
use crate::engine::FailedAttempt;
use crate::hub::shutdown::ShutdownReport;
use crate::panics;
use crate::protocol::{EventKind, HistoryEvent, InstanceId, InstanceRecord, Suspension, Timestamp};
use crate::registry::Registry;
use crate::store::{InstanceFilter, Store};

/// The maximum number of bytes of an error text or reason in a line.
const TEXT_MAX: usize = 1024;
/// The maximum number of instances read at opening to count the unfinished ones.
const COUNTED_MAX: usize = 10_000;
const PAGE: usize = 1000;

/// A log line about an instance.
#[derive(Debug)]
pub(crate) struct Line {
    instance_id: InstanceId,
    /// Name of its orchestration, or of the called function.
    name: Cow<'static, str>,
    /// The reason.
    text: String,
    what: What,
}

#[derive(Debug)]
enum What {
    AttemptFailed {
        task: i32,
        attempt: u32,
        next_attempt_at: Timestamp,
    },
    Failed,
    /// Has the code of the report; `None` if a client suspended it.
    Suspended(Option<String>),
    Resumed,
}

impl Line {
    fn new(record: &InstanceRecord, text: &str, what: What) -> Self {
        let name = Cow::Owned(record.name.clone());
        Self { instance_id: record.instance_id.clone(), name, text: logged(text), what }
    }

    /// The lines for the failed attempts that the events of a write record.
    pub(crate) fn of_attempts(
        record: &InstanceRecord,
        failed: Vec<FailedAttempt>,
        events: &[HistoryEvent],
    ) -> impl Iterator<Item = Self> {
        failed.into_iter().filter_map(|FailedAttempt { task: failed, attempt: number, name }| {
            let what = |event: &HistoryEvent| match &event.kind {
                EventKind::TaskAttemptFailed {
                    task_scheduled_id,
                    attempt,
                    failure,
                    retry_at,
                    ..
                } if (*task_scheduled_id, *attempt) == (failed, number) => {
                    let (task, attempt, next_attempt_at) = (failed, number, *retry_at);
                    let what = What::AttemptFailed { task, attempt, next_attempt_at };
                    Some(Self::new(record, &failure.message, what))
                }
                _ => None,
            };
            let line = events.iter().rev().find_map(what)?;
            Some(Self { name, ..line })
        })
    }

    /// Whether a change of this kind is logged here. A suspension is logged by
    /// [`of_suspension`](Self::of_suspension), because its report may change while it lasts.
    pub(crate) fn is_of(kind: LifecycleKind) -> bool {
        matches!(kind, LifecycleKind::Failed | LifecycleKind::Resumed)
    }

    /// The line of a change, if it is logged.
    pub(crate) fn of_change(
        kind: LifecycleKind,
        record: &InstanceRecord,
        reason: Option<&str>,
    ) -> Option<Self> {
        let what = match kind {
            LifecycleKind::Failed => What::Failed,
            LifecycleKind::Resumed => What::Resumed,
            _ => return None,
        };
        Some(Self::new(record, reason.unwrap_or_default(), what))
    }

    /// The line of a write that suspends an instance, or changes the reason for its suspension. A
    /// write that only records what arrived for a suspended instance has none.
    pub(crate) fn of_suspension(record: &InstanceRecord, events: &[HistoryEvent]) -> Option<Self> {
        let suspension = record.suspension.as_ref()?;
        let is_new =
            |event: &HistoryEvent| matches!(event.kind, EventKind::ExecutionSuspended { .. });
        events.iter().any(is_new).then(|| {
            let Suspension { code, reason } = suspension;
            let what = What::Suspended(code.clone());
            Self::new(record, without_values(suspension, reason), what)
        })
    }

    /// Logs the line, because the reported change is durable.
    pub(crate) fn tell(self) {
        let Self { instance_id: instance, name, text, what } = self;
        match what {
            What::AttemptFailed { task, attempt, next_attempt_at } => tell!(
                warn,
                %instance,
                name = &*name,
                task_id = task,
                attempt,
                error = text,
                %next_attempt_at,
                "an attempt failed and will be retried"
            ),
            What::Failed => {
                tell!(warn, %instance, name = &*name, error = text, "the instance has failed");
            }
            What::Suspended(Some(code)) => {
                tell!(error, %instance, name = &*name, code, "the instance is suspended; {text}");
            }
            What::Suspended(None) => {
                tell!(info, %instance, name = &*name, reason = text, "a client suspended the instance");
            }
            What::Resumed => {
                tell!(info, %instance, name = &*name, reason = text, "the instance was resumed");
            }
        }
    }
}

/// The report of a suspension without values: a report of DURABLE0104 quotes the values of both
/// runs, so only its first line is logged.
fn without_values<'a>(suspension: &Suspension, report: &'a str) -> &'a str {
    match suspension.code.as_deref() {
        Some("DURABLE0104") => report.lines().next().unwrap_or_default(),
        _ => report,
    }
}

/// The text of an error or of a client as it is logged.
pub(crate) fn logged(text: &str) -> String {
    cut(&without_json(text))
}

/// The text of an error without the value that JSON of the wrong type contained: serde quotes it.
fn without_json(text: &str) -> Cow<'_, str> {
    const QUOTING: [&str; 3] = ["invalid type: ", "invalid value: ", "unknown variant "];
    let (mut kept, mut rest) = (String::new(), text);
    while let Some((at, said)) =
        QUOTING.iter().filter_map(|said| Some((rest.find(said)?, *said))).min()
    {
        let (before, quoting) = rest.split_at(at + said.len());
        kept.push_str(before);
        // The kind of value comes first: `string "x"`, "integer `5`", "map".
        let kind = quoting.find(['"', '`', ',']).unwrap_or(quoting.len());
        kept.push_str(&quoting[..kind]);
        kept.truncate(kept.trim_end().len());
        rest = &quoting[kind..];
        if let Some(quote) = rest.chars().next().filter(|first| matches!(first, '"' | '`')) {
            let mut is_escaped = true;
            let end = rest.find(|c: char| {
                let ends = c == quote && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            rest = end.map_or("", |end| &rest[end + quote.len_utf8()..]);
        }
    }
    if kept.is_empty() {
        return text.into();
    }
    kept.push_str(rest);
    kept.into()
}

fn cut(text: &str) -> String {
    if text.len() <= TEXT_MAX {
        return text.to_owned();
    }
    let kept = &text[..text.floor_char_boundary(TEXT_MAX)];
    format!("{kept}.. ({} bytes in all)", text.len())
}

/// The location of a hub: a folder, or a store of the program.
#[derive(Debug)]
pub(crate) enum Kept {
    #[cfg(feature = "sled")]
    Folder(PathBuf),
    /// The name of the store's type.
    Store(String),
}

impl Kept {
    /// The fields `path` and `store` of a line.
    fn fields(&self) -> (Option<path::Display<'_>>, Option<&str>) {
        match self {
            #[cfg(feature = "sled")]
            Self::Folder(path) => (Some(path.display()), None),
            Self::Store(name) => (None, Some(name)),
        }
    }

    /// A store of the program. Its `Debug` output begins with the name of its type;
    /// formatting stops after the name.
    pub(crate) fn in_store(store: &dyn Store) -> Self {
        struct Name(String);

        impl fmt::Write for Name {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let name = text.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                let name = name.unwrap_or_default();
                self.0.push_str(name);
                if name.len() == text.len() && self.0.len() < TEXT_MAX {
                    Ok(())
                } else {
                    Err(fmt::Error)
                }
            }
        }

        let mut name = Name(String::new());
        // The writer returns an error as soon as the name is complete.
        panics::shield(|| {
            let _ = write!(name, "{store:?}");
        });
        Self::Store(name.0)
    }
}

/// Logs that the hub is open, before it runs any work.
pub(crate) fn opened(kept: &Kept, partitions: usize, store: &dyn Store, registry: &Registry) {
    let (path, kind) = kept.fields();
    let [orchestrators, activities, entities] = registry.counts();
    // The instances are counted only if the line is logged.
    tell!(
        info,
        path = path.map(display),
        store = kind,
        partitions,
        unfinished = unfinished(store).map(display),
        orchestrators,
        activities,
        entities,
        "the task hub is open"
    );
}

/// Logs that instances are held back, because the process has ended several times while they ran.
pub(crate) fn recovering(instances: usize) {
    if instances > 0 {
        tell!(
            warn,
            instances,
            "the process has ended several times while these instances ran; they are held back and \
             run again alone or in small groups (DURABLE0105)"
        );
    }
}

/// Logs that the hub was shut down; `running` are the activities and entities that were running
/// when the shutdown began.
pub(crate) fn stopped(kept: &Kept, running: (usize, usize), report: &ShutdownReport) {
    let ((path, kind), (activities, entities)) = (kept.fields(), running);
    let path = path.map(display);
    if report.is_complete() {
        tell!(info, path, store = kind, activities, entities, "the task hub was shut down");
    } else {
        tell!(
            warn,
            path,
            store = kind,
            activities,
            entities,
            "the task hub was shut down; {report}"
        );
    }
}

/// The number of unfinished instances among the first [`COUNTED_MAX`]. `None` if the store fails;
/// the hub then fails at its next read.
fn unfinished(store: &dyn Store) -> Option<String> {
    let (mut seen, mut unfinished, mut after) = (0, 0, None);
    loop {
        let page = store.instances(&InstanceFilter::default(), after.as_ref(), PAGE).ok()?;
        let is_unfinished = |record: &&InstanceRecord| !record.runtime_status.is_finished();
        seen += page.instances.len();
        unfinished += page.instances.iter().filter(is_unfinished).count();
        after = page.next;
        if after.is_none() {
            return Some(unfinished.to_string());
        }
        if seen >= COUNTED_MAX {
            return Some(format!("at least {unfinished}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    #[test]
    fn the_text_of_a_line_is_cut() {
        assert_eq!(cut("short"), "short");
        let text = cut(&"\u{e4}".repeat(TEXT_MAX));
        assert!(text.ends_with(".. (2048 bytes in all)"), "{text}");
        assert!(text.len() < TEXT_MAX + 50);
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_logged() {
        for (text, logged) in [
            ("no connection", "no connection"),
            (
                r#"`a`: invalid type: string "4111, \"expected\" `x`", expected u32 at line 1"#,
                "`a`: invalid type: string, expected u32 at line 1",
            ),
            (
                "invalid type: integer `5`, expected a string",
                "invalid type: integer, expected a string",
            ),
            (
                "invalid type: map, expected u8; invalid value: integer `-1`, expected u8",
                "invalid type: map, expected u8; invalid value: integer, expected u8",
            ),
            ("unknown variant `4111`, expected `A`", "unknown variant, expected `A`"),
            (r#"invalid type: string "cut off"#, "invalid type: string"),
            ("invalid type: ", "invalid type:"),
        ] {
            assert_eq!(without_json(text), logged);
        }
    }

    #[test]
    fn a_store_is_named_by_its_type() {
        let Kept::Store(name) = Kept::in_store(&MemoryStore::default()) else { panic!() };
        assert_eq!(name, "MemoryStore");
    }

    #[test]
    fn the_report_of_two_different_runs_is_logged_without_their_values() {
        let reason =
            "DURABLE0104: it behaves differently when it is replayed\n  event 3 with [\"secret\"]";
        let suspension = Suspension { code: Some("DURABLE0104".into()), reason: reason.into() };
        let logged = without_values(&suspension, reason);
        assert_eq!(logged, "DURABLE0104: it behaves differently when it is replayed");
    }
}
