//! The one place that reads the clock.

use std::time::Instant;

/// What time it is.
#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
