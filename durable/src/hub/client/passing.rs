//! Waiting on a hub whose time may be virtual: while a client waits, virtual time advances.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::hub::task_hub::TaskHub;
use crate::hub::time::wait::{self, First};
use crate::orchestration::Elapsed;
use crate::protocol::Timestamp;

impl TaskHub {
    /// The current time of the hub's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Waits for an answer; `None` if the hub stops first. In the meantime, virtual time advances
    /// whenever the hub is idle.
    pub(crate) async fn passing_time<T>(&self, mut answer: oneshot::Receiver<T>) -> Option<T> {
        let Some(time) = &self.inner.time else { return answer.await.ok() };
        loop {
            time.idle().await;
            let mut stirred = pin!(time.stirred());
            // Registers for wake-ups before the check below, so that none is missed.
            stirred.as_mut().enable();
            match answer.try_recv() {
                Ok(answer) => return Some(answer),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => return None,
            }
            match time.next_due() {
                Some(due) => self.move_time_to(due),
                // The hub is idle and no timer is due, so only something outside can cause
                // progress. A hub that has failed drops its pending answers without a wake-up.
                None => {
                    if let Some(answer) = first(&mut answer, stirred).await {
                        return answer.ok();
                    }
                }
            }
        }
    }

    /// Like [`passing_time`](Self::passing_time), but for any future.
    pub(crate) async fn passing<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let Some(time) = &self.inner.time else { return answer.await };
        loop {
            if let Some(answer) = first(answer.as_mut(), pin!(time.idle())).await {
                return answer;
            }
            let mut stirred = pin!(time.stirred());
            // Registers for wake-ups before the check below, so that none is missed.
            stirred.as_mut().enable();
            if let Some(answer) = first(answer.as_mut(), pin!(std::future::ready(()))).await {
                return answer;
            }
            match time.next_due() {
                Some(due) => self.move_time_to(due),
                // The hub is idle and no timer is due, so only something outside can cause
                // progress.
                None => {
                    if let Some(answer) = first(answer.as_mut(), stirred).await {
                        return answer;
                    }
                }
            }
        }
    }

    /// Runs a future with a time limit by the hub's clock.
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let answer = pin!(answer);
        match &self.inner.time {
            None => {
                let timer = &self.inner.activities.timer;
                first(answer, timer.sleep(limit)).await.ok_or(Elapsed)
            }
            Some(time) => {
                // The woken task holds virtual time still until it has run.
                let awake = pin!(time.sleep(limit));
                let answer = self.passing(first(answer, async { drop(awake.await) }));
                answer.await.ok_or(Elapsed)
            }
        }
    }

    pub(crate) fn move_time_to(&self, time: Timestamp) {
        if let Some(made) = &self.inner.time {
            made.advance_to(time);
            self.inner.mailboxes.wake_all();
        }
    }
}

/// Returns the output of the first future; `None` if the other one completes first.
async fn first<T>(answer: impl Future<Output = T>, other: impl Future<Output = ()>) -> Option<T> {
    match wait::first(pin!(answer), pin!(other)).await {
        First::This(answer) => Some(answer),
        First::That(()) => None,
    }
}
