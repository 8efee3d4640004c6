//! What is done again is not told again: log lines and counts of a replay go nowhere, whoever makes
//! them.
//!
//! The macro silences the log lines that it sees. This silences those that it does not see: in plain
//! functions, in other crates, in the `Drop` of what an orchestrator holds.

use std::sync::LazyLock;

use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Not `Dispatch::none()`: `tracing` asks the subscriber of the moment whether a line that is reached
/// for the first time will ever be wanted, and remembers the answer. A line that is first reached in a
/// replay would be silent for ever. One that is known to `tracing` is asked together with the others.
/// The price is that those are asked for every line that they want, too.
static NOBODY: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Nobody));

/// Runs `f` without anybody listening to its `tracing` events and spans, nor to its `metrics`.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    let unheard = || with_default(&NOBODY, f);
    #[cfg(feature = "metrics")]
    return metrics::with_local_recorder(&metrics::NoopRecorder, unheard);
    #[cfg(not(feature = "metrics"))]
    unheard()
}

/// Listens to nothing.
struct Nobody;

impl Subscriber for Nobody {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::never()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::OFF)
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
