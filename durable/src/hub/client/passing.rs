//! A hub whose time is made: what waits for it, and what makes it pass.

use std::pin::pin;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::hub::task_hub::TaskHub;
use crate::hub::time::wait::{self, First};
use crate::orchestration::Elapsed;
use crate::protocol::Timestamp;

impl TaskHub {
    /// What time it is for the hub.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Waits for an answer; there is none if the hub stops before. Where time is made, it passes
    /// meanwhile whenever nothing else is left to do.
    pub(crate) async fn passing_time<T>(&self, mut answer: oneshot::Receiver<T>) -> Option<T> {
        let Some(time) = &self.inner.time else { return answer.await.ok() };
        loop {
            time.idle().await;
            let mut stirred = pin!(time.stirred());
            // From here on nothing that happens is missed.
            stirred.as_mut().enable();
            match answer.try_recv() {
                Ok(answer) => return Some(answer),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => return None,
            }
            match time.next_due() {
                Some(due) => self.move_time_to(due),
                // Nothing will happen by itself any more; somebody outside may see to it. A hub
                // that has failed drops what it was to answer without a stir.
                None => {
                    if let Some(answer) = first(&mut answer, stirred).await {
                        return answer.ok();
                    }
                }
            }
        }
    }

    /// As [`passing_time`](Self::passing_time), for any future.
    pub(crate) async fn passing<T>(&self, answer: impl Future<Output = T>) -> T {
        let mut answer = pin!(answer);
        let Some(time) = &self.inner.time else { return answer.await };
        loop {
            if let Some(answer) = first(answer.as_mut(), pin!(time.idle())).await {
                return answer;
            }
            let mut stirred = pin!(time.stirred());
            // From here on nothing that happens is missed.
            stirred.as_mut().enable();
            if let Some(answer) = first(answer.as_mut(), pin!(std::future::ready(()))).await {
                return answer;
            }
            match time.next_due() {
                Some(due) => self.move_time_to(due),
                // Nothing will happen by itself any more; somebody outside may see to it.
                None => {
                    if let Some(answer) = first(answer.as_mut(), stirred).await {
                        return answer;
                    }
                }
            }
        }
    }

    /// What a future gives within this time, by the hub's clock.
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
                // The woken task lets time pass again only after it has run.
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

/// What the first future gives; none if the other one is done before.
async fn first<T>(answer: impl Future<Output = T>, other: impl Future<Output = ()>) -> Option<T> {
    match wait::first(pin!(answer), pin!(other)).await {
        First::This(answer) => Some(answer),
        First::That(()) => None,
    }
}
