//! Recovery in a hub that several processes share.
//!
//! What `mod.rs` says of openings applies to takeovers here. Before a node runs anything of a
//! partition that it takes over from a process that has ended, it stores a note of this partition,
//! which counts the attempts of what is about to run. So an instance that ends each process that
//! runs it is recognized by its attempts in all processes, and is set aside after as many ends as
//! in one process.
//!
//! Differences from a hub in one process:
//! 1. A partition that was released has no note, unless suspects were still held back. So a move costs
//!    one read.
//! 2. The suspects of several partitions have their trials one after the other, so that at most one
//!    runs in a process. Suspects that wait for their turn keep what is known of them, whatever ends
//!    the process. The note that no suspect has begun is written when the turn of the partition begins.
//!    While none of its suspects can begin, other partitions have their turns.
//! 3. A partition does not move to another node while its suspects are held back.
//! 4. Once the process has survived a takeover for [`KEPT`], its notes are removed.
//!
//! Read next: `note.rs` (the note and the decision), `probation.rs` (the trials).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::held::HeldBack;
use super::note::{self, Messages, Notes, TakenOver};
use super::probation::Probation;
use crate::hub::health::Health;
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::{Former, Ownership};
use crate::hub::telemetry::lines;
use crate::hub::threads::Threads;
use crate::hub::time::clock::{self, Clock};
use crate::protocol::PartitionId;
use crate::store::{Epoch, PartitionState, Store, StoreError, chain};

/// How long notes are kept while the process does not end. Longer than any trial.
const KEPT: Duration = Duration::from_mins(1);

/// What a node knows of the partitions that it has taken over. It must not keep the store open.
pub(crate) struct Takeovers {
    held: Arc<HeldBack>,
    mailboxes: Mailboxes,
    health: Arc<Health>,
    clock: Clock,
    noted: Mutex<BTreeMap<PartitionId, Noted>>,
    /// Locked by the partition whose suspects have their trials.
    turn: Mutex<()>,
}

/// What has notes: a hub that has its store to itself, or the partitions of a node. Neither in virtual
/// time, where no process can end.
pub(crate) type OfAttempts = (Option<Arc<Notes>>, Option<Arc<Takeovers>>);

/// A partition that has notes.
struct Noted {
    epoch: Epoch,
    notes: Arc<Notes>,
    /// The notes of what runs in the partition, without those of trials.
    base: Messages,
    since: Instant,
    trials: Trials,
}

/// The trials of the suspects of a partition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trials {
    /// Suspects are held back.
    UnderWay,
    /// There are none, or all suspects run again.
    Over,
    /// They ended before all suspects had a trial: the next owner continues with them.
    Failed,
}

impl Takeovers {
    pub(crate) fn new(
        held: Arc<HeldBack>,
        (mailboxes, health): (Mailboxes, Arc<Health>),
        clock: Clock,
    ) -> Arc<Self> {
        let (noted, turn) = (Mutex::default(), Mutex::default());
        Arc::new(Self { held, mailboxes, health, clock, noted, turn })
    }

    /// Decides what must not run in a partition of this node, before anything of it runs.
    pub(crate) fn begin(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        owner: &Arc<Ownership>,
        found: &PartitionState,
        threads: &Threads,
    ) {
        self.noted().remove(&owner.partition);
        self.held.forget(|id| self.mailboxes.partition(id) == owner.partition);
        if let Err(error) = self.decide(store, owner, found, threads) {
            let error = chain(&error);
            tell!(
                warn,
                partition = owner.partition.0,
                error,
                "attempts of instances that may crash the process are not counted"
            );
        }
    }

    fn decide(
        self: &Arc<Self>,
        store: &Arc<dyn Store>,
        owner: &Arc<Ownership>,
        found: &PartitionState,
        threads: &Threads,
    ) -> Result<(), StoreError> {
        let (partition, epoch) = (owner.partition, owner.epoch);
        let is_needed = match owner.former {
            Former::Ended => true,
            Former::Released => note::exists(&**store, partition, found)?,
        };
        if !is_needed {
            return Ok(());
        }
        let claim = (partition, epoch, found);
        let begun = note::take_over(&**store, claim, self.clock.now(), &self.held)?;
        lines::recovering(begun.suspects.len());
        let TakenOver { notes, written: base, suspects } = begun;
        let has_suspects = !suspects.is_empty();
        let trials = if has_suspects { Trials::UnderWay } else { Trials::Over };
        let of_noted = Arc::clone(&notes);
        let noted = Noted { epoch, notes: of_noted, base, since: clock::stopwatch(), trials };
        self.noted().insert(partition, noted);
        if has_suspects {
            let probation = Probation {
                store: Arc::clone(store),
                notes,
                note: Vec::new(),
                held: Arc::clone(&self.held),
                mailboxes: self.mailboxes.clone(),
                health: Arc::clone(&self.health),
                owner: Some(Arc::clone(owner)),
                suspects,
            };
            let takeovers = Arc::clone(self);
            let run = move || takeovers.let_run((partition, epoch), probation);
            if threads.start("durable-recovery", run).is_err() {
                self.end_trials((partition, epoch), Trials::Failed);
            }
        }
        Ok(())
    }

    fn let_run(&self, of: (PartitionId, Epoch), probation: Probation) {
        let are_over = probation.run_in_turn(&self.turn);
        self.end_trials(of, if are_over { Trials::Over } else { Trials::Failed });
    }

    fn end_trials(&self, (partition, epoch): (PartitionId, Epoch), trials: Trials) {
        if let Some(noted) = self.noted().get_mut(&partition)
            && noted.epoch == epoch
        {
            noted.trials = trials;
        }
    }

    /// Whether a partition must not move, because suspects are held back.
    pub(crate) fn must_stay(&self, partition: PartitionId) -> bool {
        self.noted().get(&partition).is_some_and(|it| it.trials == Trials::UnderWay)
    }

    /// Removes the notes of takeovers that the process has survived.
    pub(crate) fn remove_old(&self, store: &dyn Store) {
        let is_old = |noted: &Noted| noted.trials == Trials::Over && noted.since.elapsed() >= KEPT;
        let old: Vec<_> = self.noted().extract_if(.., |_, noted| is_old(noted)).collect();
        for (_, noted) in old {
            noted.leave(store);
        }
    }

    /// The node gives a partition up in an orderly way.
    pub(crate) fn leave(&self, store: &dyn Store, partition: PartitionId) {
        let noted = self.noted().remove(&partition);
        if let Some(noted) = noted {
            noted.leave(store);
        }
    }

    /// The node leaves in an orderly way.
    pub(crate) fn leave_all(&self, store: &dyn Store) {
        for noted in std::mem::take(&mut *self.noted()).into_values() {
            noted.leave(store);
        }
    }

    fn noted(&self) -> MutexGuard<'_, BTreeMap<PartitionId, Noted>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    /// Removes the notes: the process has not ended. What is known of suspects stays while they are
    /// held back. If the partition was lost, its next owner has replaced the notes.
    fn leave(self, store: &dyn Store) {
        let kept = match self.trials {
            Trials::Over => Messages::new(),
            Trials::UnderWay | Trials::Failed => self.base,
        };
        drop(self.notes.remove_all_but(store, &kept));
    }
}

impl fmt::Debug for Takeovers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let noted: Vec<_> = self.noted().keys().copied().collect();
        f.debug_struct("Takeovers").field("noted", &noted).finish_non_exhaustive()
    }
}
