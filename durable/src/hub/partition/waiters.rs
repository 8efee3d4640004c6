//! Clients that wait for an instance to begin or to end, watch its custom status or follow its history.

use std::collections::HashMap;

use lru::DefaultHasher;
use tokio::sync::watch;

use crate::hub::commit::write::Effect;
use crate::hub::custom_status::Watched;
use crate::hub::mail::{End, EndReply, Ended, StartedReply};
use crate::protocol::{InstanceId, InstanceRecord, Json, RuntimeStatus};

#[derive(Debug, Default)]
pub(super) struct Waiters(HashMap<InstanceId, Waiting, DefaultHasher>);

/// The replies that one instance owes.
#[derive(Debug, Default)]
struct Waiting {
    start: Vec<StartedReply>,
    end: Vec<EndReply>,
    status: Option<Watched>,
    /// Tells followers of its history that an episode is durable.
    episodes: Option<watch::Sender<()>>,
}

impl Waiters {
    pub(super) fn add_for_start(&mut self, id: InstanceId, reply: StartedReply) {
        let waiting = &mut self.0.entry(id).or_default().start;
        // A client that retries after each timeout must not leave a dead reply behind each time.
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(reply);
    }

    pub(super) fn add_for_end(&mut self, id: InstanceId, reply: EndReply) {
        let waiting = &mut self.0.entry(id).or_default().end;
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(reply);
    }

    /// The channel of an instance's custom status, which is `status` now.
    pub(super) fn watch(&mut self, id: InstanceId, status: Option<Json>) -> Watched {
        let watched = &mut self.0.entry(id).or_default().status;
        watched.get_or_insert_with(|| Watched::new(status)).clone()
    }

    /// A channel that changes with each episode of an instance that has not ended.
    pub(super) fn follow(&mut self, id: InstanceId) -> watch::Receiver<()> {
        let episodes = &mut self.0.entry(id).or_default().episodes;
        episodes.get_or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Answers the clients that a write of an instance concerns; `before` is the status before the
    /// write.
    pub(super) fn answer(
        &mut self,
        record: &InstanceRecord,
        end: Option<&End>,
        before: RuntimeStatus,
        effects: &mut Vec<Effect>,
    ) {
        let Some(waiting) = self.0.get_mut(&record.instance_id) else { return };
        let Waiting { start, end: ending, status, episodes } = waiting;
        let is_pending = record.runtime_status == RuntimeStatus::Pending;
        if before == RuntimeStatus::Pending && !is_pending {
            effects.extend(start.drain(..).map(|reply| Effect::Begun(reply, true)));
        }
        if let Some(end) = end {
            effects.extend(ending.drain(..).map(|reply| ended(reply, end.clone(), record)));
        }
        if let Some(watched) = status {
            effects.extend(watched.changes(record).map(|(to, status)| Effect::Said(to, status)));
            if !watched.continues(record) {
                *status = None;
            }
        }
        if let Some(sender) = episodes {
            if sender.is_closed() {
                *episodes = None;
            } else {
                effects.push(Effect::Recorded(sender.clone()));
            }
        }
        if record.runtime_status.is_finished() {
            // The effect has the last sender, so followers find the channel closed.
            *episodes = None;
        }
        if start.is_empty() && ending.is_empty() && status.is_none() && episodes.is_none() {
            self.0.remove(&record.instance_id);
        }
    }

    /// Answers all clients of an instance that is terminated and purged by one write.
    pub(super) fn answer_removed(&mut self, record: &InstanceRecord, effects: &mut Vec<Effect>) {
        let Some(waiting) = self.0.remove(&record.instance_id) else { return };
        let Waiting { start, end, status, episodes } = waiting;
        effects.extend(start.into_iter().map(|reply| Effect::Begun(reply, true)));
        effects.extend(end.into_iter().map(|reply| ended(reply, End::Terminated, record)));
        effects.extend(episodes.map(Effect::Recorded));
        if let Some(mut watched) = status {
            effects.extend(watched.changes(record).map(|(to, status)| Effect::Said(to, status)));
        }
    }
}

fn ended(reply: EndReply, end: End, record: &InstanceRecord) -> Effect {
    Effect::Ended(reply, Some(Box::new(Ended { end, record: record.clone() })))
}
