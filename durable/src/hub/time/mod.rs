//! Time: the clock, timers on the async runtime, waiting, and virtual time.

pub(crate) mod clock;
pub(crate) mod timer;
pub(crate) mod virtual_time;
pub(crate) mod wait;
