//! From names to functions: collected from the attributes, or given by hand.

use std::any::TypeId;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use crate::activity::{ActivityContext, ActivityRun};
use crate::entity::{Batch, BatchDone};
use crate::error::ErrorCodec;
use crate::orchestration::OrchestrationContext;
use crate::payload::Codec;
use crate::protocol::{FailureDetails, Json};
use crate::retry::RetrySettings;
#[cfg(feature = "testing")]
use crate::testing::{MockOrchestrator, Mocks};

/// A durable function: the attributes implement it for the type that bears the function's name.
///
/// It is what the types in `TaskHub::builder().register::<my_function>()` have in common.
pub trait Definition: Sized + 'static {
    #[doc(hidden)]
    const ENTRY: Entry;
    /// What it is called with, owned: its one parameter (of a `&str` a `String`), several as a tuple,
    /// none as `()`. A context and shared state are no part of a call.
    type Input: 'static;
    /// What it returns when it succeeds.
    type Output: 'static;
    /// What it returns when it fails.
    type Error: 'static;

    #[doc(hidden)]
    fn codecs() -> (Codec<Self::Output>, ErrorCodec<Self::Error>);
}

/// What is known of a durable function before it runs.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub name: &'static str,
    pub version: Option<&'static str>,
    pub file: &'static str,
    pub line: u32,
    pub code_hash: u64,
    pub parameters: Parameters,
    pub options: CallDefaults,
    pub body: Body,
}

/// How a function is called unless its call says otherwise.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct CallDefaults {
    pub retry: Option<RetrySettings>,
    /// Of the whole call, over all attempts.
    pub timeout: Option<Duration>,
    /// Of each attempt of an activity.
    pub attempt_timeout: Option<Duration>,
    /// How many runs of an activity a hub has at once.
    pub max_concurrent: Option<usize>,
}

impl CallDefaults {
    pub const NONE: Self =
        Self { retry: None, timeout: None, attempt_timeout: None, max_concurrent: None };
}

/// Names that begin like this are the library's own.
const BUILT_IN: &str = "durable.";

inventory::collect!(Entry);

/// The function itself, as the runtime calls it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Body {
    Activity {
        run: RunActivity,
        states: &'static [StateType],
    },
    Orchestrator {
        run: RunOrchestrator,
    },
    Entity {
        run: RunEntity,
        states: &'static [StateType],
        /// None of an entity that is a function.
        operations: &'static [OperationEntry],
    },
}

/// What a function is called with: of each parameter its name and its type, as they are written.
#[doc(hidden)]
pub type Parameters = &'static [(&'static str, &'static str)];

/// An operation of an entity.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct OperationEntry {
    pub name: &'static str,
    /// Whether it cannot change the state.
    pub reads: bool,
    pub parameters: Parameters,
}

/// A shared state that an activity wants.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct StateType {
    pub id: fn() -> TypeId,
    pub name: fn() -> &'static str,
}

#[doc(hidden)]
pub type RunActivity = fn(ActivityContext, Json) -> Result<ActivityRun, FailureDetails>;
#[doc(hidden)]
pub type RunOrchestrator =
    fn(OrchestrationContext, Json) -> Result<OrchestratorFuture, FailureDetails>;
#[doc(hidden)]
pub type RunEntity = fn(Batch) -> Pin<Box<dyn Future<Output = BatchDone> + Send>>;
#[doc(hidden)]
pub type OrchestratorFuture = Pin<Box<dyn Future<Output = Result<Json, FailureDetails>>>>;

/// The functions that a hub can run, by kind, name and version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    pub(crate) version_match: VersionMatch,
    #[cfg(feature = "testing")]
    pub(crate) mocks: Mocks,
    activities: Functions,
    orchestrators: Functions,
    entities: Functions,
}

/// With which version of an orchestration's code its instances go on, if their own is not there.
///
/// Durable Functions' `versionMatchStrategy`. Whatever is chosen, a replay checks that the code does
/// what the history recorded, and suspends the instance otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionMatch {
    /// With their own version only; without it they wait (DURABLE0103).
    #[default]
    Strict,
    /// With the newest version there is, if it is not older than their own.
    CurrentOrOlder,
    /// With the newest version there is.
    None,
}

/// The order of versions: none before any; as numbers between dots if they are such, else as text
/// without regard to case.
///
/// ```text
/// none < "1" < "1.2" < "1.10" < "2"
/// ```
pub(crate) fn compare_versions(a: Option<&str>, b: Option<&str>) -> Ordering {
    let numbers =
        |version: &str| version.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    match (a, b) {
        (Some(a), Some(b)) => match (numbers(a), numbers(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.to_lowercase().cmp(&b.to_lowercase()),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

/// Functions by name, each with its versions in order.
type Functions = BTreeMap<&'static str, Vec<Entry>>;

/// Two functions have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "two {kind} have the name {name}: one at {first}, one at {second}; give one of them another, \
     with `name = \"..\"` in its attribute"
)]
pub struct RegistryError {
    kind: &'static str,
    name: String,
    first: String,
    second: String,
}

impl Registry {
    /// Everything that is annotated in the crates of this program.
    pub(crate) fn collected() -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        let mut entries: Vec<_> = inventory::iter::<Entry>.into_iter().collect();
        entries.sort_by_key(|entry| (entry.file, entry.line));
        entries.into_iter().try_for_each(|entry| registry.add(*entry))?;
        Ok(registry)
    }

    /// Adds a function. One that is there already, from the same place in the source, is no error.
    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), RegistryError> {
        let (kind, entries) = match entry.body {
            Body::Activity { .. } => ("activities", &mut self.activities),
            Body::Orchestrator { .. } => ("orchestrators", &mut self.orchestrators),
            Body::Entity { .. } => ("entities", &mut self.entities),
        };
        let versions = entries.entry(entry.name).or_default();
        match versions.binary_search_by_key(&entry.version, |known| known.version) {
            Err(place) => versions.insert(place, entry),
            Ok(place) => {
                let first = &mut versions[place];
                if (first.file, first.line) != (entry.file, entry.line) {
                    return Err(RegistryError {
                        kind,
                        name: display_name(entry.name, entry.version),
                        first: first.location(),
                        second: entry.location(),
                    });
                }
                *first = entry;
            }
        }
        Ok(())
    }

    pub(crate) fn orchestrator(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        find(&self.orchestrators, name, version)
    }

    /// The code with which an instance of this version goes on: that of its own version, or else
    /// what the hub's [`VersionMatch`] says.
    pub(crate) fn orchestrator_for(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        if let Some(exact) = self.orchestrator(name, version) {
            return Some(exact);
        }
        let of_name = self.orchestrators.get(name)?.iter();
        let newest = of_name.max_by(|a, b| compare_versions(a.version, b.version))?;
        let fits = match self.version_match {
            VersionMatch::Strict => false,
            VersionMatch::CurrentOrOlder => {
                compare_versions(version, newest.version) != Ordering::Greater
            }
            VersionMatch::None => true,
        };
        fits.then_some(newest)
    }

    pub(crate) fn activity(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        find(&self.activities, name, version)
    }

    /// Runs an activity on its stored input: the function, or what stands in for it in a test.
    #[cfg_attr(
        not(feature = "testing"),
        expect(clippy::unused_self, reason = "there are mocks in a test only")
    )]
    pub(crate) fn run_activity(
        &self,
        entry: &Entry,
        context: ActivityContext,
        input: Json,
    ) -> Result<ActivityRun, FailureDetails> {
        #[cfg(feature = "testing")]
        if let Some(mock) = self.mocks.activity(entry, &input) {
            return mock(&context, &input);
        }
        match entry.body {
            Body::Activity { run, .. } => run(context, input),
            Body::Orchestrator { .. } | Body::Entity { .. } => {
                Err(FailureDetails::new(FailureDetails::NOT_REGISTERED, entry.name))
            }
        }
    }

    /// What runs an orchestrator: the function, or what stands in for it in a test.
    #[cfg_attr(
        not(feature = "testing"),
        expect(clippy::unused_self, reason = "there are mocks in a test only")
    )]
    pub(crate) fn runner(&self, entry: &Entry) -> Option<Runner> {
        #[cfg(feature = "testing")]
        if let Some(mock) = self.mocks.orchestrator(entry) {
            return Some(Runner::Mock(mock.clone()));
        }
        match entry.body {
            Body::Orchestrator { run } => Some(Runner::Function(run)),
            Body::Activity { .. } | Body::Entity { .. } => None,
        }
    }

    /// What runs operations of the entities of this name.
    pub(crate) fn entity(&self, name: &str) -> Option<RunEntity> {
        match find(&self.entities, name, None)?.body {
            Body::Entity { run, .. } => Some(run),
            Body::Activity { .. } | Body::Orchestrator { .. } => None,
        }
    }

    /// The entities there are, for an error that misses one.
    pub(crate) fn entity_names(&self) -> String {
        list(self.entities.values().flatten())
    }

    /// How many orchestrators, activities and entities the program has, each version counted.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [&self.orchestrators, &self.activities, &self.entities]
            .map(|functions| of_program(functions).count())
    }

    /// The functions of the program by kind, each kind by name and version.
    pub(crate) fn of_program(&self) -> impl Iterator<Item = &Entry> {
        let mut entries: Vec<_> = [&self.orchestrators, &self.activities, &self.entities]
            .into_iter()
            .flat_map(of_program)
            .collect();
        // They are ordered by the text of their versions, which puts 10 before 9.
        for versions in entries.chunk_by_mut(|a, b| a.kind() == b.kind() && a.name == b.name) {
            versions.sort_by(|a, b| compare_versions(a.version, b.version));
        }
        entries.into_iter()
    }

    /// The orchestrators there are, for an error that misses one.
    pub(crate) fn orchestrator_names(&self) -> String {
        list(self.orchestrators.values().flatten())
    }

    /// The activities there are, for an error that misses one.
    pub(crate) fn activity_names(&self) -> String {
        list(self.activities.values().flatten())
    }

    /// The shared states that activities and entities want, each with who wants it.
    pub(crate) fn wanted_states(&self) -> impl Iterator<Item = (&Entry, StateType)> {
        let activities = self.activities.values().flatten();
        // What stands in for one wants nothing.
        #[cfg(feature = "testing")]
        let activities = activities.filter(|entry| !self.mocks.has_activity(entry));
        activities.chain(self.entities.values().flatten()).flat_map(|entry| {
            let states = match entry.body {
                Body::Activity { states, .. } | Body::Entity { states, .. } => states,
                Body::Orchestrator { .. } => &[],
            };
            states.iter().map(move |state| (entry, *state))
        })
    }
}

/// What runs an orchestrator.
#[derive(Clone, Debug)]
pub(crate) enum Runner {
    Function(RunOrchestrator),
    #[cfg(feature = "testing")]
    Mock(MockOrchestrator),
}

impl Runner {
    /// Begins to run it on its stored input.
    pub(crate) fn run(
        &self,
        context: OrchestrationContext,
        input: Json,
    ) -> Result<OrchestratorFuture, FailureDetails> {
        match self {
            Self::Function(run) => run(context, input),
            #[cfg(feature = "testing")]
            Self::Mock(mock) => Ok(mock.run(&context, input)),
        }
    }
}

impl Entry {
    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.body {
            Body::Activity { .. } => "activity",
            Body::Orchestrator { .. } => "orchestration",
            Body::Entity { .. } => "entity",
        }
    }

    fn location(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&display_name(self.name, self.version))
    }
}

/// A name for people: `order`, or `order` version 2.
pub(crate) fn display_name(name: &str, version: Option<&str>) -> String {
    match version {
        Some(version) => format!("`{name}` (version {version})"),
        None => format!("`{name}`"),
    }
}

fn of_program(functions: &Functions) -> impl Iterator<Item = &Entry> {
    functions.values().flatten().filter(|entry| !entry.name.starts_with(BUILT_IN))
}

fn find<'a>(functions: &'a Functions, name: &str, version: Option<&str>) -> Option<&'a Entry> {
    functions.get(name)?.iter().find(|entry| entry.version == version)
}

fn list<'a>(entries: impl Iterator<Item = &'a Entry>) -> String {
    let names = entries.filter(|entry| !entry.name.starts_with(BUILT_IN));
    let names: Vec<_> = names.map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_numbers_where_they_are_such() {
        let order = [None, Some("1"), Some("1.2"), Some("1.10"), Some("2"), Some("B"), Some("c")];
        for (index, version) in order.iter().enumerate() {
            for (other_index, other) in order.iter().enumerate() {
                assert_eq!(compare_versions(*version, *other), index.cmp(&other_index));
            }
        }
    }
}
