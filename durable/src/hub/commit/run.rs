//! The commit of one group, step by step: the store, then its messages, then its effects.
//!
//! A thread takes all steps at once. A simulation takes small steps, and lets other tasks run
//! between them.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::vec::IntoIter;

use super::committer::Committer;
use super::write::{Effect, UNNUMBERED, Write};
use crate::hub::mail::Mail;
#[cfg(feature = "testing")]
use crate::hub::met;
use crate::hub::ownership::Ownership;
use crate::panics;
use crate::protocol::TaskMessage;

/// A group that is being committed. The next one may be taken when this is dropped.
#[derive(Debug)]
pub(crate) struct CommitRun<C: Borrow<Committer>> {
    phase: Phase,
    /// Kept to the end, because it holds virtual time still. If the commit fails, the waiters whose
    /// replies it holds find the reason when it is dropped.
    group: Vec<Write>,
    // Dropped last, even if dropping the group panics.
    dealing: Dealing<C>,
}

#[derive(Debug)]
enum Phase {
    Store,
    /// The messages that are durable and were not sent yet.
    Messages(IntoIter<(Arc<Ownership>, TaskMessage)>),
    /// The number of writes whose effects were taken, and the rest of the effects of the last one.
    Effects(usize, IntoIter<Effect>),
}

#[derive(Debug)]
struct Dealing<C: Borrow<Committer>>(C);

impl<C: Borrow<Committer>> Drop for Dealing<C> {
    fn drop(&mut self) {
        self.0.borrow().writes.done();
    }
}

impl<C: Borrow<Committer>> CommitRun<C> {
    /// Begins the commit of a group that was taken from the committer's queue.
    pub(crate) fn new(committer: C, group: Vec<Write>) -> Self {
        Self { phase: Phase::Store, group, dealing: Dealing(committer) }
    }

    /// Takes the next step. At most `at_most` messages or effects leave in one step. Returns
    /// whether there is another step.
    pub(crate) fn step(&mut self, at_most: usize) -> bool {
        let committer = self.dealing.0.borrow();
        match &mut self.phase {
            Phase::Store if committer.health.has_failed() => false,
            Phase::Store => match committer.commit(&mut self.group) {
                Ok(messages) => {
                    self.phase = Phase::Messages(messages.into_iter());
                    true
                }
                Err(error) => {
                    committer.health.fail(error.into());
                    false
                }
            },
            Phase::Messages(messages) => {
                for (owner, message) in messages.take(at_most) {
                    committer.mailboxes.send_to(&owner, Mail::Message(Box::new(message)));
                }
                mark!(messages.len() > 0, "commit: messages leave in several steps");
                if messages.len() == 0 {
                    self.phase = Phase::Effects(0, Vec::new().into_iter());
                }
                true
            }
            Phase::Effects(taken, effects) => {
                let group = &mut self.group;
                // A reply calls the waker of a waiting task, which may be user code. If it panics,
                // only this effect is lost.
                loop {
                    let release = || release(committer, group, taken, effects, at_most);
                    if let Ok(is_more) = panics::catch(release) {
                        return is_more;
                    }
                }
            }
        }
    }
}

impl Committer {
    /// Commits queued writes until all partitions have left.
    pub(crate) fn run(&self) {
        while let Some(group) = self.writes.take() {
            self.deal_with(group);
        }
    }

    /// Adds the writes of a partition, and commits a group unless a commit is in progress.
    pub(crate) fn commit_at_once(&self, new: &mut Vec<Write>) {
        if let Some(group) = self.writes.add_and_take(new) {
            self.deal_with(group);
        }
    }

    fn deal_with(&self, group: Vec<Write>) {
        let mut run = CommitRun::new(self, group);
        while run.step(usize::MAX) {}
    }
}

/// Takes at most this many effects, each once its write counts as durable. Returns whether there
/// are more.
fn release(
    committer: &Committer,
    group: &mut [Write],
    taken: &mut usize,
    effects: &mut IntoIter<Effect>,
    at_most: usize,
) -> bool {
    for _ in 0..at_most {
        if let Some(effect) = effects.next() {
            #[cfg(feature = "testing")]
            met::effect(&effect);
            // The last write whose effects were begun.
            if let Some(write) = taken.checked_sub(1).and_then(|last| group.get(last)) {
                committer.take_effect(effect, &write.owner);
            }
            continue;
        }
        let Some(write) = group.get_mut(*taken) else { return false };
        *taken += 1;
        // A partition that was lost does not learn that its writes are void.
        let is_void = committer.is_shared && write.owner.is_lost();
        if write.number != UNNUMBERED && !is_void {
            write.owner.durable.store(write.number, Ordering::Release);
        }
        *effects = std::mem::take(&mut write.effects).into_iter();
    }
    true
}
