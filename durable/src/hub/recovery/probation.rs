//! The thread `durable-recovery`: it lets the instances run that are held back, a few at a time, so
//! that the one that crashes the process is known at the next opening.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::held::{Held, HeldBack};
use super::note::{Attempt, Messages, Notes};
use crate::hub::health::Health;
use crate::hub::mail::{Mail, Manage};
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::Ownership;
use crate::hub::time::clock;
use crate::protocol::{MessageId, PartitionId};
use crate::store::{Store, StoreError};

/// How long a group has the process for itself, unless all of its members record a result before.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// How often the store is asked whether all members have recorded a result.
const LOOK: Duration = Duration::from_millis(20);
/// The time before the trial of an accused instance is at most this many times as long as the
/// trial. So something else ends the process during the trial in at most one of this many cases.
pub(crate) const QUIET: u32 = 16;
/// The part of a group that runs together at the next opening, if the group has crashed the process.
const PART: usize = 16;

type Suspect = (PartitionId, Attempt);

/// The instances that are held back, and what lets them run.
pub(crate) struct Probation {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) notes: Arc<Notes>,
    /// The note about the present trial, or that there has been none.
    pub(crate) note: Messages,
    pub(crate) held: Arc<HeldBack>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    /// The ownership of the partition of the suspects, which may be lost, if processes share the hub.
    pub(crate) owner: Option<Arc<Ownership>>,
    pub(crate) suspects: Vec<Suspect>,
}

/// The right to let suspects run in this process.
struct Turn<'a> {
    of: &'a Mutex<()>,
    guard: Option<MutexGuard<'a, ()>>,
}

impl<'a> Turn<'a> {
    fn take(of: &'a Mutex<()>) -> Self {
        Self { of, guard: Some(of.lock().unwrap_or_else(PoisonError::into_inner)) }
    }

    /// Lets the suspects of other partitions run for this long, or longer if they need it.
    fn lend(&mut self, time: Duration) {
        drop(self.guard.take());
        thread::park_timeout(time);
        *self = Self::take(self.of);
    }
}

impl Probation {
    /// Lets the instances run. The accused one runs first, after a time in which no suspect runs;
    /// then those whose group crashed the process. The groups of the others grow while nothing
    /// happens.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.let_all_run(&mut Turn::take(&Mutex::default())) {
            // The hub fails by its own commits if the store has failed. What is held back now runs
            // when the hub is next opened.
            let error = crate::store::chain(&error);
            tell!(warn, error, "instances stay held back: their note cannot be stored");
        }
    }

    /// Like [`run`](Self::run), but in a hub that several processes share, when it is the turn of
    /// these suspects. Returns whether all of them run.
    pub(crate) fn run_in_turn(mut self, turn: &Mutex<()>) -> bool {
        let run = |this: &mut Self| {
            let mut turn = Turn::take(turn);
            if this.suspects.first().is_some_and(|(_, first)| first.is_accused()) {
                this.note = this.notes.write_quiet(&*this.store)?;
            }
            this.let_all_run(&mut turn)
        };
        match run(&mut self) {
            Ok(()) => self.suspects.is_empty(),
            Err(error) => {
                let error = crate::store::chain(&error);
                tell!(warn, error, "instances stay held back: their note cannot be stored");
                false
            }
        }
    }

    fn let_all_run(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreError> {
        // In the meantime, the partitions find out which entities can begin.
        thread::park_timeout(LOOK);
        let mut size = 1;
        while self.goes_on() && !self.suspects.is_empty() {
            let group = self.next_group(&mut size);
            if group.is_empty() {
                // They wait for locks, which a suspect of another partition may hold.
                turn.lend(LOOK);
                continue;
            }
            if let (_, first) = &group[0]
                && first.is_accused()
            {
                self.wait((trial_of(first) * QUIET).mul_f64(drawn()), |_| Ok(false))?;
            }
            if self.goes_on() {
                self.let_run(group)?;
            } else {
                self.suspects.extend(group);
            }
        }
        Ok(())
    }

    /// Whether the hub is open, and still owns the partition.
    fn goes_on(&self) -> bool {
        self.health.check().is_ok() && !self.owner.as_ref().is_some_and(|owner| owner.is_lost())
    }

    /// Takes the next suspects that can begin. An entity cannot while it waits for a lock.
    fn next_group(&mut self, size: &mut usize) -> Vec<Suspect> {
        let (held, mut at_once) = (Arc::clone(&self.held), None);
        let group = self.suspects.extract_if(.., |(_, suspect)| {
            let id = suspect.held();
            if id.is_entity() && held.of(&id) == Some(Held::Back) {
                return false;
            }
            let left = at_once.get_or_insert_with(|| match suspect.group {
                0 => std::mem::replace(size, size.saturating_mul(2)),
                group => (group / PART).max(1),
            });
            let is_next = *left > 0;
            *left = left.saturating_sub(1);
            is_next
        });
        group.collect()
    }

    /// Lets a group run under a note, until all of its members have gone on or their time is up.
    fn let_run(&mut self, mut group: Vec<Suspect>) -> Result<(), StoreError> {
        // A client may have resumed or ended some of them.
        group.retain(|(_, suspect)| self.held.is_back(&suspect.held()));
        if group.is_empty() {
            return Ok(());
        }
        let size = group.len();
        let now = |(at, suspect): Suspect| Ok((at, suspect.in_group(&*self.store, at, size)?));
        let mut group: Vec<_> = group.into_iter().map(now).collect::<Result<_, StoreError>>()?;
        let before = std::mem::take(&mut self.note);
        let mut note = self.notes.write(&*self.store, &group, before)?;
        for (_, suspect) in &group {
            self.release(suspect);
        }
        let most = match &*group {
            [(_, accused)] if accused.is_accused() => trial_of(accused),
            _ => GRACE,
        };
        self.wait(most, |after| {
            if let [(_, alone)] = &mut *group
                && !alone.is_accused()
                && after >= alone.within()
            {
                alone.runs_longer();
                note = self.notes.write(&*self.store, &group, std::mem::take(&mut note))?;
            }
            self.have_gone_on(&group)
        })?;
        self.notes.remove(&*self.store, note)?;
        self.let_entities_continue(group);
        Ok(())
    }

    /// The next operation of an entity gets a trial of its own. Without a next operation, the
    /// entity runs as usual.
    fn let_entities_continue(&mut self, group: Vec<Suspect>) {
        for (at, suspect) in group {
            let id = suspect.held();
            let held = self.held.of(&id).filter(|_| id.is_entity());
            if held == Some(Held::BackAndReady)
                && let Some(next) = suspect.next_operation()
            {
                self.suspects.insert(0, (at, next));
            } else if held.is_some() {
                self.held.release(&id);
                self.mailboxes.send(&id, Mail::Release(id.clone()));
            }
        }
    }

    /// Waits at most this long. `is_over` is called from time to time, with the time that has
    /// passed.
    fn wait(
        &self,
        most: Duration,
        mut is_over: impl FnMut(Duration) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let begun = clock::stopwatch();
        while begun.elapsed() < most && self.goes_on() && !is_over(begun.elapsed())? {
            thread::park_timeout(LOOK);
        }
        Ok(())
    }

    fn have_gone_on(&self, group: &[Suspect]) -> Result<bool, StoreError> {
        for (at, suspect) in group {
            if !suspect.has_gone_on(&*self.store, *at)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn release(&self, suspect: &Attempt) {
        let id = suspect.held();
        if !id.is_orchestration() {
            self.held.set(&id, Held::ForOneOperation);
            self.mailboxes.send(&id, Mail::Release(id.clone()));
            return;
        }
        self.held.release(&id);
        let (reply, resumed) = oneshot::channel();
        let reason = "it runs again while few others do".to_owned();
        let what = Manage::Resume { reason };
        self.mailboxes
            .send(&id, Mail::Manage { instance_id: id.clone(), what, reply: reply.into() });
        // An instance that has ended in the meantime, or that waits for code, needs nothing more.
        drop(resumed.blocking_recv());
    }
}

/// How long an accused instance runs alone: twice as long as it took to crash the process, because it
/// will not take exactly as long again.
fn trial_of(accused: &Attempt) -> Duration {
    (accused.within() * 2).min(GRACE)
}

/// A random number from 0 to 1.
fn drawn() -> f64 {
    let [a, b, c, d, ..] = *MessageId::generate().as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
}

impl fmt::Debug for Probation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probation").field("suspects", &self.suspects.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Display;

    use super::*;
    use crate::hub::admission::Admission;
    use crate::protocol::EntityId;
    use crate::store::{Epoch, MemoryStore};

    /// An entity that is held back in this partition, and waits for a lock.
    fn waits(partition: u16, key: impl Display) -> (Arc<Ownership>, Probation) {
        let id = EntityId::new("Account", key.to_string()).unwrap().instance_id().clone();
        let attempt = serde_json::json!({
            "id": id, "state": {"execution": null, "events": 0, "updated": null, "message": null},
            "count": 3, "alone": 0, "group": 0, "within_millis": 100,
        });
        let held = Arc::<HeldBack>::default();
        held.set(&id, Held::Back);
        let (owner, _mail) = Ownership::new(PartitionId(partition), Epoch(1));
        let probation = Probation {
            store: Arc::new(MemoryStore::default()),
            notes: Arc::default(),
            note: Vec::new(),
            held,
            mailboxes: Mailboxes::new(2, None, Admission::new(1)),
            health: Arc::default(),
            owner: Some(Arc::clone(&owner)),
            suspects: vec![(PartitionId(partition), serde_json::from_value(attempt).unwrap())],
        };
        (owner, probation)
    }

    /// The lock for which a suspect waits may be that of a suspect of another partition.
    #[test]
    fn suspects_that_cannot_begin_leave_the_turn_to_others_until_their_partition_is_lost() {
        let turn = Mutex::default();
        let ((one, of_one), (two, of_two)) = (waits(0, "a"), waits(1, "b"));
        thread::scope(|scope| {
            let first = scope.spawn(|| of_one.run_in_turn(&turn));
            let second = scope.spawn(|| of_two.run_in_turn(&turn));
            two.lose();
            assert!(!second.join().unwrap(), "its suspects are still held back");
            one.lose();
            assert!(!first.join().unwrap());
        });
    }
}
