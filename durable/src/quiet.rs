//! Silence during a replay: its log lines and metrics are discarded, whichever code emits them.
//!
//! The macro silences the log lines that it sees. This module silences all others: in plain
//! functions, in other crates, and in destructors of values that an orchestrator holds.

use std::sync::LazyLock;

use tracing::dispatcher::with_default;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Not `Dispatch::none()`: `tracing` caches the interest of a callsite from the current dispatcher,
/// so a callsite first reached during a replay would be disabled forever. The interest of a
/// registered subscriber that discards everything is combined with that of the others instead. The
/// cost: the interest becomes `sometimes`, so `enabled` is called each time.
static NOBODY: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Nobody));

/// Runs `f` and discards its `tracing` events, spans and `metrics`.
pub(crate) fn quietly<T>(f: impl FnOnce() -> T) -> T {
    let unheard = || with_default(&NOBODY, f);
    #[cfg(feature = "metrics")]
    return metrics::with_local_recorder(&metrics::NoopRecorder, unheard);
    #[cfg(not(feature = "metrics"))]
    unheard()
}

/// A subscriber that discards everything.
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
