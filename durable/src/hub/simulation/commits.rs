//! The committer of a simulated process, and where its writes come from.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::hub::commit::committer::Committer;
use crate::hub::commit::run::CommitRun;
use crate::hub::commit::write::Write;
use crate::hub::nodes::node::Writer;
use crate::hub::ownership::Ownership;
use crate::hub::partition::outbox::Outlet;
use crate::hub::work::batches::{BatchJob, Batches};
use crate::panics;
use crate::protocol::FailureDetails;

/// The committer, and the group that it is committing.
#[derive(Debug)]
pub(super) struct Commits {
    pub(super) committer: Arc<Committer>,
    run: Mutex<Option<CommitRun<Arc<Committer>>>>,
}

impl Commits {
    pub(super) fn new(committer: Arc<Committer>) -> Arc<Self> {
        Arc::new(Self { committer, run: Mutex::default() })
    }

    /// Whether a group can be committed, or the next step of its commit can be taken.
    pub(super) fn has_step(&self) -> bool {
        self.run().is_some() || self.committer.writes.has_group()
    }

    pub(super) fn run(&self) -> MutexGuard<'_, Option<CommitRun<Arc<Committer>>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step. Does nothing if a step is in progress further down the stack.
    pub(super) fn step(&self, at_most: usize) -> Result<(), FailureDetails> {
        let next = || {
            let group = self.committer.writes.next_group()?;
            Some(CommitRun::new(Arc::clone(&self.committer), group))
        };
        let under_way = self.run().take();
        let Some(mut run) = under_way.or_else(next) else { return Ok(()) };
        let step = || run.step(at_most).then_some(run);
        *self.run() = panics::catch(step)?;
        Ok(())
    }
}

/// Where the writes of a simulated partition go.
#[derive(Debug)]
pub(super) struct SimulatedOutlet {
    commits: Arc<Commits>,
    batches: Arc<Batches>,
    owner: Arc<Ownership>,
}

impl SimulatedOutlet {
    pub(super) fn new(commits: Arc<Commits>, batches: Arc<Batches>, owner: Arc<Ownership>) -> Self {
        commits.committer.writes.join();
        Self { commits, batches, owner }
    }
}

impl Writer for Commits {
    fn hand_over(&self, writes: &mut Vec<Write>) {
        // While a thread waits for room, other threads would continue. If the commit itself is
        // further down the stack, the queue exceeds its limit, which changes no order.
        let committer = &self.committer;
        while committer.writes.is_full() && self.step(usize::MAX).is_ok() {
            if self.run().is_none() && !committer.writes.has_group() {
                break;
            }
        }
        committer.writes.add_unbounded(writes);
    }

    /// The commit is a separate step, as if the committer's thread had run first.
    fn commit(&self, writes: &mut Vec<Write>) {
        self.hand_over(writes);
    }
}

impl Outlet for SimulatedOutlet {
    fn hand_over(&mut self, writes: &mut Vec<Write>) {
        self.commits.hand_over(writes);
    }

    fn commit(&mut self, writes: &mut Vec<Write>) {
        self.commits.commit(writes);
    }

    fn run(&mut self, batch: BatchJob) {
        self.batches.submit(batch, &self.owner);
    }
}

impl Drop for SimulatedOutlet {
    fn drop(&mut self) {
        self.commits.committer.writes.leave();
    }
}
