//! Constructs with several awaits.

use durable::task::Race2;

use super::functions::counter;
use super::{Outcome, Run, Running, event_name};
use crate::program::{Fate, Node, Ordered, When};
use crate::trace;

impl Run<'_> {
    #[durable::helper]
    pub(super) async fn held(
        &self,
        name: u8,
        limit: When,
        meanwhile: &Node,
        is_awaited: bool,
    ) -> Outcome {
        let event = Node::Event(name);
        let mut first = self.start(&event);
        let raced = durable::race((&mut first, self.timer(limit))).await;
        if let Race2::First(outcome) = raced {
            return outcome;
        }
        let both =
            durable::join((self.start(&event), self.pause_and_drop(first, is_awaited))).await;
        drop(both);
        self.start(meanwhile).await
    }

    #[durable::helper]
    async fn pause_and_drop(&self, wait: Running<'_>, is_awaited: bool) -> Outcome {
        self.timer(When::Minute).await;
        if is_awaited {
            return wait.await;
        }
        drop(wait);
        Ok(())
    }

    /// Begins some nodes, runs another one, and then awaits or drops each of them.
    #[durable::helper]
    pub(super) async fn kept(&self, kept: &[(Node, Fate)], meanwhile: &Node) -> Outcome {
        let mut running: Vec<Option<Running<'_>>> = Vec::new();
        for (node, _) in kept {
            let mut task = self.start(node);
            let raced = durable::race((&mut task, self.timer(When::Now))).await;
            running.push(matches!(raced, Race2::Second(())).then_some(task));
        }
        drop(self.start(meanwhile).await);
        for (task, (_, fate)) in running.into_iter().zip(kept) {
            let Some(task) = task else { continue };
            match fate {
                Fate::Dropped => drop(task),
                Fate::Awaited => drop(task.await),
                Fate::Limited(when) => drop(durable::timeout(when.duration(), task).await),
            }
        }
        Ok(())
    }

    /// The waits that are not dropped get the events in the order of their arrival. The custom
    /// status says which events they got, for rule I6.
    #[durable::helper]
    pub(super) async fn ordered(&self, ordered: &Ordered) -> Outcome {
        let Ordered { name, dropped, after, limit } = ordered;
        self.event_waits.set(self.event_waits.get() + 1);
        let mut waits = Vec::new();
        for _ in dropped {
            let event = self.ctx.wait_for_external_event::<u64>(&event_name(*name));
            let mut wait = event.into_future();
            // The race polls the wait, which thereby requests the event.
            match durable::race((&mut wait, self.timer(When::Now))).await {
                Race2::First(got) => waits.push((None, self.noted(got.ok()))),
                Race2::Second(()) => waits.push((Some(wait), None)),
            }
        }
        // If an older wait is dropped without having read its event, that event comes too late for
        // a younger wait that already has its own.
        let is_overtaken =
            waits.iter().zip(dropped).enumerate().any(|(place, (older, dropped))| {
                let is_read = |younger: &(Option<_>, Option<u64>)| younger.0.is_none();
                *dropped && older.0.is_some() && waits.iter().skip(place + 1).any(is_read)
            });
        self.timer(*after).await;
        for (wait, is_dropped) in waits.iter_mut().zip(dropped) {
            if *is_dropped {
                drop(wait.0.take());
            }
        }
        let mut got = Vec::new();
        for (wait, value) in waits {
            let value = match wait {
                Some(wait) => {
                    let waited = durable::timeout(limit.duration(), wait).await;
                    self.noted(waited.ok().and_then(std::result::Result::ok))
                }
                None => value,
            };
            got.extend(value);
        }
        // A wait elsewhere that was dropped would have passed its event on.
        let is_alone = self.event_waits.get() == 1;
        let what = if is_alone && !is_overtaken { trace::ORDERED } else { "mixed" };
        let status = (what, event_name(*name), got);
        self.ctx.set_custom_status(&status).map_err(|error| error.to_string())
    }

    fn noted(&self, number: Option<u64>) -> Option<u64> {
        number.inspect(|number| trace::note_read(self.ctx, *number))
    }

    /// No other instance changes the entities of a critical section.
    #[durable::helper]
    pub(super) async fn section(&self, keys: &[u8], inside: &Node) -> Outcome {
        let token = self.token();
        let counters: Vec<_> = keys.iter().map(|key| counter(*key)).collect();
        let section = self.ctx.lock_entities(counters).await;
        let mut section = section.map_err(|error| error.to_string())?;
        let calls = self.calls.get();
        let before = section[0].count().await.map_err(|error| error.to_string())?;
        drop(self.start(inside).await);
        let at = section[0].add(token).await.map_err(|error| error.to_string())?;
        let after = section[0].count().await.map_err(|error| error.to_string())?;
        // Calls that this orchestration makes in the meantime are part of the section.
        let is_alone = self.calls.get() == calls;
        if is_alone && (at != before || after != before + 1) {
            trace::wrong("I10 a critical section is not isolated");
        }
        Ok(())
    }
}
