//! Values that panic when they are dropped.

use std::thread;

/// Panics when it is dropped, unless the thread is already panicking.
pub(crate) struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "the bomb goes off");
    }
}

/// Panics when it is dropped, with a payload that does the same, even if the thread is already
/// panicking.
pub(crate) struct Chain(pub(crate) u32);

impl Drop for Chain {
    fn drop(&mut self) {
        if self.0 > 0 {
            std::panic::panic_any(Self(self.0 - 1));
        }
    }
}
