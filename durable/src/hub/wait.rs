//! Waiting for what may come soon.
//!
//! To be woken takes a thread longer than most activities take. So whoever had not to wait for long
//! looks for what comes a short while before it sleeps; whoever had to does not.

use std::thread;
use std::time::Duration;

use super::clock;

/// How long to look before sleeping.
pub(super) const LOOK: Duration = Duration::from_micros(50);
/// A wait that was shorter, with the time that waking up takes, was short.
pub(super) const SHORT: Duration = Duration::from_micros(75);

/// Whether to look for what comes, or to sleep at once.
#[derive(Debug, Default)]
pub(super) struct Patience {
    comes_soon: bool,
}

impl Patience {
    /// Waits for what `look` finds, or `sleep` brings.
    pub(super) fn wait<T>(&mut self, look: impl Fn() -> Option<T>, sleep: impl FnOnce() -> T) -> T {
        if let Some(found) = look() {
            return found;
        }
        let since = clock::stopwatch();
        let looks_for = if self.comes_soon { LOOK } else { Duration::ZERO };
        while since.elapsed() < looks_for {
            // Others come first: it is one of them that is waited for.
            thread::yield_now();
            if let Some(found) = look() {
                return found;
            }
        }
        let came = sleep();
        self.comes_soon = since.elapsed() < SHORT;
        came
    }
}
