//! The columns of each kind of item.

use std::time::Duration;

use chrono::TimeDelta;
use durable::protocol::Json;
use durable_http::client::{
    Access, ActivityAttempts, Batch, BatchDetails, CommitLatency, Entity, Event, Failure, Hub,
    HubNode, InstanceStatus, LifecycleEvent, Parameter, PendingWork, QueuedRequest,
    RegisteredFunction, RunningActivity, Schedule, Suspension,
};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Show;
use crate::time::{Clock, human};

/// A size, as all commands write it.
pub(crate) fn bytes(bytes: u64) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

fn versioned(name: &str, version: Option<&String>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"))
}

fn tags(instance: &InstanceStatus) -> String {
    let tag = |(key, value): (&String, &String)| format!("{key}={value}");
    instance.tags.iter().map(tag).collect::<Vec<_>>().join(" ")
}

/// A custom status; a text is shown without its quotes.
fn plain(json: Option<&Json>) -> String {
    let Some(json) = json else { return String::new() };
    json.read::<String>().unwrap_or_else(|_| json.as_str().to_owned())
}

/// A failure and its causes, one per line.
pub(super) fn causes(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut inner = failure.inner.as_deref();
    while let Some(failure) = inner {
        text = format!("{text}\ncaused by {failure}");
        inner = failure.inner.as_deref();
    }
    text
}

/// An instance. Only known fields are shown: a list has no inputs and outputs.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) status: InstanceStatus,
    values: Values,
}

/// The fields that the API reads from histories.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Values {
    #[serde(default = "Json::null")]
    input: Json,
    output: Option<Json>,
    failure: Option<Failure>,
    termination_reason: Option<String>,
}

impl<'de> Deserialize<'de> for Instance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `flatten` cannot read the values of users, which are kept as text.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let status = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let values = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self { status, values })
    }
}

/// Why an instance is suspended, in a line.
pub(crate) fn reason(of: &Suspension) -> String {
    format!("{}: {}", of.code.as_deref().unwrap_or("by a client"), of.summary())
}

/// The row of an instance. Its failure, if it has one, tells more than its custom status.
fn row(status: &InstanceStatus, failure: Option<&Failure>, clock: &Clock) -> Vec<String> {
    vec![
        status.instance_id.clone(),
        versioned(&status.name, status.version.as_ref()),
        status.runtime_status.to_string(),
        clock.show(status.created_at),
        match (failure, &status.suspension) {
            (Some(failure), _) => failure.to_string(),
            (None, Some(suspension)) => reason(suspension),
            (None, None) => plain(status.custom_status.as_ref()),
        },
    ]
}

impl Show for Instance {
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "STATUS", "CREATED", "DETAIL"];
    const WIDE: &'static [&'static str] = &["UPDATED", "EVENTS", "PARENT", "TAGS"];

    fn name(&self) -> String {
        self.status.instance_id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        row(&self.status, self.values.failure.as_ref(), clock)
    }

    fn wide(&self, clock: &Clock) -> Vec<String> {
        let status = &self.status;
        vec![
            clock.show(status.last_updated_at),
            status.history_len.to_string(),
            text(status.parent.as_ref().map(|parent| &parent.instance_id)),
            tags(status),
        ]
    }

    fn sheet(&self, clock: &Clock) -> Vec<(String, String)> {
        let Self { status, values } = self;
        let is_finished = status.runtime_status.is_finished();
        let end = if is_finished { status.last_updated_at } else { clock.now };
        let suspension = status.suspension.as_ref().map(|suspension| match &suspension.code {
            // The report of the runtime begins with the code.
            Some(code) if !suspension.reason.starts_with(code) => {
                format!("{code}: {}", suspension.reason)
            }
            _ => suspension.reason.clone(),
        });
        [
            ("id", status.instance_id.clone()),
            ("name", versioned(&status.name, status.version.as_ref())),
            ("status", status.runtime_status.to_string()),
            ("suspended because", suspension.unwrap_or_default()),
            ("failure", values.failure.as_ref().map(causes).unwrap_or_default()),
            ("terminated because", text(values.termination_reason.as_ref())),
            ("custom status", plain(status.custom_status.as_ref())),
            ("input", values.input.as_str().to_owned()),
            ("output", values.output.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default()),
            ("created", clock.show(status.created_at)),
            (if is_finished { "ended" } else { "updated" }, clock.show(status.last_updated_at)),
            ("duration", human(end - status.created_at)),
            ("next due", clock.show_some(status.next_due)),
            ("parent", text(status.parent.as_ref().map(|parent| &parent.instance_id))),
            ("tags", tags(status)),
            ("execution", status.execution_id.clone()),
            ("generation", status.generation.to_string()),
            ("events", status.history_len.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }
}

impl Show for Event {
    const COLUMNS: &'static [&'static str] = &["INDEX", "TIME", "KIND", "TASK", "DATA"];

    fn name(&self) -> String {
        self.index.to_string()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        vec![
            self.index.to_string(),
            clock.show(self.timestamp),
            self.kind.clone(),
            text(self.event_id.as_ref()),
            if self.data == Json::null() { String::new() } else { self.data.as_str().to_owned() },
        ]
    }
}

/// The id `@stock@mug` as `stock/mug`, which the command line takes.
pub(crate) fn entity_name(id: &str) -> String {
    id.trim_start_matches('@').replacen('@', "/", 1)
}

impl Show for PendingWork {
    const COLUMNS: &'static [&'static str] = Instance::COLUMNS;

    fn name(&self) -> String {
        self.status.instance_id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        row(&self.status, None, clock)
    }
}

impl Show for Entity {
    const COLUMNS: &'static [&'static str] = &["ID", "CHANGED", "QUEUE", "LOCKED BY", "STATE"];

    fn name(&self) -> String {
        entity_name(&self.entity_id)
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        vec![
            self.name(),
            clock.show(self.last_modified),
            self.backlog.to_string(),
            text(self.locked_by.as_ref().map(|parent| &parent.instance_id)),
            text(self.state.as_ref()),
        ]
    }
}

impl Show for QueuedRequest {
    const COLUMNS: &'static [&'static str] = &["KIND", "OPERATION", "FROM"];

    fn name(&self) -> String {
        self.from.as_ref().map(|it| it.instance_id.clone()).unwrap_or_default()
    }

    fn row(&self, _: &Clock) -> Vec<String> {
        vec![format!("{:?}", self.kind), self.operation.clone().unwrap_or_default(), self.name()]
    }
}

impl Show for Schedule {
    const COLUMNS: &'static [&'static str] =
        &["ID", "STARTS", "WHEN", "STATUS", "LAST RUN", "NEXT RUN", "RUNS"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        vec![
            self.id.clone(),
            versioned(&self.orchestration, self.version.as_ref()),
            self.recurrence.to_string(),
            format!("{:?}", self.status),
            clock.show_some(self.last_run_at),
            clock.show_some(self.next_run_at),
            self.runs.to_string(),
        ]
    }
}

impl Show for Batch {
    const COLUMNS: &'static [&'static str] =
        &["ID", "STATUS", "CREATED", "MATCHED", "DONE", "SKIPPED", "FAILED"];

    fn name(&self) -> String {
        self.id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        let progress = self.progress.as_ref();
        let count = |count: Option<u64>| text(count.as_ref());
        vec![
            self.id.clone(),
            self.runtime_status.to_string(),
            clock.show(self.created_at),
            count(progress.map(|it| it.matched)),
            count(progress.map(|it| it.done)),
            count(progress.map(|it| it.skipped)),
            count(progress.map(|it| it.failed)),
        ]
    }
}

impl Show for BatchDetails {
    const COLUMNS: &'static [&'static str] = Batch::COLUMNS;

    fn name(&self) -> String {
        self.batch.id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        self.batch.row(clock)
    }

    fn sheet(&self, clock: &Clock) -> Vec<(String, String)> {
        let mut sheet = self.batch.sheet(clock);
        let mut add = |name: &str, value: String| sheet.push((name.to_owned(), value));
        add("action", serde_json::to_string(&self.action).unwrap_or_default());
        add("filter", serde_json::to_string(&self.query).unwrap_or_default());
        add("failure", text(self.failure.as_ref()));
        if let Some(progress) = &self.batch.progress {
            let errors = progress.errors.iter();
            let errors = errors.map(|it| format!("{}: {}", it.instance_id, it.detail));
            add("errors", errors.collect::<Vec<_>>().join("\n"));
            add("instances", progress.instance_ids.join("\n"));
        }
        sheet
    }
}

impl Show for RunningActivity {
    const COLUMNS: &'static [&'static str] = &["ACTIVITY", "INSTANCE", "ATTEMPT", "SINCE"];

    fn name(&self) -> String {
        self.instance_id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        let Self { name, instance_id, attempt, since, .. } = self;
        vec![name.clone(), instance_id.clone(), attempt.to_string(), clock.show(*since)]
    }
}

impl Show for ActivityAttempts {
    const COLUMNS: &'static [&'static str] =
        &["ACTIVITY", "ATTEMPTS", "FAILED", "MEDIAN", "P95", "MAX", "LAST FAILURE"];
    const WIDE: &'static [&'static str] = &["CALLS", "WAITED P95", "FAILED AT", "INSTANCE"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, _: &Clock) -> Vec<String> {
        let failed = match (self.failed_attempts, self.attempts) {
            (0, _) | (_, 0) => "0".to_owned(),
            (failed, all) => format!("{failed} ({} %)", (failed * 100).div_ceil(all)),
        };
        vec![
            self.name.clone(),
            self.attempts.to_string(),
            failed,
            micros(self.median_micros),
            micros(self.p95_micros),
            micros(self.max_micros),
            text(self.last_failure.as_ref().map(|it| &it.message)),
        ]
    }

    fn wide(&self, clock: &Clock) -> Vec<String> {
        vec![
            self.calls.to_string(),
            micros(self.waited_p95_micros),
            clock.show_some(self.last_failure.as_ref().map(|it| it.at)),
            text(self.last_failure.as_ref().map(|it| &it.instance_id)),
        ]
    }
}

fn micros(micros: Option<u64>) -> String {
    match micros {
        None => String::new(),
        Some(micros) if micros < 1000 => format!("{micros}us"),
        Some(micros) => human(TimeDelta::microseconds(i64::try_from(micros).unwrap_or(i64::MAX))),
    }
}

impl Show for RegisteredFunction {
    const COLUMNS: &'static [&'static str] = &["NAME", "PARAMETERS", "SOURCE"];

    fn name(&self) -> String {
        self.name.clone()
    }

    fn row(&self, _: &Clock) -> Vec<String> {
        let parameter = |it: &Parameter| format!("{}: {}", it.name, it.type_name);
        let parameters: Vec<_> = self.parameters.iter().map(parameter).collect();
        let name = versioned(&self.name, self.version.as_ref());
        vec![name, parameters.join(", "), format!("{}:{}", self.file, self.line)]
    }
}

impl Show for LifecycleEvent {
    const COLUMNS: &'static [&'static str] = &["TIME", "KIND", "ID", "NAME", "REASON"];

    fn name(&self) -> String {
        self.instance_id.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        vec![
            clock.show(self.at),
            format!("{:?}", self.kind),
            self.instance_id.clone(),
            versioned(&self.name, self.version.as_ref()),
            text(self.reason.as_ref()),
        ]
    }
}

impl Show for Hub {
    const COLUMNS: &'static [&'static str] = &["HUB", "VERSION", "PARTITIONS", "DISK", "MEMORY"];

    fn name(&self) -> String {
        self.task_hub_name.clone()
    }

    fn row(&self, _: &Clock) -> Vec<String> {
        vec![
            self.task_hub_name.clone(),
            self.version.clone(),
            self.partitions.to_string(),
            bytes(self.disk_bytes),
            bytes(self.memory_bytes),
        ]
    }

    fn sheet(&self, clock: &Clock) -> Vec<(String, String)> {
        let columns = Self::COLUMNS.iter().map(|name| (*name).to_owned());
        let figures = self.figures.iter().map(|(name, value)| (name.clone(), value.to_string()));
        let nodes =
            self.nodes.iter().map(|node| (format!("NODE {}", node.name), about(node, clock)));
        let free = (!self.free_partitions.is_empty())
            .then(|| ("OWNED BY NONE".to_owned(), ranges(&self.free_partitions)));
        let parked = self.parked_partitions.iter();
        let parked = parked.map(|it| (format!("PARKED {}", it.partition), it.reason.clone()));
        let pinned = self.pinned_partitions.iter();
        let pinned = pinned.map(|it| (format!("PINNED {}", it.partition), it.node.clone()));
        let frozen = self.frozen_partitions.iter();
        let frozen = frozen.map(|it| (format!("FROZEN {}", it.partition), it.reason.clone()));
        let placed = parked.chain(pinned).chain(frozen);
        let commits = self.commits.iter().map(|it| ("COMMITS".to_owned(), latency(it)));
        let columns = columns.zip(self.row(clock));
        columns.chain(commits).chain(nodes).chain(free).chain(placed).chain(figures).collect()
    }
}

fn latency(commits: &CommitLatency) -> String {
    let millis = |micros: u64| Duration::from_micros(micros).as_secs_f64() * 1e3;
    let (p50, p99) = (millis(commits.p50_micros), millis(commits.p99_micros));
    format!("p50 {p50:.1} ms, p99 {p99:.1} ms, of the last {}", commits.count)
}

/// What a process does for the hub, in one line.
fn about(node: &HubNode, clock: &Clock) -> String {
    let owns = match &*node.partitions {
        _ if node.is_client => "client only".to_owned(),
        [] => "owns no partitions".to_owned(),
        [one] => format!("owns partition {one}"),
        all => format!("owns {} partitions: {}", all.len(), ranges(all)),
    };
    // A hub that one process has to itself does not know since when.
    let is_alone = node.joined_at == node.seen_at;
    let since =
        if is_alone { String::new() } else { format!(", since {}", clock.show(node.joined_at)) };
    let this = if node.is_this { " (this process)" } else { "" };
    format!("{owns}{since}{this}")
}

/// Numbers in ascending order; consecutive ones are written as `0-15`.
fn ranges(numbers: &[u16]) -> String {
    let runs = numbers.chunk_by(|a, b| u32::from(*a) + 1 == u32::from(*b));
    let texts = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first}-{last}")),
    });
    texts.collect::<Vec<_>>().join(", ")
}

impl Show for Access {
    const COLUMNS: &'static [&'static str] = &["HUB", "ROLE", "VERSION", "TIME"];

    fn name(&self) -> String {
        self.task_hub_name.clone()
    }

    fn row(&self, clock: &Clock) -> Vec<String> {
        let role = format!("{:?}", self.role).to_lowercase();
        vec![self.task_hub_name.clone(), role, self.version.clone(), clock.show(self.now)]
    }
}
