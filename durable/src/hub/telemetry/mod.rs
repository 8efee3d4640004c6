//! Log lines, spans, metrics, and the lifecycle events that clients subscribe to.

pub(crate) mod event;
pub(crate) mod hooks;
pub(crate) mod lifecycle;
pub(crate) mod lines;
// Without the feature, stand-ins with the same names do nothing.
#[cfg_attr(not(feature = "metrics"), path = "no_metrics.rs")]
pub(crate) mod metrics;
pub(crate) mod spans;
