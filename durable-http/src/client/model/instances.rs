//! Instances: their status and details.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::protocol::{Json, Tags, TraceContext};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// The status of an instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InstanceStatus {
    /// Its id.
    pub instance_id: String,
    /// Its current execution: each continue-as-new and each restart begins another one.
    pub execution_id: String,
    /// The name of its orchestration.
    pub name: String,
    /// The version of its orchestration.
    pub version: Option<String>,
    /// Its runtime status.
    pub runtime_status: RuntimeStatus,
    /// When it was started.
    pub created_at: DateTime<Utc>,
    /// When it last changed; for an instance that has ended, when it ended.
    pub last_updated_at: DateTime<Utc>,
    /// Why it is suspended, if it is.
    pub suspension: Option<Suspension>,
    /// The orchestration that waits for its result, if it is a sub-orchestration.
    pub parent: Option<Parent>,
    /// Its tags.
    pub tags: Tags,
    /// The custom status that its orchestrator last set.
    pub custom_status: Option<Json>,
    /// When its next timer, retry, time limit or delayed start is due.
    pub next_due: Option<DateTime<Utc>>,
    /// The number of times that it has continued as new.
    pub generation: u64,
    /// The number of events in its history.
    pub history_len: u64,
}

impl InstanceStatus {
    /// The names of the JSON fields of a status, for the parameter `fields` of a list.
    pub const FIELDS: [&str; 14] = crate::v1::list::STATUS;
}

/// Why an instance is suspended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Suspension {
    /// The code of the runtime's report, such as `DURABLE0101`; `None` if a client suspended the
    /// instance.
    pub code: Option<String>,
    /// The report of the runtime, or the reason that the client gave.
    pub reason: String,
}

impl Suspension {
    /// Returns the reason in one line, without the code. A report of the runtime is reduced to its
    /// facts, such as ``event 3 recorded activity `reserve`; this replay requests activity `charge`
    /// at src/order.rs:41``.
    pub fn summary(&self) -> String {
        let is_fact = |line: &&str| line.starts_with("  ");
        let facts: Vec<_> = self.reason.lines().filter(is_fact).map(words).collect();
        let code = self.code.as_ref().and_then(|code| self.reason.strip_prefix(&**code));
        let rest = code.and_then(|rest| rest.strip_prefix(": ")).unwrap_or(&self.reason);
        let first = words(rest.lines().next().unwrap_or_default());
        match &*facts {
            _ if self.code.is_none() => words(&self.reason),
            [] => first,
            [fact] => format!("{first}: {fact}"),
            _ => facts.join("; ").replace("; requested at ", " at "),
        }
    }
}

/// A text with single spaces.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The instance that called a sub-orchestration or locked an entity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Parent {
    /// Its id.
    pub instance_id: String,
    /// The id of its execution.
    pub execution_id: String,
    /// The name of its orchestration.
    pub name: String,
    /// The version of its orchestration.
    pub version: Option<String>,
    /// The number of the request in the history of that instance.
    pub task_scheduled_id: i64,
}

/// An instance with its input, output and failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InstanceDetails {
    /// Its status.
    #[serde(flatten)]
    pub status: InstanceStatus,
    /// Its input.
    pub input: Json,
    /// Its output; `None` if there is no output, or if the output is `null`.
    pub output: Option<Json>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    /// The reason that was given for its termination.
    pub termination_reason: Option<String>,
    /// A hash of the orchestrator's source when this execution began. If it differs from
    /// [`RegisteredFunction::code_hash`](super::RegisteredFunction::code_hash), the source has
    /// changed since.
    pub code_hash: Option<String>,
    /// The trace context of the request that started it.
    pub trace_context: Option<TraceContext>,
}

impl<'de> Deserialize<'de> for InstanceDetails {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Values {
            input: Json,
            output: Option<Json>,
            failure: Option<Failure>,
            termination_reason: Option<String>,
            code_hash: Option<String>,
            trace_context: Option<TraceContext>,
        }

        // `flatten` cannot read the values of users, which are kept as text.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let status = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        let values: Values = serde_json::from_str(raw.get()).map_err(serde::de::Error::custom)?;
        Ok(Self {
            status,
            input: values.input,
            output: values.output,
            failure: values.failure,
            termination_reason: values.termination_reason,
            code_hash: values.code_hash,
            trace_context: values.trace_context,
        })
    }
}

/// Why a task or an instance failed. Its `Display` output is the type and the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Failure {
    /// The type of the error.
    pub error_type: String,
    /// Its message.
    pub message: String,
    /// The error that caused it.
    pub inner: Option<Box<Failure>>,
    /// Whether retries are pointless.
    pub non_retriable: bool,
    /// The error as a value, if it can be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Json>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.error_type, self.message)
    }
}

/// The number of instances that match a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InstanceCount {
    /// The total number.
    pub count: u64,
    /// The number per group, if the request named a grouping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<BTreeMap<String, u64>>,
    /// The number of stored records that were read, matching or not.
    #[serde(default)]
    pub scanned: u64,
    /// Whether the true numbers may be higher, because there were too many instances to read.
    pub approximate: bool,
}

/// The number of instances that were created, or that ended, in each of several equal time spans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Histogram {
    /// The width of a span, in seconds.
    pub seconds: u64,
    /// The spans, in order of time.
    pub items: Vec<HistogramBucket>,
    /// The number of instances that were read.
    #[serde(default)]
    pub scanned: u64,
    /// Whether the true numbers may be higher, because there were too many instances to read.
    pub approximate: bool,
}

/// A span of time of a histogram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HistogramBucket {
    /// When the span begins.
    pub at: DateTime<Utc>,
    /// The number of instances by status.
    pub counts: BTreeMap<String, u64>,
}

/// The answer to a start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Started {
    /// The id of the instance.
    pub instance_id: String,
    /// The address of the instance; `None` in the answer to a request that waited until it had
    /// ended.
    pub url: Option<String>,
}

/// The answer to a purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Purged {
    /// The number of instances that were removed.
    pub purged: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspension_is_summarized_by_the_facts_of_its_report() {
        let summary = |code: Option<&str>, reason: &str| {
            Suspension { code: code.map(str::to_owned), reason: reason.to_owned() }.summary()
        };
        let changed = "DURABLE0101: orchestration `order` (instance `a`) no longer does it\n  event 3 \
                       recorded     activity `reserve`, requested at o.rs:38\n  this replay          \
                       requests activity `charge`\n  requested at         o.rs:41\nthe code was \
                       changed\nthe instance is suspended";
        assert_eq!(
            summary(Some("DURABLE0101"), changed),
            "event 3 recorded activity `reserve`, requested at o.rs:38; this replay requests \
             activity `charge` at o.rs:41"
        );
        let unknown =
            "DURABLE0103: orchestration `order` is not registered\n  registered   none\nwhy";
        let wanted = "orchestration `order` is not registered: registered none";
        assert_eq!(summary(Some("DURABLE0103"), unknown), wanted);
        assert_eq!(summary(Some("DURABLE0105"), "DURABLE0105: it is held back"), "it is held back");
        assert_eq!(summary(None, "closed\n  until Monday"), "closed until Monday");
    }
}
