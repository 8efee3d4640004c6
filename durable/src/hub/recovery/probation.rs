//! The thread `durable-recovery`: it lets the instances run that are held back, a few at a time, so
//! that the one that ends the process is known at the next opening.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::held::{Held, HeldBack};
use super::note::{Attempt, Notes};
use crate::hub::health::Health;
use crate::hub::mail::{Mail, Manage};
use crate::hub::mailboxes::Mailboxes;
use crate::hub::time::clock;
use crate::protocol::PartitionId;
use crate::store::{Store, StoreError};

/// How long a group has the process for itself, unless all of its members record a result before.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
/// The same for an entity, whose queue may be waiting for a lock.
const GRACE_OF_ENTITY: Duration = Duration::from_secs(1);
/// How often the store is asked whether they have.
const LOOK: Duration = Duration::from_millis(50);
/// The largest group.
const GROUP: usize = 16;

type Suspect = (PartitionId, Attempt);

/// The instances that are held back, and what lets them run.
pub(crate) struct Probation {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) notes: Arc<Notes>,
    pub(crate) held: Arc<HeldBack>,
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    pub(crate) suspects: VecDeque<Suspect>,
}

impl Probation {
    /// Lets the instances run. Those that ended the process before run alone and first; the groups
    /// of the others grow while nothing happens.
    pub(crate) fn run(mut self) {
        let mut size = 1;
        while self.health.check().is_ok()
            && let Some(group) = self.next_group(size)
        {
            if group.iter().all(|(_, suspect)| !is_accused(suspect)) {
                size = (size * 2).min(GROUP);
            }
            if let Err(error) = self.let_run(group) {
                // The hub fails by its own commits if the store has failed. What is held back now
                // runs when the hub is next opened.
                let error = crate::store::chain(&error);
                tell!(warn, error, "instances stay held back: their note cannot be stored");
                return;
            }
        }
    }

    fn next_group(&mut self, size: usize) -> Option<Vec<Suspect>> {
        let (_, first) = self.suspects.front()?;
        let size = if is_accused(first) { 1 } else { size.min(self.suspects.len()) };
        Some(self.suspects.drain(..size).collect())
    }

    /// Lets a group run under a note, until all of its members have gone on or their time is up.
    fn let_run(&self, mut group: Vec<Suspect>) -> Result<(), StoreError> {
        // A client may have resumed or ended some of them.
        group.retain(|(_, suspect)| self.held.of(&suspect.held()) == Some(Held::Back));
        let size = group.len();
        let now = |(at, suspect): Suspect| Ok((at, suspect.in_group(&*self.store, at, size)?));
        let group: Vec<_> = group.into_iter().map(now).collect::<Result<_, StoreError>>()?;
        let note = self.notes.add(&*self.store, &group)?;
        for (_, suspect) in &group {
            self.release(suspect);
        }
        let begun = clock::stopwatch();
        while begun.elapsed() < GRACE
            && self.health.check().is_ok()
            && !self.have_gone_on(&group, begun.elapsed())?
        {
            thread::park_timeout(LOOK);
        }
        self.notes.remove(&*self.store, note)
    }

    fn have_gone_on(&self, group: &[Suspect], after: Duration) -> Result<bool, StoreError> {
        for (at, suspect) in group {
            let is_over = suspect.id.is_entity() && after > GRACE_OF_ENTITY;
            if !is_over && !suspect.has_gone_on(&*self.store, *at)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn release(&self, suspect: &Attempt) {
        let id = suspect.held();
        if !id.is_orchestration() {
            self.held.set(&id, Held::ToOneOperation);
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

/// Whether the process ended when the instance ran in a small group.
fn is_accused(suspect: &Attempt) -> bool {
    suspect.alone > 0 || suspect.group > 0
}

impl fmt::Debug for Probation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probation").field("suspects", &self.suspects.len()).finish_non_exhaustive()
    }
}
