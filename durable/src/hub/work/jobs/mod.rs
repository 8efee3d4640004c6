//! The activities that wait to be run, and those that are running.
//!
//! Rules:
//! 1. Jobs begin in the order of their arrival, except that while an activity runs `max_concurrent`
//!    times, its next jobs are set aside and other jobs overtake them.
//! 2. An attempt whose result is on its way to its partition is not started again, because an
//!    instance that is replayed in the meantime cannot know that the attempt has ended.
//! 3. A cancelled job is removed, with its input. If it is running, its result does not count.
//! 4. When a job of a limited activity ends, the first job that was set aside is queued again.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

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
    entries: BTreeMap<JobKey, Entry>,
    /// The jobs to start next, by the number of their arrival.
    queue: BTreeMap<u64, JobKey>,
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

/// The state of a job.
#[derive(Debug)]
struct Entry {
    /// The owner of the instance's partition.
    owner: Arc<Ownership>,
    stage: Option<Stage>,
    /// The attempt that has ended and whose result the partition has not stored yet. The next
    /// attempt may already be queued or running.
    reported: Option<u32>,
}

#[derive(Debug)]
enum Stage {
    /// It has not begun: it is in the queue or set aside.
    Waiting(Waiting),
    Running(Running),
}

#[derive(Debug)]
struct Waiting {
    job: Box<Job>,
    /// The number of its arrival.
    number: u64,
    at_most: Option<usize>,
    since: Stopwatch,
}

#[derive(Debug)]
struct Running {
    number: u64,
    token: CancellationToken,
    instance_id: InstanceId,
    name: Cow<'static, str>,
    attempt: u32,
    began: StartMoment,
}

/// The jobs of an activity with `max_concurrent`.
#[derive(Debug, Default)]
struct Limited {
    running: usize,
    aside: BTreeMap<u64, JobKey>,
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
    /// Jobs that begin by this time; by that of the machine if there is none.
    pub(crate) fn new(time: Option<Arc<VirtualTime>>) -> Self {
        Self { time, ..Self::default() }
    }

    /// Adds a job of a partition, unless this attempt waits, runs or has ended already.
    pub(crate) fn add(
        &mut self,
        job: Box<Job>,
        owner: &Arc<Ownership>,
        at_most: Option<usize>,
    ) -> bool {
        let key = job.key();
        if self.entries.get(&key).is_some_and(|entry| entry.owner.is_lost()) {
            self.forget(&key);
        }
        let new = || Entry { owner: Arc::clone(owner), stage: None, reported: None };
        let entry = self.entries.entry(key).or_insert_with(new);
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
    pub(crate) fn next(&mut self) -> Option<(Box<Job>, Ticket)> {
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
            let (instance_id, task) = (next.job.instance_id.clone(), &next.job.task);
            let (name, attempt) = (task.name.clone(), task.attempt);
            let (token_of_it, start) = (token.clone(), StartMoment::now(self.time.as_deref()));
            let running =
                Running { number, token: token_of_it, instance_id, name, attempt, began: start };
            let waiting = entry.stage.replace(Stage::Running(running));
            let Some(Stage::Waiting(Waiting { job, since, .. })) = waiting else { continue };
            self.waiting -= 1;
            self.running += 1;
            self.taken += 1;
            let busy = Busy::new(self.time.as_ref());
            metrics::activity_began(&job.task.name, since);
            let (limited, began) = (limit.map(|(_, name)| name), Stopwatch::start());
            let owner = Arc::clone(&entry.owner);
            return Some((job, Ticket { owner, token, number, limited, began, start, busy }));
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
    pub(crate) fn end(&mut self, key: &JobKey, ticket: &Ticket, reported: Option<u32>) -> bool {
        self.taken -= 1;
        if let Some(name) = &ticket.limited {
            if let Some(limited) = self.limited.get_mut(name) {
                limited.running -= 1;
            }
            self.queue_again(name);
        }
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.runs(ticket.number))
        else {
            mark!("jobs: a result is no longer wanted");
            return false;
        };
        self.running -= 1;
        entry.stage = None;
        entry.reported = reported.or(entry.reported);
        if entry.is_empty() {
            self.entries.remove(key);
        }
        true
    }

    /// The partition has stored the result of an attempt.
    pub(crate) fn finish(&mut self, key: &JobKey, attempt: u32) {
        if let Some(entry) = self.entries.get_mut(key)
            && entry.reported == Some(attempt)
        {
            entry.reported = None;
            if entry.is_empty() {
                self.entries.remove(key);
            }
        }
    }

    /// Whether the result of a running job is still wanted.
    pub(crate) fn is_wanted(&self, key: &JobKey, number: u64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.runs(number))
    }

    /// The running jobs whose results are wanted: the instance, and the name of the activity.
    pub(crate) fn running(&self) -> Vec<(InstanceId, String)> {
        let running = self.entries.values().filter_map(Entry::running);
        running.map(|job| (job.instance_id.clone(), job.name.to_string())).collect()
    }

    /// As [`running`](Self::running), with details, in the order in which they began.
    pub(crate) fn describe_running(&self, clock: &Clock) -> Vec<RunningActivity> {
        let running = self.entries.iter().filter_map(|(key, entry)| Some((key, entry.running()?)));
        let mut running: Vec<_> = running.collect();
        running.sort_unstable_by_key(|(_, running)| running.number);
        let describe = |((execution_id, event_id), running): (&JobKey, &Running)| RunningActivity {
            instance_id: running.instance_id.clone(),
            execution_id: *execution_id,
            event_id: *event_id,
            name: running.name.to_string(),
            attempt: running.attempt,
            since: running.began.time(clock),
        };
        running.into_iter().map(describe).collect()
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
        let running = self.entries.iter().filter_map(|(key, it)| Some((key, it.running()?)));
        Ok(running.map(|(key, running)| (running.instance_id.clone(), *key)).collect())
    }

    pub(crate) fn count_running(&self) -> usize {
        self.running
    }

    pub(crate) fn cancel(&mut self, key: &JobKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let stage = entry.stage.take();
        if entry.is_empty() {
            self.entries.remove(key);
        }
        match stage {
            Some(Stage::Waiting(Waiting { job, number, at_most, .. })) => {
                mark!("jobs: a waiting job is cancelled");
                self.waiting -= 1;
                let was_queued = self.queue.remove(&number).is_some();
                if let Some(limited) = self.limited.get_mut(&job.task.name) {
                    limited.aside.remove(&number);
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
        let all = (execution, i32::MIN)..=(execution, i32::MAX);
        let keys: Vec<_> = self.entries.range(all).map(|(key, _)| *key).collect();
        for key in &keys {
            self.cancel(key);
        }
    }

    /// Cancels a job whose partition was lost. A result that is in flight will not arrive.
    fn forget(&mut self, key: &JobKey) {
        self.cancel(key);
        self.entries.remove(key);
    }

    /// Cancels all jobs whose partition was lost.
    pub(crate) fn forget_lost(&mut self) {
        let lost = self.entries.iter().filter(|(_, entry)| entry.owner.is_lost());
        let lost: Vec<_> = lost.map(|(key, _)| *key).collect();
        for key in &lost {
            self.forget(key);
        }
    }

    /// Drops the queued jobs, and cancels the tokens of running jobs.
    pub(crate) fn close(&mut self) {
        self.queue.clear();
        self.waiting = 0;
        self.limited.values_mut().for_each(|limited| limited.aside.clear());
        self.entries.retain(|_, entry| {
            entry.stage.take_if(|stage| matches!(stage, Stage::Waiting(_)));
            !entry.is_empty()
        });
        self.entries.values().filter_map(Entry::running).for_each(|job| wake(&job.token));
    }
}

impl Entry {
    fn running(&self) -> Option<&Running> {
        match &self.stage {
            Some(Stage::Running(running)) => Some(running),
            Some(Stage::Waiting(_)) | None => None,
        }
    }

    fn runs(&self, number: u64) -> bool {
        self.running().is_some_and(|running| running.number == number)
    }

    fn is_empty(&self) -> bool {
        self.stage.is_none() && self.reported.is_none()
    }
}

/// Cancels a token. This calls wakers, which may be user code.
fn wake(token: &CancellationToken) {
    panics::shield(|| token.cancel());
}

#[cfg(test)]
mod tests;
