//! The activities that wait to be run, and those that are running.
//!
//! Rules:
//! 1. Jobs begin in the order of their arrival, except that while an activity runs `max_concurrent`
//!    times, its next jobs are set aside and other jobs overtake them.
//! 2. An attempt whose result is on its way to its partition is not started again, because an
//!    instance that is replayed in the meantime cannot know that the attempt has ended.
//! 3. A cancelled job is removed, with its input. If it is running, its result does not count.
//! 4. When a job of a limited activity ends, the first job that was set aside is queued again.
//! 5. The jobs of a lost partition are removed, and no more are added, because their results would
//!    be refused.

mod entries;
mod queue;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::entries::{Entries, Entry, Running, Stage, Waiting};
use self::queue::JobQueue;
use crate::engine::AttemptId;
use crate::hub::ownership::Ownership;
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::time::clock::Clock;
use crate::hub::time::virtual_time::{Busy, VirtualTime};
use crate::hub::work::job::{Job, JobKey};
use crate::hub::work::running::{RunningActivity, StartMoment};
use crate::panics;
use crate::protocol::{ExecutionId, InstanceId};

#[derive(Debug, Default)]
pub(crate) struct Jobs {
    time: Option<Arc<VirtualTime>>,
    entries: Entries,
    /// The jobs to start next.
    queue: JobQueue,
    limited: HashMap<Cow<'static, str>, Limited>,
    arrived: u64,
    started: u64,
    waiting: usize,
    running: usize,
    /// The jobs that workers run, wanted or not.
    taken: usize,
    /// Keeps virtual time from passing while an idle worker is about to take a queued job.
    coming: Busy,
}

/// The jobs of an activity with `max_concurrent`.
#[derive(Debug, Default)]
struct Limited {
    running: usize,
    aside: JobQueue,
}

/// Held by a worker while it runs a job.
#[derive(Debug)]
pub(crate) struct Ticket {
    pub(crate) owner: Arc<Ownership>,
    pub(crate) token: CancellationToken,
    number: u64,
    limited: Option<Cow<'static, str>>,
    pub(crate) began: Stopwatch,
    pub(super) start: StartMoment,
    /// Keeps virtual time from passing while the job runs.
    pub(crate) busy: Busy,
}

impl Ticket {
    /// The number of the running job.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Jobs {
    /// Creates an empty list. Start times are read from this virtual time, or else from the
    /// machine's clock.
    pub(crate) fn new(time: Option<Arc<VirtualTime>>) -> Self {
        Self { time, ..Self::default() }
    }

    /// Adds a job of a partition, unless this attempt waits, runs or has ended already, or the
    /// partition was lost.
    pub(crate) fn add(
        &mut self,
        job: Arc<Job>,
        owner: &Arc<Ownership>,
        at_most: Option<usize>,
    ) -> bool {
        // It has not noticed its loss yet (rule 5).
        if owner.is_lost() {
            mark!("jobs: a job of a lost partition arrives");
            return false;
        }
        let key = job.key();
        let new = || Entry { owner: Arc::clone(owner), stage: None, reported: None };
        let mut entry = self.entries.get_or_insert(key, new);
        if entry.owner.is_lost() {
            self.forget(&key);
            entry = self.entries.get_or_insert(key, new);
        }
        if entry.stage.is_some() || entry.reported == Some(job.task.attempt) {
            mark!(entry.stage.is_some(), "jobs: a known job arrives again");
            mark!(entry.stage.is_none(), "jobs: a job arrives while its result is in flight");
            return false;
        }
        self.arrived += 1;
        self.waiting += 1;
        let (number, since) = (self.arrived, Stopwatch::start());
        self.queue.insert(number, key);
        entry.stage = Some(Stage::Waiting(Waiting { job, number, at_most, since }));
        true
    }

    /// The job to run next.
    pub(crate) fn next(&mut self) -> Option<(Arc<Job>, Ticket)> {
        loop {
            let (number, key) = self.queue.pop_first()?;
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let Some(Stage::Waiting(next)) = &entry.stage else { continue };
            let limit = next.at_most.map(|at_most| (at_most, next.job.task.name.clone()));
            if let Some((at_most, name)) = &limit {
                let limited = self.limited.entry(name.clone()).or_default();
                if limited.running >= *at_most {
                    mark!("jobs: a job stands aside");
                    limited.aside.insert(number, key);
                    continue;
                }
                limited.running += 1;
            }
            self.started += 1;
            let (number, token) = (self.started, CancellationToken::new());
            let (job, since) = (Arc::clone(&next.job), next.since);
            let began = StartMoment::now(self.time.as_deref());
            entry.stage = Some(Stage::Running(Running {
                number,
                token: token.clone(),
                job: Arc::clone(&job),
                began,
            }));
            self.waiting -= 1;
            self.running += 1;
            self.taken += 1;
            let busy = Busy::new(self.time.as_ref());
            metrics::activity_began(&job.task.name, since);
            let ticket = Ticket {
                owner: Arc::clone(&entry.owner),
                token,
                number,
                limited: limit.map(|(_, name)| name),
                began: Stopwatch::start(),
                start: began,
                busy,
            };
            return Some((job, ticket));
        }
    }

    /// Lets virtual time pass unless one of the `workers` is idle while a job is queued. A job that
    /// waits for its turn does not keep it from passing: otherwise a running activity that sleeps
    /// in virtual time would never end.
    pub(crate) fn hold_time(&mut self, workers: usize) {
        if self.time.is_none() {
            return;
        }
        let is_coming = !self.queue.is_empty() && workers > self.taken;
        if is_coming != self.coming.is_held() {
            let time = self.time.as_ref().filter(|_| is_coming);
            self.coming = Busy::new(time);
        }
    }

    /// Ends a job. Returns whether its result is still wanted. If so, and if its result is
    /// `reported`, this attempt is not added again until [`finish`](Self::finish).
    pub(crate) fn end(
        &mut self,
        key: &JobKey,
        ticket: &Ticket,
        reported: Option<AttemptId>,
    ) -> bool {
        self.taken -= 1;
        if let Some(name) = &ticket.limited {
            if let Some(limited) = self.limited.get_mut(name) {
                limited.running -= 1;
            }
            self.queue_again(name);
        }
        let ended = self.entries.update(key, |entry| {
            let runs = entry.runs(ticket.number);
            if runs {
                entry.stage = None;
                entry.reported = reported.or(entry.reported);
            }
            runs
        });
        let is_wanted = ended == Some(true);
        mark!(!is_wanted, "jobs: a result is no longer wanted");
        self.running -= usize::from(is_wanted);
        is_wanted
    }

    /// The partition has stored the result of an attempt.
    pub(crate) fn finish(&mut self, key: &JobKey, attempt: AttemptId) {
        self.entries.update(key, |entry| {
            entry.reported.take_if(|reported| *reported == attempt);
        });
    }

    /// Whether the result of a running job is still wanted.
    pub(crate) fn is_wanted(&self, key: &JobKey, number: u64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.runs(number))
    }

    /// The running jobs whose results are wanted, in the order in which they began: the instance,
    /// and the name of the activity.
    pub(crate) fn running(&self) -> Vec<(InstanceId, String)> {
        let name = |running: &Running| running.job.task.name.to_string();
        let running = self.running_by_start().into_iter().map(|(_, running)| running);
        running.map(|running| (running.job.instance_id.clone(), name(running))).collect()
    }

    /// Like [`running`](Self::running), but with details.
    pub(crate) fn describe_running(&self, clock: &Clock) -> Vec<RunningActivity> {
        let describe = |((execution_id, event_id), running): (JobKey, &Running)| RunningActivity {
            instance_id: running.job.instance_id.clone(),
            execution_id,
            event_id,
            name: running.job.task.name.to_string(),
            attempt: running.job.task.attempt.number,
            since: running.began.time(clock),
        };
        self.running_by_start().into_iter().map(describe).collect()
    }

    /// The number of waiting jobs of each activity.
    pub(crate) fn count_waiting(&self) -> BTreeMap<String, usize> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (_, entry) in self.entries.iter() {
            if let Some(Stage::Waiting(waiting)) = &entry.stage {
                *counts.entry(&waiting.job.task.name).or_default() += 1;
            }
        }
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }

    fn running_by_start(&self) -> Vec<(JobKey, &Running)> {
        let running = self.entries.iter().filter_map(|(key, entry)| Some((key, entry.running()?)));
        let mut running: Vec<_> = running.collect();
        running.sort_unstable_by_key(|(_, running)| running.number);
        running
    }

    /// Queues the first job of this activity that was set aside.
    fn queue_again(&mut self, name: &str) {
        let Some(limited) = self.limited.get_mut(name) else { return };
        if let Some((number, key)) = limited.aside.pop_first() {
            self.queue.insert(number, key);
        }
    }

    /// Updates the metrics.
    pub(crate) fn count(&self) {
        metrics::activities(self.waiting, self.running);
    }

    /// Checks the counts; returns the instances and keys of the jobs whose results are wanted.
    #[cfg(feature = "testing")]
    pub(crate) fn check(&self) -> Result<Vec<(InstanceId, JobKey)>, String> {
        let aside: usize = self.limited.values().map(|limited| limited.aside.len()).sum();
        let (places, waiting) = (self.queue.len() + aside, self.waiting);
        if places != waiting {
            return Err(format!("I20 {waiting} activities wait, in {places} places"));
        }
        let running = self.running_by_start().into_iter();
        Ok(running.map(|(key, running)| (running.job.instance_id.clone(), key)).collect())
    }

    pub(crate) fn count_running(&self) -> usize {
        self.running
    }

    pub(crate) fn cancel(&mut self, key: &JobKey) {
        match self.entries.update(key, |entry| entry.stage.take()).flatten() {
            Some(Stage::Waiting(Waiting { job, number, at_most, .. })) => {
                mark!("jobs: a waiting job is cancelled");
                self.waiting -= 1;
                let was_queued = self.queue.remove(number);
                if let Some(limited) = self.limited.get_mut(&job.task.name) {
                    limited.aside.remove(number);
                }
                if was_queued && at_most.is_some() {
                    // The free place was meant for this job, so the next one gets it.
                    self.queue_again(&job.task.name);
                }
            }
            Some(Stage::Running(running)) => {
                mark!("jobs: a running job is cancelled");
                self.running -= 1;
                wake(&running.token);
            }
            None => {}
        }
    }

    pub(crate) fn cancel_all(&mut self, execution: ExecutionId) {
        for key in self.entries.keys_of(execution) {
            self.cancel(&key);
        }
    }

    /// Cancels a job whose partition was lost. A result that is in flight will not arrive.
    fn forget(&mut self, key: &JobKey) {
        self.cancel(key);
        self.entries.update(key, |entry| entry.reported = None);
    }

    /// Cancels all jobs whose partition was lost.
    pub(crate) fn forget_lost(&mut self) {
        for key in self.entries.keys_where(|entry| entry.owner.is_lost()) {
            self.forget(&key);
        }
    }

    /// Drops the queued jobs, and cancels the tokens of running jobs.
    pub(crate) fn close(&mut self) {
        self.queue.clear();
        self.waiting = 0;
        self.limited.values_mut().for_each(|limited| limited.aside.clear());
        for key in self.entries.keys_where(|_| true) {
            self.entries.update(&key, |entry| match &entry.stage {
                Some(Stage::Running(running)) => wake(&running.token),
                Some(Stage::Waiting(_)) | None => entry.stage = None,
            });
        }
    }
}

/// Cancels a token. This calls wakers, which may be user code.
fn wake(token: &CancellationToken) {
    panics::shield(|| token.cancel());
}

#[cfg(test)]
mod tests;
