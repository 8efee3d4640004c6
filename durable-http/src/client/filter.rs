//! Filters of lists: which instances, entities and schedules a list contains.

use chrono::{DateTime, SecondsFormat, Utc};
use durable::RuntimeStatus;
use durable::protocol::{Json, Tags};
use durable::schedule::ScheduleStatus;
use serde::{Deserialize, Serialize};

use super::Request;

/// A filter that matches the instances that satisfy all conditions. It also selects the instances
/// of a batch.
///
/// ```
/// use durable::RuntimeStatus;
/// use durable_http::client::InstanceFilter;
///
/// let filter = InstanceFilter::new()
///     .name("order")
///     .status(RuntimeStatus::Failed)
///     .created_from("2026-01-02T00:00:00Z".parse()?);
/// assert_eq!(filter.status, [RuntimeStatus::Failed]);
/// # Ok::<(), chrono::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InstanceFilter {
    /// Only instances of the orchestration with this name.
    pub name: Option<String>,
    /// Only instances with any of these statuses; any status if empty.
    pub status: Vec<RuntimeStatus>,
    /// Only instances whose id begins with this text.
    pub prefix: Option<String>,
    /// Only instances with all of these tags.
    pub tags: Tags,
    /// Only instances that were created at this time or later.
    pub created_from: Option<DateTime<Utc>>,
    /// Only instances that were created before this time.
    pub created_to: Option<DateTime<Utc>>,
    /// Only instances that ended at this time or later.
    pub ended_from: Option<DateTime<Utc>>,
    /// Only instances that ended before this time.
    pub ended_to: Option<DateTime<Utc>>,
    /// Only instances with exactly this custom status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_status: Option<Json>,
    /// Only failed instances with this text in the message of the failure or of one of its causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_with: Option<String>,
    /// Also the instances that drive schedules. A batch never acts on them.
    #[serde(skip)]
    pub include_schedules: bool,
}

impl InstanceFilter {
    /// Creates a filter that matches all instances, except those that drive schedules.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects only instances of this orchestration.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Selects only instances with this status. Each further call adds another allowed status.
    #[must_use]
    pub fn status(mut self, status: RuntimeStatus) -> Self {
        self.status.push(status);
        self
    }

    /// Selects only instances whose id begins with this text.
    #[must_use]
    pub fn id_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Selects only instances with this tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }

    /// Selects only instances that were created at this time or later.
    #[must_use]
    pub fn created_from(mut self, time: DateTime<Utc>) -> Self {
        self.created_from = Some(time);
        self
    }

    /// Selects only instances that were created before this time.
    #[must_use]
    pub fn created_to(mut self, time: DateTime<Utc>) -> Self {
        self.created_to = Some(time);
        self
    }

    pub(super) fn apply<T>(&self, mut request: Request<T>) -> Request<T> {
        request = with_text(request, "name", self.name.as_ref());
        if !self.status.is_empty() {
            let statuses: Vec<_> = self.status.iter().map(ToString::to_string).collect();
            request = request.query("status", statuses.join(","));
        }
        request = with_text(request, "prefix", self.prefix.as_ref());
        for (key, value) in &self.tags {
            request = request.query("tag", format!("{key}:{value}"));
        }
        request = with_time(request, "createdFrom", self.created_from);
        request = with_time(request, "createdTo", self.created_to);
        request = with_time(request, "endedFrom", self.ended_from);
        request = with_time(request, "endedTo", self.ended_to);
        if let Some(status) = &self.custom_status {
            request = request.query("customStatus", status.as_str());
        }
        request = with_text(request, "failedWith", self.failed_with.as_ref());
        with_flag(request, "includeSchedules", self.include_schedules)
    }
}

/// The order of a list of instances.
///
/// ```
/// # use durable_http::client::{Client, ClientError, InstanceFilter};
/// use durable_http::client::InstanceOrder;
///
/// async fn oldest(client: &Client) -> Result<Option<String>, ClientError> {
///     let all = client.list_instances(&InstanceFilter::new());
///     let page = all.order(InstanceOrder::OldestFirst).limit(1).await?;
///     Ok(page.items.into_iter().next().map(|instance| instance.instance_id))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InstanceOrder {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
    /// By id.
    Id,
}

impl InstanceOrder {
    /// As the API writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NewestFirst => "-created",
            Self::OldestFirst => "created",
            Self::Id => "id",
        }
    }
}

/// The property by which instances are counted.
///
/// ```
/// # use durable_http::client::{Client, ClientError, InstanceFilter};
/// use durable_http::client::GroupBy;
///
/// async fn print_counts(client: &Client) -> Result<(), ClientError> {
///     let by_country = Some(GroupBy::Tag("country".to_owned()));
///     println!("{:?}", client.count_instances(&InstanceFilter::new(), by_country).await?);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GroupBy {
    /// Their status.
    Status,
    /// The name of their orchestration.
    Name,
    /// The value of the tag with this key.
    Tag(String),
}

impl GroupBy {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Status => "status".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Tag(key) => format!("tag:{key}"),
        }
    }
}

/// A filter that matches the entities that satisfy all conditions.
///
/// ```
/// use durable_http::client::EntityFilter;
///
/// let mut filter = EntityFilter::new();
/// filter.name = Some("account".to_owned());
/// filter.state = true;
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntityFilter {
    /// Only entities of the type with this name.
    pub name: Option<String>,
    /// Only entities whose key begins with this text.
    pub prefix: Option<String>,
    /// Only entities that were last changed at this time or later.
    pub modified_from: Option<DateTime<Utc>>,
    /// Only entities that were last changed before this time.
    pub modified_to: Option<DateTime<Utc>>,
    /// Whether a list contains the states of entities.
    pub state: bool,
    /// Also entities without a state.
    pub include_transient: bool,
    /// Only entities that are set aside because an operation crashed the process.
    pub set_aside: bool,
}

impl EntityFilter {
    /// Creates a filter that matches all entities that have a state.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn apply<T>(&self, mut request: Request<T>) -> Request<T> {
        request = self.apply_id(request);
        request = with_time(request, "modifiedFrom", self.modified_from);
        request = with_time(request, "modifiedTo", self.modified_to);
        request = with_flag(request, "state", self.state);
        request = with_flag(request, "includeTransient", self.include_transient);
        with_flag(request, "setAside", self.set_aside)
    }

    /// Only the conditions on the id.
    pub(super) fn apply_id<T>(&self, request: Request<T>) -> Request<T> {
        let request = with_text(request, "name", self.name.as_ref());
        with_text(request, "prefix", self.prefix.as_ref())
    }
}

/// A filter that matches the schedules that satisfy all conditions.
///
/// ```
/// use durable::schedule::ScheduleStatus;
/// use durable_http::client::ScheduleFilter;
///
/// let mut paused = ScheduleFilter::new();
/// paused.status = Some(ScheduleStatus::Paused);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleFilter {
    /// Only schedules whose id begins with this text.
    pub prefix: Option<String>,
    /// Only schedules with this status.
    pub status: Option<ScheduleStatus>,
}

impl ScheduleFilter {
    /// Creates a filter that matches all schedules.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn apply<T>(&self, request: Request<T>) -> Request<T> {
        let request = with_text(request, "prefix", self.prefix.as_ref());
        match self.status {
            Some(status) => request.query("status", format!("{status:?}")),
            None => request,
        }
    }
}

pub(super) fn with_text<T>(
    request: Request<T>,
    name: &'static str,
    value: Option<&String>,
) -> Request<T> {
    match value {
        Some(value) => request.query(name, value),
        None => request,
    }
}

pub(super) fn with_time<T>(
    request: Request<T>,
    name: &'static str,
    time: Option<DateTime<Utc>>,
) -> Request<T> {
    match time {
        Some(time) => request.query(name, time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        None => request,
    }
}

fn with_flag<T>(request: Request<T>, name: &'static str, is_set: bool) -> Request<T> {
    if is_set { request.query(name, "true") } else { request }
}
