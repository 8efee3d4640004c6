//! One attempt of an activity: its body, its timeout, and its end if it is cancelled.
//!
//! Rules:
//! 1. The body runs and is dropped by way of `panics.rs`.
//! 2. An attempt that exceeds its timeout ends immediately. An attempt that is cancelled, for
//!    example by the timeout of its call, is notified through its token and may continue for the
//!    grace period. A shutdown alone sets no limit: the result of the attempt is still recorded.
//! 3. When an attempt is ended like this, an async body is dropped. A blocking body cannot be
//!    stopped: it keeps its thread, but its result is ignored, and it does not count toward
//!    `activity_concurrency`.
//! 4. An attempt whose timeout passes while its transaction is being committed waits for the outcome,
//!    because it must not report a timeout for what was committed.
//! 5. What most attempts do not need (timeouts, blocking bodies, cancellation) is a boxed future,
//!    because the future of an attempt is copied several times on its way into the runtime.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::activities::{Activities, JobStatus};
use super::gate::AttemptGate;
use super::job::Job;
use super::jobs::Ticket;
use crate::activity::{ActivityContext, ActivityRun};
use crate::definition::{Entry, display_name};
use crate::engine::ScheduledTask;
use crate::hub::telemetry::spans::{self, GuardedSpan};
use crate::hub::time::virtual_time::Busy;
use crate::hub::time::wait::{First, first};
use crate::panics::{self, Guarded};
use crate::protocol::{FailureDetails, Json};
use crate::transaction::{ActivityEffect, CommitGate};

/// How long to wait before a blocking body that has not begun is spawned again: the first wait, and
/// the longest one. The system may have refused a thread, and tokio does not retry that.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

type Outcome = Result<Json, FailureDetails>;
type Body = Box<dyn FnOnce() -> Outcome + Send>;
type Sleep = Pin<Box<dyn Future<Output = Busy> + Send>>;

/// Why an attempt ends before its body does.
enum Stop {
    /// It has exceeded its timeout.
    TimedOut(Duration, Busy),
    /// It was cancelled, and the grace period is over.
    GivenUp,
}

/// A blocking body until a thread takes it.
type Waiting = Mutex<Option<(Guarded<Body>, GuardedSpan, oneshot::Sender<Outcome>)>>;

impl Activities {
    pub(crate) async fn attempt(self: &Arc<Self>, job: &Job, ticket: &mut Ticket) -> Outcome {
        let limit = job.task.timeout.map(|limit| (limit, self.sleep(limit)));
        let (begun, gate) = self.begin(job, ticket)?;
        let asleep = begun.sleeps().map(|time| self.sleep(time));
        if let ActivityRun::Never(_) | ActivityRun::After(..) = begun {
            // Only virtual time ends it, so time has to pass.
            ticket.busy = Busy::default();
        }
        let work = async {
            let awake = match asleep {
                Some(asleep) => match first(pin!(asleep), pin!(ticket.token.cancelled())).await {
                    First::This(awake) => Some(awake),
                    First::That(()) => return (Err(cancelled()), None),
                },
                None => None,
            };
            (self.finish(begun).await, awake)
        };
        let mut work = pin!(work);
        let stop = async { Box::pin(self.stop(job, ticket, limit)).await };
        let ended = first(work.as_mut(), pin!(stop)).await;
        let stop = match ended {
            First::This((result, awake)) => {
                if let Some(awake) = awake {
                    ticket.busy = awake;
                }
                return result;
            }
            First::That(stop) => stop,
        };
        if gate.is_some_and(|gate| gate.is_committing()) {
            let abandoned = async { Box::pin(self.abandoned(job, ticket)).await };
            if let First::This((result, _)) = first(work, pin!(abandoned)).await {
                return result;
            }
        }
        ticket.token.cancel();
        match stop {
            Stop::TimedOut(limit, busy) => {
                ticket.busy = busy;
                let message = format!("the attempt took longer than its timeout of {limit:?}");
                Err(FailureDetails::new(FailureDetails::TIMEOUT, message))
            }
            Stop::GivenUp => {
                Err(FailureDetails::new(FailureDetails::TERMINATED, "it was given up"))
            }
        }
    }

    /// Returns when the attempt has to end.
    async fn stop(&self, job: &Job, ticket: &Ticket, limit: Option<(Duration, Sleep)>) -> Stop {
        let time_is_up = async {
            match limit {
                Some((limit, up)) => Stop::TimedOut(limit, up.await),
                None => std::future::pending().await,
            }
        };
        let abandoned = async {
            self.abandoned(job, ticket).await;
            Stop::GivenUp
        };
        match first(pin!(time_is_up), pin!(abandoned)).await {
            First::This(stop) | First::That(stop) => stop,
        }
    }

    /// Returns when the attempt is cancelled and its grace period is over, or when a shutdown stops
    /// waiting for it.
    async fn abandoned(&self, job: &Job, ticket: &Ticket) {
        ticket.token.cancelled().await;
        Box::pin(self.cancelled(job, ticket)).await;
    }

    async fn cancelled(&self, job: &Job, ticket: &Ticket) {
        self.until(|| self.status_of(job, ticket) != JobStatus::Wanted).await;
        let grace = pin!(self.timer.sleep(self.grace));
        let cut_off = pin!(self.until(|| self.status_of(job, ticket) == JobStatus::CutOff));
        if let First::This(()) = first(grace, cut_off).await {
            tell!(
                warn,
                instance = %job.instance_id,
                activity = &*job.task.name,
                "an activity was cancelled {:?} ago and is still running: it is dropped, or no longer \
                counted if it blocks its thread",
                self.grace
            );
        }
    }

    /// Waits for a condition that can change when jobs are cancelled or cut off.
    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on, no change is missed.
            changed.as_mut().enable();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    /// Sleeps for this time, counted from this call. The result keeps virtual time from passing any
    /// further.
    fn sleep(&self, time: Duration) -> Sleep {
        let made = self.time.as_ref().map(|made| made.sleep(time));
        let timer = self.timer.clone();
        Box::pin(async move {
            match made {
                Some(awake) => awake.await.unwrap_or_default(),
                None => {
                    timer.sleep(time).await;
                    Busy::default()
                }
            }
        })
    }

    /// Begins to run the activity. A transactional activity has a gate.
    fn begin(
        self: &Arc<Self>,
        job: &Job,
        ticket: &Ticket,
    ) -> Result<(ActivityRun, Option<Arc<AttemptGate>>), FailureDetails> {
        let ScheduledTask { name, version, input, .. } = &job.task;
        let entry = self.entry(name, version.as_deref())?;
        let gate = || Arc::new(AttemptGate::new(Arc::downgrade(self), job, ticket, self.limits));
        let gate = entry.transactions().map(|_| gate());
        let effect = |gate: &Arc<AttemptGate>| {
            let (instance, execution) = (job.instance_id.clone(), job.execution_id);
            let effect = ActivityEffect::new(instance, execution, job.task.event_id);
            effect.with(self.transactions.clone(), Arc::clone(gate) as Arc<dyn CommitGate>)
        };
        let context = ActivityContext {
            instance_id: job.instance_id.clone(),
            execution_id: job.execution_id,
            task_id: job.task.event_id,
            name: entry.name,
            version: entry.version,
            attempt: job.task.attempt.number,
            tags: job.task.tags.clone(),
            trace_context: job.task.trace_context.clone(),
            cancellation: ticket.token.clone(),
            states: self.states.clone(),
            effect: gate.as_ref().map(effect),
        };
        let run = || self.registry.run_activity(entry, context, input.clone());
        panics::catch(run).flatten().map(|begun| (begun, gate))
    }

    async fn finish(&self, run: ActivityRun) -> Outcome {
        let output = match run {
            ActivityRun::Async(future) => panics::catch_async(future).await,
            ActivityRun::Blocking(body) => Box::pin(self.block(body)).await,
            ActivityRun::Never(token) => {
                token.cancelled().await;
                Err(cancelled())
            }
            ActivityRun::After(_, answer) => panics::catch_async(answer).await,
        }?;
        self.limits.fitting("the output", output)
    }

    /// Runs a body on the runtime's blocking pool.
    async fn block(&self, body: Body) -> Outcome {
        let (reply, answer) = oneshot::channel();
        let mut answer = pin!(answer);
        let waiting: Waiting = Mutex::new(Some((Guarded::new(body), spans::current(), reply)));
        let (waiting, mut wait) = (Arc::new(waiting), ASK_AGAIN.0);
        loop {
            if take(&waiting, |waiting| waiting.is_some()) {
                let waiting = Arc::clone(&waiting);
                // Without any thread, tokio panics, but runs the task once it gets a thread.
                panics::shield(|| self.drive.spawn_blocking(move || run(&waiting)));
            }
            match first(answer.as_mut(), pin!(self.timer.sleep(wait))).await {
                First::This(Ok(result)) => return result,
                // The runtime is shutting down, and this task with it. The body did not run, so no
                // result may be recorded: it runs when the hub is next opened.
                First::This(Err(_going_down)) => return std::future::pending().await,
                First::That(()) => wait = (wait * 2).min(ASK_AGAIN.1),
            }
        }
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
}

fn cancelled() -> FailureDetails {
    FailureDetails::new(FailureDetails::TERMINATED, "it was cancelled")
}

/// Runs a blocking body, unless another thread has taken it.
fn run(waiting: &Waiting) {
    let Some((body, span, reply)) = take(waiting, Option::take) else { return };
    let body = body.into_inner();
    let result = spans::within(&span, || panics::catch(body).flatten());
    panics::shield(|| drop(reply.send(result)));
}

fn take<T, R>(waiting: &Mutex<Option<T>>, what: impl FnOnce(&mut Option<T>) -> R) -> R {
    what(&mut waiting.lock().unwrap_or_else(PoisonError::into_inner))
}
