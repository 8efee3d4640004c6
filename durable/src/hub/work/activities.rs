//! Running activities, with bounded concurrency, once per attempt unless a crash interrupts one.
//!
//! A job arrives when its `TaskScheduled` is durable. It runs as a task of the async runtime (a
//! blocking body on its blocking pool), and its result goes to the instance's partition as mail.
//! This state is not stored: after a crash, the histories determine which activities have to run.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::job::{Job, JobKey};
use super::jobs::{Jobs, Ticket};
use super::running::RunningActivity;
use crate::activity::States;
use crate::engine::AttemptId;
use crate::hub::drive::Drive;
use crate::hub::health::Health;
use crate::hub::mail::Mail;
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::Ownership;
use crate::hub::telemetry::{metrics, spans};
use crate::hub::time::clock::Clock;
use crate::hub::time::timer::Timer;
use crate::hub::time::virtual_time::VirtualTime;
use crate::hub::time::wait::Deadline;
use crate::hub::time::{clock, wait};
use crate::limits::Limits;
use crate::panics;
use crate::protocol::{EventKind, ExecutionId, FailureDetails, InstanceId, Json};
use crate::registry::Registry;
use crate::store::StoreTransactions;

#[derive(Debug)]
pub(crate) struct Activities {
    pub(crate) registry: Arc<Registry>,
    pub(crate) states: States,
    mailboxes: Mailboxes,
    health: Arc<Health>,
    pub(crate) drive: Drive,
    pub(crate) timer: Timer,
    concurrency: usize,
    /// How long a cancelled job may continue.
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
    /// What the store offers transactional activities.
    pub(super) transactions: Option<StoreTransactions>,
    /// Virtual time, in a test.
    pub(crate) time: Option<Arc<VirtualTime>>,
    clock: Clock,
    queue: Mutex<Queue>,
    /// Wakes the waiters for the end of the last worker.
    drained: Condvar,
    /// Jobs were cancelled or cut off.
    pub(crate) changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    phase: Phase,
    jobs: Jobs,
    /// The number of workers. Each runs one job after another.
    workers: usize,
    /// Whether a shutdown waits for the end of the last worker. Waking it costs a system call, even
    /// if no worker waits.
    is_draining: bool,
    /// Whether an idle worker spins briefly for another job before it ends.
    spinning: bool,
    /// When a worker last became idle.
    idle_since: Option<Instant>,
    /// Whether a job arrived shortly after `idle_since`.
    comes_soon: bool,
}

/// Whether jobs begin, and whether their results count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Open,
    /// No job begins.
    Closed,
    /// A shutdown has stopped waiting for running jobs.
    CutOff,
}

/// The environment of activities, and the limit of concurrent ones.
#[derive(Debug)]
pub(crate) struct ActivitySettings {
    pub(crate) states: States,
    pub(crate) concurrency: usize,
    pub(crate) grace: Duration,
    pub(crate) limits: Limits,
    pub(crate) transactions: Option<StoreTransactions>,
}

/// Where the activities of a hub run, and where their results go.
#[derive(Debug)]
pub(crate) struct ActivityEnvironment {
    pub(crate) mailboxes: Mailboxes,
    pub(crate) health: Arc<Health>,
    pub(crate) drive: Drive,
    pub(crate) timer: Timer,
    pub(crate) time: Option<Arc<VirtualTime>>,
    pub(crate) clock: Clock,
}

/// Whether the result of a running job is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobStatus {
    Wanted,
    /// It was cancelled.
    Unwanted,
    /// A shutdown has stopped waiting for it.
    CutOff,
}

/// Runs one job after another. Its drop releases its place and its job, because a runtime that
/// shuts down drops it at any await.
struct Worker {
    activities: Arc<Activities>,
    job: Option<(Arc<Job>, Ticket)>,
    is_counted: bool,
}

impl Activities {
    pub(crate) fn new(
        registry: Arc<Registry>,
        settings: ActivitySettings,
        environment: ActivityEnvironment,
    ) -> Self {
        let ActivityEnvironment { mailboxes, health, drive, timer, time, clock } = environment;
        let ActivitySettings { states, concurrency, grace, limits, transactions } = settings;
        let queue = Queue { jobs: Jobs::new(time.clone()), ..Queue::default() };
        let queue = Mutex::new(queue);
        Self {
            registry,
            states,
            mailboxes,
            health,
            drive,
            timer,
            concurrency,
            grace,
            limits,
            transactions,
            time,
            clock,
            queue,
            drained: Condvar::new(),
            changed: Notify::new(),
        }
    }

    /// Runs a job as soon as there is a worker for it. Does nothing if the job is already waiting
    /// or running.
    pub(crate) fn submit(self: &Arc<Self>, job: Arc<Job>, owner: &Arc<Ownership>) {
        let task = &job.task;
        let entry = self.registry.activity(&task.name, task.version.as_deref());
        let at_most = entry.and_then(|entry| entry.options.max_concurrent);
        let mut queue = self.queue();
        if queue.phase > Phase::Open || !queue.jobs.add(job, owner, at_most) {
            return;
        }
        queue.comes_soon = queue.idle_since.is_none_or(|since| since.elapsed() < wait::SHORT);
        // A spinning worker will take this job.
        let is_taken = std::mem::take(&mut queue.spinning);
        let spawns = !is_taken && queue.workers < self.concurrency;
        queue.workers += usize::from(spawns);
        queue.changed();
        drop(queue);
        if !spawns {
            return;
        }
        let worker = Worker { activities: Arc::clone(self), job: None, is_counted: true };
        // Boxed, because tokio moves a spawned future several times.
        self.drive.spawn(Box::pin(worker.work()));
    }

    /// Cancels a job, because its result is no longer needed.
    pub(crate) fn cancel(&self, key: &JobKey) {
        let mut queue = self.queue();
        queue.jobs.cancel(key);
        queue.changed();
        drop(queue);
        self.changed.notify_waiters();
    }

    /// Notes that the result of an attempt has been received and its effects are durable.
    pub(crate) fn taken_in(&self, key: &JobKey, attempt: AttemptId) {
        self.queue().jobs.finish(key, attempt);
    }

    /// Cancels all jobs of an execution.
    pub(crate) fn cancel_all(&self, execution_id: ExecutionId) {
        let mut queue = self.queue();
        queue.jobs.cancel_all(execution_id);
        queue.changed();
        drop(queue);
        self.changed.notify_waiters();
    }

    /// Cancels the jobs of partitions that were lost.
    pub(crate) fn forget_lost(&self) {
        let mut queue = self.queue();
        queue.jobs.forget_lost();
        queue.changed();
        drop(queue);
        self.changed.notify_waiters();
    }

    /// Starts no more jobs, and cancels the tokens of running ones.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.phase = queue.phase.max(Phase::Closed);
        queue.jobs.close();
        queue.changed();
    }

    /// Blocks until no job is running. Returns `false` if the deadline passes first.
    pub(crate) fn drain(&self, deadline: &Deadline) -> bool {
        let mut queue = self.queue();
        queue.is_draining = true;
        while queue.workers > 0 {
            queue = match deadline.wait(&self.drained, queue) {
                Ok(queue) => queue,
                Err(_late) => return false,
            };
        }
        true
    }

    /// Whether no worker is left.
    #[cfg(feature = "testing")]
    pub(crate) fn has_drained(&self) -> bool {
        self.queue().workers == 0
    }

    /// See [`Jobs::check`].
    #[cfg(feature = "testing")]
    pub(crate) fn check(&self) -> Result<Vec<(InstanceId, JobKey)>, String> {
        self.queue().jobs.check()
    }

    /// The number of running jobs.
    pub(crate) fn count_running(&self) -> usize {
        self.queue().jobs.count_running()
    }

    /// The running jobs whose results are wanted.
    pub(crate) fn describe_running(&self) -> Vec<RunningActivity> {
        self.queue().jobs.describe_running(&self.clock)
    }

    /// The number of waiting jobs of each activity.
    pub(crate) fn count_waiting(&self) -> BTreeMap<String, usize> {
        self.queue().jobs.count_waiting()
    }

    /// The maximum number of activities that run at once.
    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Makes a waiting [`drain`](Self::drain) check the deadline again.
    pub(crate) fn recheck_deadline(&self) {
        drop(self.queue());
        self.drained.notify_all();
    }

    /// Stops waiting for running jobs, whose results no longer count. Returns those jobs.
    pub(crate) fn cut_off(&self) -> Vec<(InstanceId, String)> {
        let mut queue = self.queue();
        queue.phase = Phase::CutOff;
        let running = queue.jobs.running();
        drop(queue);
        self.changed.notify_waiters();
        running
    }

    /// Whether the result of a running job is still wanted.
    pub(crate) fn status_of(&self, job: &Job, ticket: &Ticket) -> JobStatus {
        let queue = self.queue();
        match queue.jobs.is_wanted(&job.key(), ticket.number()) {
            _ if queue.phase == Phase::CutOff => JobStatus::CutOff,
            true => JobStatus::Wanted,
            false => JobStatus::Unwanted,
        }
    }

    /// Whether the result of a running job counts.
    pub(super) fn wants(&self, key: &JobKey, number: u64) -> bool {
        let queue = self.queue();
        queue.phase < Phase::CutOff && queue.jobs.is_wanted(key, number)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spins for a moment if jobs tend to arrive soon; one spinning worker is enough. Without a job
    /// this worker is no longer counted.
    async fn spin_for_job(&self) -> Option<(Arc<Job>, Ticket)> {
        let since = clock::stopwatch();
        let looks = !self.drive.is_simulated() && self.queue().starts_spinning(since);
        while looks && since.elapsed() < wait::SPIN_TIME {
            // Yield, because another task will bring the job.
            thread::yield_now();
            tokio::task::yield_now().await;
            let mut queue = self.queue();
            if let Some(next) = queue.next() {
                queue.spinning = false;
                return Some(next);
            }
        }
        let mut queue = self.queue();
        queue.spinning &= !looks;
        let next = queue.next();
        if next.is_none() {
            self.worker_ends(&mut queue);
        }
        next
    }

    fn worker_ends(&self, queue: &mut Queue) {
        queue.workers -= 1;
        queue.changed();
        if queue.workers == 0 && queue.is_draining {
            self.drained.notify_all();
        }
    }

    /// Sends the result to the partition, if it is still wanted, and returns the next job. An error
    /// of a job that a shutdown interrupted is not sent: the job runs again when the hub is next
    /// opened.
    fn end(
        &self,
        job: &Job,
        ticket: &Ticket,
        result: Result<Json, FailureDetails>,
    ) -> Option<(Arc<Job>, Ticket)> {
        let mut queue = self.queue();
        let cut_off = match queue.phase {
            Phase::Open => false,
            Phase::Closed => result.is_err(),
            Phase::CutOff => true,
        };
        let reported = (!cut_off).then_some(job.task.attempt);
        let is_waited_for = queue.jobs.end(&job.key(), ticket, reported);
        let next = queue.next();
        drop(queue);
        let outcome = match &result {
            _ if !is_waited_for => "cancelled",
            _ if cut_off => "cut_off",
            Ok(_) => "completed",
            Err(_) => "failed",
        };
        metrics::activity_ended(&job.task.name, outcome, ticket.began);
        if is_waited_for && !cut_off {
            let result = result.map_err(|failure| failure.bounded(self.limits.payload));
            let (instance_id, execution_id) = (job.instance_id.clone(), job.execution_id);
            let attempt = job.task.attempt;
            let run = (attempt.number, ticket.start.time(&self.clock));
            let event = EventKind::task_ended(job.task.event_id, result, Some(run));
            let mail = Mail::TaskEnded { instance_id, execution_id, attempt, event };
            self.mailboxes.send_to(&ticket.owner, mail);
        }
        next
    }
}

impl Worker {
    async fn work(mut self) {
        let mut next = self.activities.queue().next();
        loop {
            let Some(job) = next else {
                next = self.activities.spin_for_job().await;
                if next.is_none() {
                    self.is_counted = false;
                    return;
                }
                continue;
            };
            let (job, ticket) = self.job.insert(job);
            let span = spans::activity(job);
            let result = {
                let attempt = pin!(self.activities.attempt(job, ticket));
                let mut attempt = pin!(spans::in_span(span, attempt));
                std::future::poll_fn(|cx| panics::poll(attempt.as_mut(), cx)).await.flatten()
            };
            next = self
                .job
                .take()
                .and_then(|(job, ticket)| self.activities.end(&job, &ticket, result));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_counted {
            return;
        }
        let mut queue = self.activities.queue();
        if let Some((job, ticket)) = self.job.take() {
            queue.jobs.end(&job.key(), &ticket, None);
        }
        self.activities.worker_ends(&mut queue);
        drop(queue);
        self.activities.health.lost("an activity worker");
    }
}

impl Queue {
    /// The job that a worker runs next.
    fn next(&mut self) -> Option<(Arc<Job>, Ticket)> {
        let next = self.jobs.next();
        self.changed();
        next
    }

    /// The jobs or the workers have changed. Each change ends with this.
    fn changed(&mut self) {
        self.jobs.count();
        self.jobs.hold_time(self.workers);
    }

    /// A worker has become idle. Returns whether it spins before it ends.
    fn starts_spinning(&mut self, now: Instant) -> bool {
        self.idle_since = Some(now);
        self.comes_soon && !std::mem::replace(&mut self.spinning, true)
    }
}
