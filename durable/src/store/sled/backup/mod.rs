//! Backup: a consistent copy of an open store, made while commits and checkpoints continue.
//!
//! The tree is copied in small steps, so its parts are from different moments. Then the log is
//! applied to the copy, as after a crash, which makes all of it equal to the last frame applied.
//!
//! Rules:
//! 1. *Pinned log.* Let A be the last frame that the tree contained when the last checkpoint ended.
//!    From before the first step on, no frame after A is deleted. Let L be the last frame
//!    acknowledged when the tree has been copied. The backup is the state after L, so it contains
//!    everything acknowledged before it began.
//! 2. *One step sees one state.* A step reads whole instances, or whole messages, between two
//!    batches of checkpoints. So it sees of each instance what a crash at that moment would leave:
//!    the instance as of some frame H, with A <= H <= L, and perhaps parts of a history that an
//!    unfinished checkpoint wrote in advance, which no reader looks at.
//! 3. *Present instances.* The value of an instance names Q, the last frame that touched it. The
//!    frames up to Q are skipped, those after Q up to H do not touch it, and those after H are
//!    applied. An older purge is skipped in the same way.
//! 4. *Absent instances.* If an instance is absent at H, its last frame up to H is a purge, or it
//!    has none. Either no frame after A touches it, or those up to H are applied to nothing and end
//!    with the purge. What they produce before that may be incomplete (an episode without the
//!    events before it), and the purge removes all of it. The frames after H are then applied to an
//!    absent instance, so an id that is reused starts with an empty instance.
//! 5. *Histories.* The parts that an unfinished checkpoint wrote in advance belong to frames up to L.
//!    They begin at or after the tail of the value that was copied, or belong to an execution that
//!    one of these frames replaces. Applying these frames overwrites, removes or ignores them. A
//!    history of many parts may therefore be copied in several steps, before the value of its
//!    instance, if the value still names the same frame then; otherwise it is copied again.
//! 6. *Index keys* are derived from the copied value of their instance, in the same batch.
//! 7. *Messages.* A message never changes, and its position is used once among the frames after A.
//!    A message of the tree that a frame after A consumes is removed by that frame, and if it is
//!    missing already, removing it has no effect.
//! 8. *The hub's record and the epochs* are replaced as a whole by each frame that changes them, so
//!    the last such frame up to L counts, or else the copied value, which is then from before A.
//! 9. *Parts of the log.* The frames are applied file by file, each as an overlay of its own that is
//!    written to the copy. Rules 3 to 8 hold after each, because they compare numbers of frames
//!    only. This bounds the memory, and the copy opens as fast as a store that was closed.
//! 10. *Complete or absent.* All of this is written under another name (`target.rs`), synced, opened
//!     and verified (`verify.rs`), and then renamed.
//!
//! Read next: `tree.rs` (the steps), `overlay.rs` and `checkpoint.rs` (what applies frames).

mod target;
mod tree;
mod verify;

use std::path::Path;
use std::time::Instant;

use self::target::Target;
pub(super) use self::tree::Steps;
use super::base::Base;
use super::disk::Disk;
use super::inner::{Inner, PinnedLog};
use super::log::mark::Mark;
use super::log::read;
use super::overlay::Overlay;
use super::room::{self, FREE_TO_OPEN};
use super::tree::Batch;
use super::values::encoded;
use super::{SledStore, checkpoint, creation, guarded, keys, recover};
use crate::store::{BackupReport, StoreError};

/// Makes a backup of the store.
pub(super) fn back_up(store: &SledStore, to: &Path) -> Result<BackupReport, StoreError> {
    #[expect(clippy::disallowed_methods, reason = "for the report only")]
    let begun = Instant::now();
    // A backup of damaged content would replace good backups.
    if let Some(damage) = store.damage().first() {
        return Err(damage.clone());
    }
    let report = write(&store.inner, to, Steps::default(), &|| ())?;
    let report = BackupReport { duration: begun.elapsed(), ..report };
    tell!(info, path = %report.path.display(), "a backup is complete: {report}");
    Ok(report)
}

/// Writes and verifies a backup. Calls `between` between steps, while no lock is held.
pub(super) fn write(
    inner: &Inner,
    to: &Path,
    steps: Steps,
    between: &dyn Fn(),
) -> Result<BackupReport, StoreError> {
    let room = &inner.room;
    let target = Target::create(to)?;
    let needed = inner.usage().disk_bytes + room.reserve() + FREE_TO_OPEN;
    room::check(&Disk::System, target.path(), needed)?;
    let may_go_on = || {
        between();
        if room.has_given_up() {
            return Err(StoreError::BackupStopped { path: to.to_owned() });
        }
        // The pinned log takes space of the store.
        room.for_new_work()?;
        room::check(&Disk::System, target.path(), room.reserve())
    };
    let cache_bytes = SledStore::options().cache_bytes;
    let last_commit = {
        let copy = Base::open(&Disk::System, &target.tree(), cache_bytes)?;
        guarded(room.path(), || fill(inner, &copy, steps, &may_go_on))?
    };
    write_mark(&target, last_commit)?;
    let counts = guarded(target.path(), || {
        let copy = Base::open(&Disk::System, &target.tree(), cache_bytes)?;
        verify::verify(&copy, &target.log(), last_commit, &may_go_on)
    })?;
    let (path, bytes) = target.complete()?;
    let (instances, messages) = (counts.instances, counts.messages);
    Ok(BackupReport { path, instances, messages, bytes, last_commit, ..BackupReport::default() })
}

/// Copies the content of the store into a new tree; returns the last frame that it contains. Between
/// steps, calls `may_go_on`.
fn fill(
    inner: &Inner,
    copy: &Base,
    steps: Steps,
    may_go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let base = inner.base();
    let pinned = inner.pin_log()?;
    let applied = pinned.as_ref().map_or_else(|| base.applied(), |log| Ok(log.applied))?;
    tree::copy(base, copy, steps, may_go_on)?;
    let mut batch = Batch::default();
    batch.insert(keys::APPLIED, encoded(&applied)?);
    copy.write(batch)?;
    let last = match pinned {
        Some(log) => apply_log(&log, copy, may_go_on)?,
        // The log was read when the store was opened, and the store does not change.
        None => apply(&inner.view().layers.newest, copy, may_go_on)?.max(applied),
    };
    // The steps do not copy the index by creation, because a record may be in several pieces.
    creation::rebuild(copy)?;
    copy.sync()?;
    Ok(last)
}

/// Applies the frames of the log to the copy, up to the last one that is acknowledged now.
fn apply_log(
    log: &PinnedLog<'_>,
    copy: &Base,
    may_go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    let mut applied = log.applied;
    let (files, last) = log.files()?;
    for file in files {
        may_go_on()?;
        let frames = read::acknowledged(&Disk::System, &file, applied, last)?;
        let Some(first) = frames.first() else { continue };
        if first.sequence != applied + 1 {
            break;
        }
        let mut overlay = Overlay { recovers: true, ..Overlay::default() };
        recover(&mut overlay, copy, &frames)?;
        applied = apply(&overlay, copy, may_go_on)?;
    }
    if applied < last {
        let what = format!("frame {} of the log cannot be read any more", applied + 1);
        return Err(StoreError::damaged(what));
    }
    Ok(applied)
}

/// Writes an overlay into the copy; returns its last frame.
fn apply(
    overlay: &Overlay,
    copy: &Base,
    may_go_on: &dyn Fn() -> Result<(), StoreError>,
) -> Result<u64, StoreError> {
    if !overlay.is_empty() {
        checkpoint::write_unsynced(copy, overlay, |_entries, _bytes| may_go_on())?;
    }
    Ok(overlay.last)
}

/// Writes the mark of an empty log, so that a copy which loses its last frames does not open.
fn write_mark(target: &Target, last: u64) -> Result<(), StoreError> {
    let write = || {
        std::fs::create_dir_all(target.log())?;
        let mut mark = Mark::open(&Disk::System, &target.log())?;
        mark.set(last)?;
        mark.sync()
    };
    let doing = || format!("cannot write to `{}`", target.log().display());
    write().map_err(|error| StoreError::io(doing(), error))
}
