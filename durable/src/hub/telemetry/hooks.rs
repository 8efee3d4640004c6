//! Orchestrations that are started for lifecycle events.
//!
//! Rules:
//! 1. The start is a message in the write that contains the change, so each change starts each
//!    matching orchestration exactly once, even if the process crashes.
//! 2. The instances of hooks and of the library itself cause no events here, or each delivery would
//!    cause the next.
//! 3. Without hooks, a write costs one test of an `Option`.

use super::event::{LifecycleEvent, LifecycleKind};
use super::lifecycle::{Before, reason};
use crate::hub::built_in;
use crate::protocol::{
    ExecutionId, ExecutionStarted, HistoryEvent, InstanceId, InstanceRecord, Json, Tags, Timestamp,
};

/// A filter for the lifecycle events that start an orchestration; see
/// [`TaskHubBuilder::on_lifecycle`](crate::client::TaskHubBuilder::on_lifecycle).
///
/// ```
/// use durable::client::{LifecycleFilter, LifecycleKind};
///
/// // Failed orders only.
/// let filter = LifecycleFilter::new().kind(LifecycleKind::Failed).name("order");
/// # let _ = filter;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a filter does nothing until it is given to a builder"]
pub struct LifecycleFilter {
    kinds: Vec<LifecycleKind>,
    names: Vec<String>,
}

impl LifecycleFilter {
    /// Creates a filter that matches all lifecycle events.
    pub fn new() -> Self {
        Self::default()
    }

    /// Matches only events of this kind. If called several times, any of the kinds matches.
    ///
    /// ```
    /// use durable::client::{LifecycleFilter, LifecycleKind};
    ///
    /// let ended = LifecycleFilter::new()
    ///     .kind(LifecycleKind::Completed)
    ///     .kind(LifecycleKind::Failed)
    ///     .kind(LifecycleKind::Terminated);
    /// ```
    pub fn kind(mut self, kind: LifecycleKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Matches only events of orchestrations with this name. If called several times, any name
    /// matches.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    fn matches(&self, record: &InstanceRecord, kind: LifecycleKind) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.names.is_empty() || self.names.contains(&record.name))
    }
}

/// An orchestration that is started for each event that its filter matches.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) name: &'static str,
    pub(crate) version: Option<&'static str>,
    /// The second parameter of the orchestration, if it has one.
    pub(crate) label: Option<String>,
    pub(crate) filter: LifecycleFilter,
}

/// The hooks of a hub, and the properties of the instances that they start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) hooks: Vec<Hook>,
    pub(crate) properties: Tags,
}

/// An instance to start.
pub(crate) type Starting = (InstanceId, Box<ExecutionStarted>);

impl Hooks {
    /// The instances to start for a write.
    pub(crate) fn of_write(
        &self,
        before: Before,
        record: &InstanceRecord,
        events: &[HistoryEvent],
    ) -> Vec<Starting> {
        let kinds = before.until(record);
        let at = record.last_updated_at;
        kinds
            .flat_map(|kind| self.of_change(record, kind, at, reason(kind, record, events)))
            .collect()
    }

    /// The instances to start for a single change.
    pub(crate) fn of_change(
        &self,
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Vec<Starting> {
        if built_in::causes_no_events(record) {
            return Vec::new();
        }
        let hooks = self.hooks.iter().filter(|hook| hook.filter.matches(record, kind));
        let event = || LifecycleEvent::new(record, kind, at, reason);
        hooks.filter_map(|hook| self.start(hook, &event())).collect()
    }

    fn start(&self, hook: &Hook, event: &LifecycleEvent) -> Option<Starting> {
        // A structure of texts always has a JSON form.
        let input = match &hook.label {
            Some(label) => serde_json::to_string(&(event, label)),
            None => serde_json::to_string(event),
        };
        let input = Json::trusted(input.ok()?);
        let execution = ExecutionId::generate();
        let id = InstanceId::new(format!("{}{execution}", built_in::HOOK_IDS)).ok()?;
        let version = hook.version.map(str::to_owned);
        let mut started = ExecutionStarted::new(hook.name, version, input, execution);
        started.tags.insert(built_in::HOOK_TAG.to_owned(), event.instance_id.to_string());
        started.properties.clone_from(&self.properties);
        Some((id, Box::new(started)))
    }
}
