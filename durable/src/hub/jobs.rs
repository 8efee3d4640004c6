//! Which activities wait to be run, and which are running.
//!
//! Rules:
//! 1. Jobs begin in the order in which they came, except that one of an activity with a limit stands
//!    aside while as many of that activity are running.
//! 2. An attempt whose result is on its way to its partition is not begun again: an instance that is
//!    replayed meanwhile cannot know that it has ended.
//! 3. A job that is cancelled is gone: if it is running, its result counts for nothing.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tokio_util::sync::CancellationToken;

use super::activities::{Job, JobKey};
use super::metrics::{self, Stopwatch};
use super::virtual_time::Busy;
use crate::panics;
use crate::protocol::{ExecutionId, InstanceId};

#[derive(Debug, Default)]
pub(super) struct Jobs {
    queue: VecDeque<Waiting>,
    /// The jobs in the queue, or aside, that were not cancelled.
    waiting: BTreeSet<JobKey>,
    running: BTreeMap<JobKey, Running>,
    /// The attempts that have ended and whose results are not taken in yet.
    reported: BTreeMap<JobKey, u32>,
    limited: HashMap<Cow<'static, str>, Limited>,
    started: u64,
}

#[derive(Debug)]
struct Waiting {
    job: Box<Job>,
    at_most: Option<usize>,
    busy: Busy,
    since: Stopwatch,
}

#[derive(Debug)]
struct Running {
    number: u64,
    token: CancellationToken,
    instance_id: InstanceId,
    name: Cow<'static, str>,
}

/// What there is of an activity of which only so many may run.
#[derive(Debug, Default)]
struct Limited {
    running: usize,
    aside: VecDeque<Waiting>,
}

/// Goes with a running job.
#[derive(Debug)]
pub(super) struct Ticket {
    pub(super) token: CancellationToken,
    number: u64,
    limited: Option<Cow<'static, str>>,
    pub(super) began: Stopwatch,
    /// Keeps time from passing while the job runs.
    pub(super) busy: Busy,
}

impl Jobs {
    /// Adds a job, unless it is there already.
    pub(super) fn add(&mut self, job: Box<Job>, at_most: Option<usize>, busy: Busy) -> bool {
        let key = job.key();
        let is_reported = self.reported.get(&key) == Some(&job.task.attempt);
        if is_reported || self.running.contains_key(&key) || !self.waiting.insert(key) {
            return false;
        }
        self.queue.push_back(Waiting { job, at_most, busy, since: Stopwatch::start() });
        true
    }

    /// The job to run next.
    pub(super) fn next(&mut self) -> Option<(Box<Job>, Ticket)> {
        loop {
            let next = self.queue.pop_front()?;
            let key = next.job.key();
            if !self.waiting.contains(&key) {
                continue;
            }
            let name = next.at_most.map(|_| next.job.task.name.clone());
            if let (Some(at_most), Some(name)) = (next.at_most, &name) {
                let limited = self.limited.entry(name.clone()).or_default();
                if limited.running >= at_most {
                    limited.aside.push_back(next);
                    continue;
                }
                limited.running += 1;
            }
            self.waiting.remove(&key);
            self.started += 1;
            let (number, token) = (self.started, CancellationToken::new());
            let (instance_id, activity) =
                (next.job.instance_id.clone(), next.job.task.name.clone());
            let running = Running { number, token: token.clone(), instance_id, name: activity };
            self.running.insert(key, running);
            metrics::activity_began(&next.job.task.name, next.since);
            let (limited, began) = (name, Stopwatch::start());
            let ticket = Ticket { token, number, limited, began, busy: next.busy };
            return Some((next.job, ticket));
        }
    }

    /// A job has ended; whether anybody waits for its result.
    pub(super) fn end(&mut self, key: &JobKey, ticket: &Ticket) -> bool {
        if let Some(limited) = ticket.limited.as_ref().and_then(|name| self.limited.get_mut(name)) {
            limited.running -= 1;
            if let Some(next) = limited.aside.pop_front() {
                self.queue.push_front(next);
            }
        }
        let is_it = self.is_wanted(key, ticket);
        if is_it {
            self.running.remove(key);
        }
        is_it
    }

    /// The result of an attempt is on its way.
    pub(super) fn report(&mut self, key: JobKey, attempt: u32) {
        self.reported.insert(key, attempt);
    }

    /// The result of an attempt has been taken in.
    pub(super) fn take_in(&mut self, key: &JobKey, attempt: u32) {
        if self.reported.get(key) == Some(&attempt) {
            self.reported.remove(key);
        }
    }

    /// Whether anybody waits for the result of a running job.
    pub(super) fn is_wanted(&self, key: &JobKey, ticket: &Ticket) -> bool {
        self.running.get(key).is_some_and(|job| job.number == ticket.number)
    }

    /// The jobs that are running and waited for: whose, and what.
    pub(super) fn running(&self) -> Vec<(InstanceId, String)> {
        let running = self.running.values();
        running.map(|job| (job.instance_id.clone(), job.name.to_string())).collect()
    }

    /// Tells how many there are.
    pub(super) fn count(&self) {
        metrics::activities(self.waiting.len(), self.running.len());
    }

    pub(super) fn cancel(&mut self, key: &JobKey) {
        self.waiting.remove(key);
        if let Some(running) = self.running.remove(key) {
            wake(&running.token);
        }
    }

    pub(super) fn cancel_all(&mut self, execution: ExecutionId) {
        let all = (execution, i32::MIN)..=(execution, i32::MAX);
        let waiting = self.waiting.range(all.clone()).copied();
        let running = self.running.range(all).map(|(key, _)| *key);
        let keys: Vec<_> = waiting.chain(running).collect();
        for key in &keys {
            self.cancel(key);
        }
    }

    /// Begins nothing more, and tells what is running to come to an end.
    pub(super) fn close(&mut self) {
        self.queue.clear();
        self.waiting.clear();
        self.limited.values_mut().for_each(|limited| limited.aside.clear());
        self.running.values().for_each(|running| wake(&running.token));
    }
}

/// Cancels a token. That calls the wakers of whoever waits for it, which may be of the user's making.
fn wake(token: &CancellationToken) {
    panics::shield(|| token.cancel());
}
