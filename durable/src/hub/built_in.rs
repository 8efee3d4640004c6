//! The orchestrations of the library itself, by name. Some of them are in other crates, or in features
//! that this build lacks, but a store may contain their instances.

use crate::protocol::InstanceRecord;

/// Drives a schedule.
pub(crate) const SCHEDULE: &str = "durable.Schedule";
/// Raises the event of a callback link of `durable-http`, and remembers that the link is used.
const CALLBACK: &str = "durable.Callback";

/// Acts on all instances that match a filter, in `durable-http`.
const BATCH: &str = "durable.Batch";
/// Sends a lifecycle event to a URL, in `durable-http`.
const WEBHOOK: &str = "durable.Webhook";

/// The orchestrations whose instances are left out of lists and counts, unless a query includes them.
pub(crate) const HIDDEN: [&str; 4] = [SCHEDULE, CALLBACK, BATCH, WEBHOOK];

/// The id prefix of instances that are started for lifecycle events.
pub(crate) const HOOK_IDS: &str = "durable.event:";
/// Their tag; its value is the instance that the event is about.
pub(crate) const HOOK_TAG: &str = "durable.event";

/// Whether an instance is purged as soon as it completes.
pub(crate) fn is_transient(record: &InstanceRecord) -> bool {
    record.name == CALLBACK || record.tags.contains_key(HOOK_TAG)
}

/// Whether the lifecycle events of an instance start nothing.
pub(crate) fn causes_no_events(record: &InstanceRecord) -> bool {
    HIDDEN.contains(&record.name.as_str()) || record.tags.contains_key(HOOK_TAG)
}
