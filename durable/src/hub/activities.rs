//! Running activities: so many at a time, each once per attempt unless a crash cuts it off.
//!
//! A job comes in when its `TaskScheduled` is durable. It runs as a task of the async runtime (a
//! blocking body on its blocking pool), and what it returns goes to the instance's partition as
//! mail. Nothing here is written down: after a crash, the histories tell what has to run.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};

use super::jobs::{Jobs, Ticket};
use super::mail::{Mail, Mailboxes};
use super::virtual_time::{Busy, VirtualTime};
use super::{clock, metrics, spans, wait};
use crate::activity::{ActivityContext, ActivityRun, States};
use crate::engine::ScheduledTask;
use crate::limits::Limits;
use crate::panics;
use crate::protocol::{EventKind, ExecutionId, FailureDetails, InstanceId, Json};
use crate::registry::{Entry, Registry, display_name};

/// An activity to run for an instance.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) instance_id: InstanceId,
    pub(super) execution_id: ExecutionId,
    pub(super) task: ScheduledTask,
}

/// Names a job: the execution and the number of the task in it.
pub(super) type JobKey = (ExecutionId, i32);

#[derive(Debug)]
pub(super) struct Activities {
    registry: Arc<Registry>,
    states: States,
    mailboxes: Mailboxes,
    runtime: Handle,
    concurrency: usize,
    limits: Limits,
    /// Where time is made, in a test.
    time: Option<Arc<VirtualTime>>,
    queue: Mutex<Queue>,
    /// How many workers there are; each runs one job after another.
    workers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Queue {
    closed: bool,
    jobs: Jobs,
    workers: usize,
    /// Whether one of the workers has nothing to do and looks for a job before it goes.
    looking: bool,
    /// When a worker last had nothing to do.
    idle_since: Option<Instant>,
    /// Whether there was a job soon after that.
    comes_soon: bool,
}

/// What activities are given, and how many of them may run at once.
#[derive(Debug)]
pub(super) struct ActivitySettings {
    pub(super) states: States,
    pub(super) concurrency: usize,
    pub(super) limits: Limits,
}

impl Activities {
    pub(super) fn new(
        registry: Arc<Registry>,
        settings: ActivitySettings,
        mailboxes: Mailboxes,
        runtime: Handle,
        time: Option<Arc<VirtualTime>>,
    ) -> Self {
        let (workers, _) = watch::channel(0);
        let ActivitySettings { states, concurrency, limits } = settings;
        let queue = Mutex::default();
        Self { registry, states, mailboxes, runtime, concurrency, limits, time, queue, workers }
    }

    /// Runs a job now, or when another has ended. One that is waiting or running already is left
    /// alone.
    pub(super) fn submit(self: &Arc<Self>, job: Box<Job>) {
        let task = &job.task;
        let entry = self.registry.activity(&task.name, task.version.as_deref());
        let at_most = entry.and_then(|entry| entry.options.max_concurrent);
        let mut queue = self.queue();
        if queue.closed || !queue.jobs.add(job, at_most, self.mailboxes.busy()) {
            return;
        }
        queue.jobs.count();
        queue.comes_soon = queue.idle_since.is_none_or(|since| since.elapsed() < wait::SHORT);
        // Whoever is looking for a job has found one.
        let is_taken = std::mem::take(&mut queue.looking);
        if is_taken || queue.workers >= self.concurrency {
            return;
        }
        queue.workers += 1;
        self.workers.send_replace(queue.workers);
        drop(queue);
        self.runtime.spawn(Arc::clone(self).work());
    }

    /// Tells a job that nobody waits for it any more.
    pub(super) fn cancel(&self, key: &JobKey) {
        let mut queue = self.queue();
        queue.jobs.cancel(key);
        queue.jobs.count();
    }

    /// The result of an attempt has been taken in, and what follows from it is durable.
    pub(super) fn taken_in(&self, key: &JobKey, attempt: u32) {
        self.queue().jobs.take_in(key, attempt);
    }

    /// Tells all jobs of an execution that nobody waits for them any more.
    pub(super) fn cancel_all(&self, execution_id: ExecutionId) {
        let mut queue = self.queue();
        queue.jobs.cancel_all(execution_id);
        queue.jobs.count();
    }

    /// Begins no more jobs, and tells the running ones to come to an end.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.jobs.close();
    }

    /// Waits until no job is running.
    pub(super) async fn drained(&self) {
        // The sender lives as long as `self`, so there is no other end than that.
        let _ = self.workers.subscribe().wait_for(|workers| *workers == 0).await;
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work(self: Arc<Self>) {
        let mut next = self.queue().jobs.next();
        loop {
            let Some((job, mut ticket)) = next else {
                next = self.look_for_job().await;
                if next.is_none() {
                    return;
                }
                continue;
            };
            let span = spans::activity(&job);
            let result = self.run(&job, &mut ticket).instrument(span).await;
            next = self.end(*job, &ticket, result);
        }
    }

    /// A job that comes soon, where jobs do; with none the worker is one less. One that looks for it
    /// is enough.
    async fn look_for_job(&self) -> Option<(Box<Job>, Ticket)> {
        let since = clock::stopwatch();
        let looks = self.queue().begins_to_look(since);
        while looks && since.elapsed() < wait::LOOK {
            // Others come first: it is one of them that is waited for.
            thread::yield_now();
            tokio::task::yield_now().await;
            let mut queue = self.queue();
            if let Some(next) = queue.jobs.next() {
                queue.jobs.count();
                queue.looking = false;
                return Some(next);
            }
        }
        let mut queue = self.queue();
        queue.looking &= !looks;
        let next = queue.jobs.next();
        queue.jobs.count();
        if next.is_none() {
            queue.workers -= 1;
            self.workers.send_replace(queue.workers);
        }
        next
    }

    async fn run(&self, job: &Job, ticket: &mut Ticket) -> Result<Json, FailureDetails> {
        let limit = job.task.timeout.map(|limit| (limit, self.sleep(limit)));
        let begun = self.begin(job, &ticket.token)?;
        #[cfg(feature = "testing")]
        if let ActivityRun::Never(_) = begun {
            // What ends it is due by now, so time may pass until then.
            ticket.busy = Busy::default();
        }
        let mut run = pin!(self.finish(begun));
        let Some((limit, up)) = limit else { return run.await };
        let mut up = pin!(up);
        let (result, woken) = std::future::poll_fn(|cx| {
            if let Poll::Ready(result) = run.as_mut().poll(cx) {
                return Poll::Ready((result, None));
            }
            up.as_mut().poll(cx).map(|busy| {
                ticket.token.cancel();
                let message = format!("the attempt took longer than its timeout of {limit:?}");
                (Err(FailureDetails::new(FailureDetails::TIMEOUT, message)), Some(busy))
            })
        })
        .await;
        if let Some(busy) = woken {
            ticket.busy = busy;
        }
        result
    }

    /// Sleeps from this call on; gives what keeps time from passing any further.
    fn sleep(&self, time: Duration) -> impl Future<Output = Busy> + use<> {
        let made = self.time.as_ref().map(|made| made.sleep(time));
        async move {
            match made {
                Some(awake) => awake.await.unwrap_or_default(),
                None => {
                    tokio::time::sleep(time).await;
                    Busy::default()
                }
            }
        }
    }

    fn begin(&self, job: &Job, token: &CancellationToken) -> Result<ActivityRun, FailureDetails> {
        let ScheduledTask { name, version, input, .. } = &job.task;
        let entry = self.entry(name, version.as_deref())?;
        let context = ActivityContext {
            instance_id: job.instance_id.clone(),
            execution_id: job.execution_id,
            task_id: job.task.event_id,
            name: entry.name,
            version: entry.version,
            attempt: job.task.attempt,
            tags: job.task.tags.clone(),
            trace_context: job.task.trace_context.clone(),
            cancellation: token.clone(),
            states: self.states.clone(),
        };
        let run = || self.registry.run_activity(entry, context, input.clone());
        panics::catch(run).flatten()
    }

    async fn finish(&self, run: ActivityRun) -> Result<Json, FailureDetails> {
        let output = match run {
            ActivityRun::Async(future) => panics::catch_async(future).await,
            ActivityRun::Blocking(body) => {
                let span = Span::current();
                let run = move || span.in_scope(|| panics::catch(body).flatten());
                match self.runtime.spawn_blocking(run).await {
                    Ok(result) => result,
                    // The runtime is going down, and this task with it: it did not run, so nothing
                    // may be recorded of it, and it runs again when the hub is next opened.
                    Err(_going_down) => std::future::pending().await,
                }
            }
            #[cfg(feature = "testing")]
            ActivityRun::Never(token) => {
                token.cancelled().await;
                Err(FailureDetails::new(FailureDetails::TERMINATED, "it was cancelled"))
            }
        }?;
        self.limits.fitting("the output", output)
    }

    fn entry(&self, name: &str, version: Option<&str>) -> Result<&Entry, FailureDetails> {
        self.registry.activity(name, version).ok_or_else(|| {
            let message = format!(
                "activity {} is not registered; registered: {}",
                display_name(name, version),
                self.registry.activity_names()
            );
            FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
        })
    }

    /// Hands the result over, unless nobody waits for it any more; gives the job to run next. An
    /// error of a job that a shutdown has cut off is none: the job runs again when the hub is next
    /// opened.
    fn end(
        &self,
        job: Job,
        ticket: &Ticket,
        result: Result<Json, FailureDetails>,
    ) -> Option<(Box<Job>, Ticket)> {
        let mut queue = self.queue();
        let is_waited_for = queue.jobs.end(&job.key(), ticket);
        let cut_off = queue.closed && result.is_err();
        if is_waited_for && !cut_off {
            queue.jobs.report(job.key(), job.task.attempt);
        }
        let next = queue.jobs.next();
        queue.jobs.count();
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
            let event = EventKind::task_result(job.task.event_id, result);
            let Job { instance_id, execution_id, task } = job;
            let (id, attempt) = (instance_id.clone(), task.attempt);
            let mail = Mail::TaskEnded { instance_id: id, execution_id, attempt, event };
            self.mailboxes.send(&instance_id, mail);
        }
        next
    }
}

impl Queue {
    /// A worker has nothing to do; whether it looks for a job before it goes.
    fn begins_to_look(&mut self, now: Instant) -> bool {
        self.idle_since = Some(now);
        self.comes_soon && !std::mem::replace(&mut self.looking, true)
    }
}

impl Job {
    pub(super) fn key(&self) -> JobKey {
        (self.execution_id, self.task.event_id)
    }
}
