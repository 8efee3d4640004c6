//! When a commit counts as written.

use std::time::Duration;

/// When a commit counts as written, and so when an activity begins, a message is delivered, a client
/// is answered.
///
/// Whatever is chosen, a commit is all or nothing, and commits are lost from the end only: what a
/// crash leaves is a state that there was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// When it is on the disk. A crash of the process, of the machine or a power cut loses nothing
    /// that was acknowledged.
    #[default]
    Immediate,
    /// When the operating system has it; it is on the disk within about this time.
    ///
    /// A crash of the process loses nothing. A crash of the machine or a power cut may lose what was
    /// acknowledged within this time before it, and then:
    /// - an instance whose start was acknowledged may not be there, an event that was raised may not
    ///   have come, and a result that was reported may be computed again;
    /// - an activity whose result is lost runs again, though its effects outside are there, and it
    ///   may even run for a call that is not repeated;
    /// - a message to another instance is lost together with what sent it.
    Within(Duration),
}
