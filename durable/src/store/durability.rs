//! When a commit counts as durable.

use std::time::Duration;

/// When a commit counts as durable. Only then do its activities begin, its messages leave, and its
/// clients receive their replies.
///
/// In either case a commit is atomic, and a crash loses commits only from the end: what remains is
/// a prefix of the commit order.
///
/// ```
/// use durable::TaskHub;
/// use durable::store::Durability;
/// use std::time::Duration;
///
/// let within = Durability::Within(Duration::from_millis(10));
/// let builder = TaskHub::builder().path("./hub").durability(within);
/// # let _ = builder;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When the commit is on disk. Neither a crash of the process or the machine nor a power
    /// failure loses acknowledged data.
    #[default]
    Immediate,
    /// When the operating system has the commit, which reaches the disk within about this time.
    ///
    /// A crash of the process loses nothing. A crash of the machine or a power failure may lose
    /// data that was acknowledged within this time before the failure. Then:
    /// - an instance whose start was acknowledged may be missing, a raised event may be lost, and a
    ///   result that was reported may be computed again;
    /// - an activity whose result is lost runs again although its external effects have happened, and
    ///   it may have run for a call that the replay does not make;
    /// - a message to another instance is lost together with the episode that sent it.
    Within(Duration),
}
