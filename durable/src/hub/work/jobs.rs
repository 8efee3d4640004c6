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

use super::job::{Job, JobKey};
use super::running::{RunningActivity, StartMoment};
use crate::hub::telemetry::metrics::{self, Stopwatch};
use crate::hub::time::clock::Clock;
use crate::hub::time::virtual_time::{Busy, VirtualTime};
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
#[derive(Debug, Default)]
struct Entry {
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
    pub(crate) token: CancellationToken,
    number: u64,
    limited: Option<Cow<'static, str>>,
    pub(crate) began: Stopwatch,
    pub(super) start: StartMoment,
    /// Keeps virtual time from passing while the job runs.
    pub(crate) busy: Busy,
}

impl Jobs {
    /// Jobs that begin by this time; by that of the machine if there is none.
    pub(crate) fn new(time: Option<Arc<VirtualTime>>) -> Self {
        Self { time, ..Self::default() }
    }

    /// Adds a job, unless this attempt waits, runs or has ended already.
    pub(crate) fn add(&mut self, job: Box<Job>, at_most: Option<usize>) -> bool {
        let key = job.key();
        let entry = self.entries.entry(key).or_default();
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
            return Some((job, Ticket { token, number, limited, began, start, busy }));
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
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.runs(ticket)) else {
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
    pub(crate) fn is_wanted(&self, key: &JobKey, ticket: &Ticket) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.runs(ticket))
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

    fn runs(&self, ticket: &Ticket) -> bool {
        self.running().is_some_and(|running| running.number == ticket.number)
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
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::chance;
    use crate::engine::ScheduledTask;
    use crate::protocol::{InstanceId, Json, Tags};

    fn key(number: i32) -> JobKey {
        (ExecutionId::from_u128(1), number)
    }

    fn job((execution_id, event_id): JobKey, name: &'static str) -> Box<Job> {
        let instance_id = InstanceId::new("instance").unwrap();
        let task = ScheduledTask {
            event_id,
            attempt: 1,
            name: name.into(),
            version: None,
            input: Json::null(),
            timeout: None,
            tags: Tags::new(),
            trace_context: None,
        };
        Box::new(Job { instance_id, execution_id, task })
    }

    fn add(jobs: &mut Jobs, number: i32, name: &'static str, at_most: Option<usize>) -> bool {
        jobs.add(job(key(number), name), at_most)
    }

    fn next(jobs: &mut Jobs) -> Option<(JobKey, Ticket)> {
        jobs.next().map(|(job, ticket)| (job.key(), ticket))
    }

    fn is_empty(jobs: &Jobs) -> bool {
        jobs.waiting == 0
            && jobs.running == 0
            && jobs.entries.values().all(|entry| entry.stage.is_none())
            && jobs.queue.is_empty()
            && jobs.limited.values().all(|limited| limited.aside.is_empty())
    }

    #[test]
    fn a_cancelled_job_leaves_no_trace() {
        let mut jobs = Jobs::default();
        (0..4).for_each(|number| assert!(add(&mut jobs, number, "limited", Some(1))));
        let (first, ticket) = next(&mut jobs).unwrap();
        assert!(next(&mut jobs).is_none(), "the others stand aside");
        add(&mut jobs, 4, "limited", Some(1));
        add(&mut jobs, 5, "free", None);
        jobs.cancel_all(ExecutionId::from_u128(1));
        assert!(is_empty(&jobs), "{jobs:?}");
        assert!(ticket.token.is_cancelled());
        assert!(!jobs.end(&first, &ticket, None), "nobody waits for its result");
    }

    #[test]
    fn a_free_slot_goes_to_the_next_job_if_the_first_is_cancelled() {
        let mut jobs = Jobs::default();
        (0..3).for_each(|number| assert!(add(&mut jobs, number, "limited", Some(1))));
        let (first, ticket) = next(&mut jobs).unwrap();
        assert!(next(&mut jobs).is_none());
        jobs.end(&first, &ticket, None);
        jobs.cancel(&key(1));
        assert_eq!(next(&mut jobs).map(|(key, _)| key), Some(key(2)));
    }

    #[test]
    fn a_known_job_is_not_added_again() {
        let mut jobs = Jobs::default();
        assert!(add(&mut jobs, 0, "a", None));
        assert!(!add(&mut jobs, 0, "a", None));
        let (key, ticket) = next(&mut jobs).unwrap();
        assert!(!add(&mut jobs, 0, "a", None), "it is running");
        jobs.end(&key, &ticket, None);
        assert!(add(&mut jobs, 0, "a", None));
    }

    #[test]
    fn an_attempt_whose_result_is_in_flight_is_not_added_again() {
        let mut jobs = Jobs::default();
        add(&mut jobs, 0, "a", None);
        let (key, ticket) = next(&mut jobs).unwrap();
        assert!(jobs.end(&key, &ticket, Some(1)));
        assert!(!add(&mut jobs, 0, "a", None));
        assert!(is_empty(&jobs), "{jobs:?}");
        jobs.finish(&key, 1);
        assert!(add(&mut jobs, 0, "a", None));
    }

    /// The model: jobs in the order of arrival, and running jobs.
    #[derive(Default)]
    struct Truth {
        waiting: Vec<(JobKey, &'static str, Option<usize>)>,
        running: Vec<(JobKey, &'static str, Ticket)>,
        cancelled: BTreeSet<JobKey>,
    }

    impl Truth {
        /// The oldest job that may run.
        fn next(&mut self) -> Option<(JobKey, &'static str)> {
            let running = |name| self.running.iter().filter(|(_, it, _)| *it == name).count();
            let may_run = |&(_, name, at_most): &(_, &'static str, Option<usize>)| {
                at_most.is_none_or(|at_most| running(name) < at_most)
            };
            let place = self.waiting.iter().position(may_run)?;
            let (key, name, _) = self.waiting.remove(place);
            Some((key, name))
        }
    }

    #[test]
    fn jobs_begin_in_order_within_their_limits() {
        for seed in 0..200 {
            let mut drawn = 0;
            let mut below = |end| {
                drawn += 1;
                usize::try_from(chance::number(seed, drawn) % end).unwrap()
            };
            let (mut jobs, mut truth) = (Jobs::default(), Truth::default());
            for number in 0..400 {
                match below(7) {
                    0..3 => {
                        let (name, at_most) =
                            [("a", None), ("b", Some(1)), ("c", Some(2))][below(3)];
                        add(&mut jobs, number, name, at_most);
                        truth.waiting.push((key(number), name, at_most));
                    }
                    3..5 => {
                        let begun = next(&mut jobs);
                        let expected = truth.next();
                        assert_eq!(
                            begun.as_ref().map(|it| it.0),
                            expected.map(|it| it.0),
                            "{seed}"
                        );
                        if let (Some((key, ticket)), Some((_, name))) = (begun, expected) {
                            truth.running.push((key, name, ticket));
                        }
                    }
                    5 if !truth.running.is_empty() => {
                        let place = below(truth.running.len() as u64);
                        let (key, _, ticket) = truth.running.remove(place);
                        let is_wanted = !truth.cancelled.contains(&key);
                        assert_eq!(jobs.end(&key, &ticket, None), is_wanted, "{seed}");
                    }
                    _ => {
                        let key = key(
                            i32::try_from(below(u64::from(number.unsigned_abs()) + 1)).unwrap()
                        );
                        jobs.cancel(&key);
                        truth.waiting.retain(|(it, ..)| *it != key);
                        truth.cancelled.insert(key);
                    }
                }
                assert_eq!(jobs.waiting, truth.waiting.len(), "{seed}");
                let running = jobs.entries.values().filter_map(Entry::running).count();
                assert_eq!(jobs.running, running, "{seed}");
                let aside = jobs.limited.values().map(|limited| limited.aside.len()).sum::<usize>();
                assert_eq!(jobs.queue.len() + aside, jobs.waiting, "{seed}");
            }
        }
    }
}
