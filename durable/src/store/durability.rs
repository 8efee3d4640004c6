//! When a commit counts as written.

use std::time::Duration;

/// When a commit counts as written: only then do its activities begin, are its messages delivered and
/// its clients answered.
///
/// In either case a commit is atomic, and a crash loses commits from the end only: what it leaves is a
/// prefix of the commit order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// When it is on the disk. A crash of the process, of the machine or a power cut loses nothing
    /// that was acknowledged.
    #[default]
    Immediate,
    /// When the operating system has it; it is on the disk within about this time.
    ///
    /// A crash of the process loses nothing. A crash of the machine or a power cut may lose what was
    /// acknowledged within this time before it. Then:
    /// - an instance whose start was acknowledged may be missing, a raised event may be lost, and a
    ///   result that was reported may be computed again;
    /// - an activity whose result is lost runs again although its external effects have happened, and
    ///   it may have run for a call that the replay does not make;
    /// - a message to another instance is lost together with the episode that sent it.
    Within(Duration),
}
