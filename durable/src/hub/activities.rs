//! Running activities: so many at a time, each once per call unless a crash cuts it off.
//!
//! A job comes in when its `TaskScheduled` is durable. It runs as a task of the async runtime (a
//! blocking body on its blocking pool), and what it returns goes to the instance's partition as
//! mail. Nothing here is written down: after a crash, the histories tell what has to run.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::mail::{Mail, Mailboxes};
use crate::activity::{ActivityContext, ActivityRun, States};
use crate::engine::ScheduledTask;
use crate::panics;
use crate::protocol::{EventKind, ExecutionId, FailureDetails, InstanceId, Json};
use crate::registry::{Body, Registry, display_name};

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
    queue: Mutex<Queue>,
    /// How many workers there are; each runs one job after another.
    workers: watch::Sender<usize>,
}

#[derive(Debug, Default)]
struct Queue {
    closed: bool,
    waiting: VecDeque<Job>,
    running: HashMap<JobKey, CancellationToken>,
    workers: usize,
}

impl Activities {
    pub(super) fn new(
        registry: Arc<Registry>,
        states: States,
        mailboxes: Mailboxes,
        runtime: Handle,
        concurrency: usize,
    ) -> Self {
        let (workers, _) = watch::channel(0);
        let queue = Mutex::default();
        Self { registry, states, mailboxes, runtime, concurrency, queue, workers }
    }

    /// Runs a job now, or when another has ended.
    pub(super) fn submit(self: &Arc<Self>, job: Job) {
        let mut queue = self.queue();
        if queue.closed {
            return;
        }
        queue.waiting.push_back(job);
        if queue.workers < self.concurrency {
            queue.workers += 1;
            self.workers.send_replace(queue.workers);
            self.runtime.spawn(Arc::clone(self).work());
        }
    }

    /// Tells a job that nobody waits for it any more.
    pub(super) fn cancel(&self, key: &JobKey) {
        let mut queue = self.queue();
        match queue.running.get(key) {
            Some(token) => token.cancel(),
            None => queue.waiting.retain(|job| job.key() != *key),
        }
    }

    /// Begins no more jobs, and tells the running ones to come to an end.
    pub(super) fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.waiting.clear();
        queue.running.values().for_each(CancellationToken::cancel);
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
        while let Some((job, cancellation)) = self.next_job() {
            let result = self.run(&job, cancellation).await;
            self.end(job, result);
        }
    }

    fn next_job(&self) -> Option<(Job, CancellationToken)> {
        let mut queue = self.queue();
        let Some(job) = queue.waiting.pop_front() else {
            queue.workers -= 1;
            self.workers.send_replace(queue.workers);
            return None;
        };
        let token = CancellationToken::new();
        queue.running.insert(job.key(), token.clone());
        Some((job, token))
    }

    async fn run(
        &self,
        job: &Job,
        cancellation: CancellationToken,
    ) -> Result<Json, FailureDetails> {
        let ScheduledTask { name, version, input, .. } = &job.task;
        let entry = self.registry.activity(name, version.as_deref()).ok_or_else(|| {
            let message = format!(
                "activity {} is not registered; registered: {}",
                display_name(name, version.as_deref()),
                self.registry.activity_names()
            );
            FailureDetails::new(FailureDetails::NOT_REGISTERED, message).non_retriable()
        })?;
        let Body::Activity { run, .. } = entry.body else {
            return Err(FailureDetails::new(FailureDetails::NOT_REGISTERED, name.clone()));
        };
        let context = ActivityContext {
            instance_id: job.instance_id.clone(),
            execution_id: job.execution_id,
            task_id: job.task.event_id,
            name: entry.name,
            attempt: 1,
            cancellation,
            states: self.states.clone(),
        };
        match panics::catch(|| run(context, input.clone())).flatten()? {
            ActivityRun::Async(future) => catch_unwind(future).await,
            ActivityRun::Blocking(body) => {
                match self.runtime.spawn_blocking(|| panics::catch(body).flatten()).await {
                    Ok(result) => result,
                    // The runtime is going down, and this task with it: it did not run, so nothing
                    // may be recorded of it, and it runs again when the hub is next opened.
                    Err(_going_down) => std::future::pending().await,
                }
            }
        }
    }

    /// Hands the result over. An error of a job that a shutdown has cut off is none: the job runs
    /// again when the hub is next opened.
    fn end(&self, job: Job, result: Result<Json, FailureDetails>) {
        let mut queue = self.queue();
        queue.running.remove(&job.key());
        let cut_off = queue.closed && result.is_err();
        drop(queue);
        if !cut_off {
            let event = EventKind::task_result(job.task.event_id, result);
            let Job { instance_id, execution_id, .. } = job;
            let mail = Mail::TaskEnded { instance_id: instance_id.clone(), execution_id, event };
            self.mailboxes.send(&instance_id, mail);
        }
    }
}

impl Job {
    fn key(&self) -> JobKey {
        (self.execution_id, self.task.event_id)
    }
}

/// Awaits a future; a panic in it is a failure.
async fn catch_unwind(
    mut future: Pin<Box<dyn Future<Output = Result<Json, FailureDetails>> + Send>>,
) -> Result<Json, FailureDetails> {
    std::future::poll_fn(move |cx| match panics::catch(|| future.as_mut().poll(cx)) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}
