//! The orchestrations of the library itself, by name. Some of them are in other crates, or in features
//! that this build lacks, but a store may contain their instances.

/// Drives a schedule.
pub(crate) const SCHEDULE: &str = "durable.Schedule";
/// Raises the event of a callback link of `durable-http`, and remembers that the link is used.
const CALLBACK: &str = "durable.Callback";

/// The orchestrations whose instances are left out of lists.
pub(crate) const HIDDEN: [&str; 2] = [SCHEDULE, CALLBACK];

/// Whether instances are purged as soon as they complete.
pub(crate) fn is_transient(name: &str) -> bool {
    name == CALLBACK
}
