//! Maps names to functions, which are collected from the attributes or registered by hand.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::activity::{ActivityContext, ActivityRun};
use crate::definition::{
    Body, Entry, OrchestratorFuture, RunEntity, RunOrchestrator, StateType, display_name,
};
use crate::orchestration::OrchestrationContext;
use crate::protocol::{FailureDetails, Json, compare_versions};

/// Names that begin like this are the library's own.
const BUILT_IN: &str = "durable.";

inventory::collect!(Entry);

/// Intercepts calls of functions, so that a test can replace them.
pub(crate) trait Interceptor: fmt::Debug + Send + Sync {
    /// Runs an activity instead of its function; `None` to run the function.
    fn run_activity(
        &self,
        entry: &Entry,
        context: &ActivityContext,
        input: &Json,
    ) -> Option<Result<ActivityRun, FailureDetails>>;

    /// The replacement of an orchestrator's function, if any.
    fn orchestrator(&self, entry: &Entry) -> Option<Replacement>;

    /// Whether the function of an activity is replaced, and so needs no shared state.
    fn replaces_activity(&self, entry: &Entry) -> bool;
}

/// Runs an orchestrator in place of its function.
pub(crate) type Replacement =
    Arc<dyn Fn(&OrchestrationContext, Json) -> OrchestratorFuture + Send + Sync>;

/// The functions that a hub can run, by kind, name and version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Registry {
    pub(crate) version_match: VersionMatch,
    pub(crate) interceptor: Option<Arc<dyn Interceptor>>,
    activities: Functions,
    orchestrators: Functions,
    entities: Functions,
}

/// The version of an orchestration's code with which its instances continue if their own version is
/// not registered.
///
/// This is Durable Functions' `versionMatchStrategy`. In any case, a replay checks that the code
/// matches the history, and suspends the instance if it does not.
///
/// ```
/// use durable::TaskHub;
/// use durable::client::VersionMatch;
///
/// // Instances that version 1 started continue on version 2 if version 1 is no longer registered.
/// let builder = TaskHub::builder().version_match(VersionMatch::CurrentOrOlder);
/// # let _ = builder;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VersionMatch {
    /// The instance's own version only; without that version the instance waits (DURABLE0103).
    #[default]
    Strict,
    /// The newest registered version, unless it is older than the instance's own.
    CurrentOrOlder,
    /// The newest registered version.
    None,
}

/// Functions by name, each with its versions in order.
type Functions = BTreeMap<&'static str, Vec<Entry>>;

/// Whether a function is visible to the example that runs, if this program contains examples of docs.
///
/// rustdoc compiles the examples of a crate into one program, each in a module of its own, and starts
/// the program once for each, with its number in a variable. Examples may use the same names.
fn is_in_this_example(module: &str) -> bool {
    let example = module.split("::").nth(1).and_then(|name| name.strip_prefix("__doctest_"));
    let runs_another = |example: &str| {
        std::env::var("RUSTDOC_DOCTEST_RUN_NB_TEST").is_ok_and(|running| running != example)
    };
    !example.is_some_and(runs_another)
}

/// The error returned when two functions have the same name.
///
/// ```
/// use durable::client::{OpenError, RegistryError};
///
/// fn doubled(error: &OpenError) -> Option<&RegistryError> {
///     match error {
///         OpenError::Registry(error) => Some(error), // names both places in the source
///         _ => None,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "two {kind} have the name {name}: one at {first}, one at {second}; give one of them \
     another name, with `name = \"..\"` in its attribute"
)]
pub struct RegistryError {
    kind: &'static str,
    name: String,
    first: String,
    second: String,
}

impl Registry {
    /// All annotated functions in the crates of this program.
    pub(crate) fn collected() -> Result<Self, RegistryError> {
        Self::annotated(|_| true)
    }

    /// The library's own functions only.
    pub(crate) fn built_in() -> Result<Self, RegistryError> {
        Self::annotated(|entry| entry.name.starts_with(BUILT_IN))
    }

    fn annotated(is_wanted: impl Fn(&Entry) -> bool) -> Result<Self, RegistryError> {
        let mut registry = Self::default();
        let all = inventory::iter::<Entry>.into_iter();
        let is_wanted = |entry: &&Entry| is_wanted(entry) && is_in_this_example(entry.module);
        let mut entries: Vec<_> = all.filter(is_wanted).collect();
        entries.sort_by_key(|entry| (entry.file, entry.line));
        entries.into_iter().try_for_each(|entry| registry.add(entry))?;
        Ok(registry)
    }

    /// Adds a function. Adding it again from the same source location is not an error.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<(), RegistryError> {
        let (kind, entries) = match entry.body {
            Body::Activity { .. } => ("activities", &mut self.activities),
            Body::Orchestrator { .. } => ("orchestrators", &mut self.orchestrators),
            Body::Entity { .. } => ("entities", &mut self.entities),
        };
        let versions = entries.entry(entry.name).or_default();
        match versions.binary_search_by_key(&entry.version, |known| known.version) {
            Err(place) => versions.insert(place, *entry),
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
                *first = *entry;
            }
        }
        Ok(())
    }

    pub(crate) fn orchestrator(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        find(&self.orchestrators, name, version)
    }

    /// The code with which an instance of this version continues: that of its own version, or that
    /// of the version chosen by the hub's [`VersionMatch`].
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

    /// The newest version of an orchestration of the program.
    pub(crate) fn newest_orchestrator(&self, name: &str) -> Option<&Entry> {
        let of_name = self.orchestrators.get(name).filter(|_| !name.starts_with(BUILT_IN))?;
        of_name.iter().max_by(|a, b| compare_versions(a.version, b.version))
    }

    pub(crate) fn activity(&self, name: &str, version: Option<&str>) -> Option<&Entry> {
        find(&self.activities, name, version)
    }

    /// Runs an activity on its stored input: its function, or what replaces that in a test.
    pub(crate) fn run_activity(
        &self,
        entry: &Entry,
        context: ActivityContext,
        input: Json,
    ) -> Result<ActivityRun, FailureDetails> {
        if let Some(interceptor) = &self.interceptor
            && let Some(replaced) = interceptor.run_activity(entry, &context, &input)
        {
            return replaced;
        }
        match entry.body {
            Body::Activity { run, .. } => run(context, input),
            Body::Orchestrator { .. } | Body::Entity { .. } => {
                Err(FailureDetails::new(FailureDetails::NOT_REGISTERED, entry.name))
            }
        }
    }

    /// What runs an orchestrator: its function, or what replaces that in a test.
    pub(crate) fn runner(&self, entry: &Entry) -> Option<Runner> {
        let interceptor = self.interceptor.as_ref();
        if let Some(replacement) = interceptor.and_then(|it| it.orchestrator(entry)) {
            return Some(Runner::Replacement(replacement));
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

    /// The registered entities, for an error about a missing one.
    pub(crate) fn entity_names(&self) -> String {
        list(self.entities.values().flatten())
    }

    /// The number of orchestrators, activities and entities of the program, counting each version.
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

    /// The registered orchestrators, for an error about a missing one.
    pub(crate) fn orchestrator_names(&self) -> String {
        list(self.orchestrators.values().flatten())
    }

    /// The registered activities, for an error about a missing one.
    pub(crate) fn activity_names(&self) -> String {
        list(self.activities.values().flatten())
    }

    /// The transactional activities of the program that are not replaced in a test, each with the type of
    /// its transactions.
    pub(crate) fn wanted_transactions(&self) -> impl Iterator<Item = (&Entry, StateType)> {
        self.run_activities().filter_map(|entry| Some((entry, entry.transactions()?)))
    }

    /// The activities that are not replaced in a test.
    fn run_activities(&self) -> impl Iterator<Item = &Entry> {
        let is_replaced =
            |entry: &Entry| self.interceptor.as_ref().is_some_and(|it| it.replaces_activity(entry));
        self.activities.values().flatten().filter(move |entry| !is_replaced(entry))
    }

    /// The shared states that activities and entities need, each with its users.
    pub(crate) fn wanted_states(&self) -> impl Iterator<Item = (&Entry, StateType)> {
        self.run_activities().chain(self.entities.values().flatten()).flat_map(|entry| {
            let states = match entry.body {
                Body::Activity { states, .. } | Body::Entity { states, .. } => states,
                Body::Orchestrator { .. } => &[],
            };
            states.iter().map(move |state| (entry, *state))
        })
    }
}

/// What runs an orchestrator.
#[derive(Clone)]
pub(crate) enum Runner {
    Function(RunOrchestrator),
    Replacement(Replacement),
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
            Self::Replacement(run) => Ok(run(&context, input)),
        }
    }
}

impl fmt::Debug for Runner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function(_) => "Function",
            Self::Replacement(_) => "Replacement",
        })
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
