//! Histories as files, and the check that the current code still matches them.
//!
//! A file is one JSON object, readable for people and kept with the source. It is never rewritten,
//! and every later release replays it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use serde::{Deserialize, Serialize};

use crate::client::{HubError, RegistryError};
use crate::engine::{Execution, Identity};
use crate::limits::Limits;
use crate::panics;
use crate::protocol::{
    EventKind, ExecutionId, FORMAT_VERSION, HistoryEvent, InstanceId, Json, RuntimeStatus,
    Suspension, Timestamp,
};
use crate::quiet::quietly;
use crate::registry::Registry;
use crate::{InstanceHandle, Orchestrator};

/// The history of an execution, outside of its hub.
///
/// ```
/// # use durable::prelude::*;
/// use durable::testing::{RecordedHistory, TestHub, verify_replay};
///
/// # #[activity]
/// # async fn charge(cents: u32) -> u32 { cents }
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
///     Ok(charge(cents).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("order.json");
/// // Once, with the code that is released:
/// let hub = TestHub::open().await?;
/// let run = hub.start(order(500)).await?;
/// run.result().await?;
/// RecordedHistory::of(&run).await?.save(&path)?;
///
/// // From then on, with the code as it is:
/// verify_replay(&RecordedHistory::load(&path)?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedHistory {
    format: u8,
    instance_id: InstanceId,
    execution_id: ExecutionId,
    name: String,
    version: Option<String>,
    created_at: Timestamp,
    events: Vec<HistoryEvent>,
}

/// The part of a file that is read first.
#[derive(Deserialize)]
struct Header {
    format: u8,
}

/// The error of reading a history from a file, or writing one to a file.
///
/// ```
/// use durable::testing::{HistoryFileError, RecordedHistory};
///
/// let error = RecordedHistory::load("no such file.json").unwrap_err();
/// assert!(matches!(error, HistoryFileError::Read { .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryFileError {
    /// The file cannot be read.
    #[error("the recorded history `{}` cannot be read", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("the recorded history `{}` cannot be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The file is not a recorded history.
    #[error(
        "{}:{}:{}: not a recorded history", .path.display(), .source.line(), .source.column()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The error, and its place in the file.
        source: serde_json::Error,
    },
    /// A later release wrote the file.
    #[error(
        "the recorded history `{}` has format {found}, but this release reads formats up to {}; \
         record it with this release, or use a later one", .path.display(), FORMAT_VERSION
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u8,
    },
}

impl RecordedHistory {
    /// Returns the history of an instance's current execution so far.
    ///
    /// # Errors
    /// There is no such instance, the hub was shut down, or its store failed.
    pub async fn of(instance: &InstanceHandle) -> Result<Self, HubError> {
        let (record, events) = instance.record_and_history().await?;
        Ok(Self {
            format: FORMAT_VERSION,
            instance_id: record.instance_id,
            execution_id: record.execution_id,
            name: record.name,
            version: record.version,
            created_at: record.created_at,
            events,
        })
    }

    /// Reads a history from a file.
    ///
    /// # Errors
    /// [`HistoryFileError::Read`]; [`HistoryFileError::Malformed`] with the place in the file;
    /// [`HistoryFileError::Format`].
    pub fn load(path: impl AsRef<Path>) -> Result<Self, HistoryFileError> {
        let path = path.as_ref();
        let in_file = |source| HistoryFileError::Read { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(in_file)?;
        let malformed = |source| HistoryFileError::Malformed { path: path.to_owned(), source };
        let Header { format } = serde_json::from_str(&text).map_err(malformed)?;
        if !(1..=FORMAT_VERSION).contains(&format) {
            return Err(HistoryFileError::Format { path: path.to_owned(), found: format });
        }
        serde_json::from_str::<Self>(&text).map_err(malformed)?;
        let history: Self = serde_json::from_str(&compact(&text)).map_err(malformed)?;
        Ok(history.with_results())
    }

    /// A completed task always has a result. A `null` is read as absent and has to be restored.
    fn with_results(mut self) -> Self {
        for event in &mut self.events {
            if let EventKind::ExecutionCompleted {
                status: RuntimeStatus::Completed, result, ..
            } = &mut event.kind
            {
                result.get_or_insert_with(Json::null);
            }
        }
        self
    }

    /// Writes the history to a file, formatted for reading. Missing folders are created, and an
    /// existing file is replaced.
    ///
    /// # Errors
    /// [`HistoryFileError::Write`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), HistoryFileError> {
        let path = path.as_ref();
        let write = || {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            fs::write(path, serde_json::to_string_pretty(self)? + "\n")
        };
        write().map_err(|source| HistoryFileError::Write { path: path.to_owned(), source })
    }

    /// Returns the id of the instance that has this history.
    pub fn instance_id(&self) -> &InstanceId {
        &self.instance_id
    }

    /// Returns the name of the orchestration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version of the orchestration.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// Returns the events, in order.
    pub fn events(&self) -> &[HistoryEvent] {
        &self.events
    }
}

/// The same JSON without white space between tokens: stored values are compared as text, and a
/// formatter may have changed the file.
fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let is_kept = |c: &char| {
        if !in_string {
            in_string = *c == '"';
            return !c.is_ascii_whitespace();
        }
        in_string = escaped || *c != '"';
        escaped = !escaped && *c == '\\';
        true
    };
    json.chars().filter(is_kept).collect()
}

/// The first difference between a history and the behavior of the current code, with both sides.
///
/// The report is the same as that of an instance that a hub suspends for this reason.
///
/// ```
/// use durable::testing::{RecordedHistory, verify_replay};
///
/// /// For a test of changed code: every recorded history must still replay.
/// fn check(histories: &[RecordedHistory]) {
///     for history in histories {
///         if let Err(divergence) = verify_replay(history) {
///             panic!("{}: {}", history.instance_id(), divergence.report());
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{report}")]
pub struct Divergence {
    code: Option<String>,
    report: String,
}

impl Divergence {
    /// Returns the code of the reason, such as `DURABLE0101`; `docs/errors` has a page for each
    /// code.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Returns the whole report, as text for people to read.
    pub fn report(&self) -> &str {
        &self.report
    }
}

impl From<Suspension> for Divergence {
    fn from(Suspension { code, reason }: Suspension) -> Self {
        Self { code, report: reason }
    }
}

impl From<RegistryError> for Divergence {
    fn from(error: RegistryError) -> Self {
        Self { code: None, report: error.to_string() }
    }
}

/// Checks that an instance with this history can continue with the code of this program.
///
/// The orchestrator runs against the history, as in a hub after a restart. It must make the same
/// requests (kind, name and target) in the same order, and must not end differently. No activity
/// runs.
///
/// ```
/// # use durable::prelude::*;
/// use durable::testing::{RecordedHistory, TestHub, verify_replay_with};
///
/// # #[activity]
/// # async fn reserve(item: u32) -> u32 { item }
/// # #[activity]
/// # async fn charge(item: u32) -> u32 { item }
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext, item: u32) -> Result<()> {
///     reserve(item).await?;
///     charge(item).await?;
///     Ok(())
/// }
///
/// /// The same activities, in another order.
/// #[orchestrator]
/// async fn changed_order(ctx: &OrchestrationContext, item: u32) -> Result<()> {
///     charge(item).await?;
///     reserve(item).await?;
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TestHub::open().await?;
/// let run = hub.start(order(7)).await?;
/// run.result().await?;
/// let history = RecordedHistory::of(&run).await?;
///
/// let divergence = verify_replay_with::<changed_order>(&history).unwrap_err();
/// assert_eq!(divergence.code(), Some("DURABLE0101"));
/// assert!(divergence.report().contains("event 3 recorded     activity `reserve`"));
/// assert!(divergence.report().contains("this replay          requests activity `charge`"));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first [`Divergence`]: DURABLE0101 if the code does something different, DURABLE0103 if no
/// code is registered for the orchestration.
pub fn verify_replay(history: &RecordedHistory) -> Result<(), Divergence> {
    replay(history, &Registry::collected()?, None, false)
}

/// Like [`verify_replay`], but exact: inputs, times and results must equal the recorded ones, too,
/// and there must be no requests beyond the recorded ones.
///
/// Use it for code that was not changed: it also reports changes with which an instance could
/// continue.
///
/// ```
/// # use durable::prelude::*;
/// use durable::testing::{RecordedHistory, TestHub, verify_replay_strictly};
///
/// # #[activity]
/// # async fn double(n: u32) -> u32 { 2 * n }
/// #[orchestrator]
/// async fn sum(ctx: &OrchestrationContext) -> Result<u32> {
///     Ok(double(3).await? + double(4).await?)
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TestHub::open().await?;
/// let run = hub.start(sum()).await?;
/// assert_eq!(run.result().await?, 14);
/// verify_replay_strictly(&RecordedHistory::of(&run).await?)?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// The first [`Divergence`]: DURABLE0104 if the code does something different, DURABLE0103 if no
/// code is registered for the orchestration.
pub fn verify_replay_strictly(history: &RecordedHistory) -> Result<(), Divergence> {
    replay(history, &Registry::collected()?, None, true)
}

/// Like [`verify_replay`], but with the code of orchestrator `O`, regardless of the name in the
/// history.
///
/// ```
/// use durable::prelude::*;
/// use durable::testing::{Divergence, RecordedHistory, verify_replay_with};
///
/// #[orchestrator(name = "order", version = "2")]
/// async fn new_order(ctx: &OrchestrationContext) -> Result<()> {
///     Ok(())
/// }
///
/// /// Whether unfinished instances of version 1 could continue with the code of version 2.
/// fn check(history: &RecordedHistory) -> Result<(), Divergence> {
///     verify_replay_with::<new_order>(history)
/// }
/// ```
///
/// # Errors
/// The first [`Divergence`].
pub fn verify_replay_with<O: Orchestrator>(history: &RecordedHistory) -> Result<(), Divergence> {
    let mut registry = Registry::default();
    registry.add(&O::ENTRY)?;
    replay(history, &registry, Some((O::ENTRY.name, O::ENTRY.version)), false)
}

fn replay(
    history: &RecordedHistory,
    registry: &Registry,
    code: Option<(&str, Option<&str>)>,
    strict: bool,
) -> Result<(), Divergence> {
    panics::note_places();
    let (name, version) = code.unwrap_or((history.name(), history.version()));
    let origin = Identity {
        name,
        version,
        instance_id: &history.instance_id,
        execution_id: history.execution_id,
        created_at: history.created_at,
        limits: Limits::default(),
    };
    let replay = || {
        let mut execution = Execution::new(registry, origin)?;
        if strict {
            return execution.verify(&history.events);
        }
        execution.replay(&history.events)?;
        quietly(|| execution.catch_up())
    };
    // On a thread outside of the async runtime, like a partition.
    match thread::scope(|scope| scope.spawn(replay).join()) {
        Ok(replayed) => Ok(replayed?),
        Err(_panic) => {
            Err(Divergence { code: None, report: "the replay panicked, which is a bug".to_owned() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_removed_between_tokens_only() {
        let pretty = "{ \"a \\\" b\": [ 1,\n\t2 ],\r\n \"c\\\\\" : \" \" }";
        assert_eq!(compact(pretty), "{\"a \\\" b\":[1,2],\"c\\\\\":\" \"}");
    }
}
