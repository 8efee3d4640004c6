//! I5: each message takes effect once.
//!
//! "Activities and entity operations may therefore run more than once, but their results, state
//! changes and messages take effect exactly once" (ARCHITECTURE.md, the life of an episode).

use std::collections::{BTreeMap, BTreeSet};

use durable::protocol::{
    EventKind, HistoryEvent, InstanceId, Json, MessageId, PartitionId, TaskMessage,
};
use durable::store::{Commit, EpisodeWrite};

#[derive(Debug, Default)]
pub(super) struct Messages {
    /// The messages that were sent but not consumed.
    on_their_way: BTreeMap<MessageId, (InstanceId, EventKind)>,
    consumed: BTreeSet<MessageId>,
    /// The messages that this commit consumes.
    taken: Vec<(InstanceId, EventKind)>,
    /// The messages to partitions of other processes that were not received yet, in the order in
    /// which they were sent, with their source and target partitions.
    in_transit: Vec<InTransit>,
}

#[derive(Debug)]
struct InTransit {
    id: MessageId,
    route: (PartitionId, PartitionId),
    /// The sender and the receiver, if an orchestration sent it.
    between: Option<(InstanceId, InstanceId)>,
}

/// A request of one instance to another, as its history and a message show it.
type Asked<'a> = (&'a InstanceId, &'a str, &'a Json);

fn asked<'a>(to: Option<&'a InstanceId>, kind: &'a EventKind) -> Option<Asked<'a>> {
    match kind {
        EventKind::EventSent { instance_id, name, input, .. } => Some((instance_id, name, input)),
        EventKind::EventRaised { name, input } => Some((to?, name, input)),
        EventKind::EntityOperationCalled { entity_id, operation, input, .. }
        | EventKind::EntityOperationSignaled { entity_id, operation, input, .. } => {
            Some((entity_id.instance_id(), operation, input))
        }
        _ => None,
    }
}

/// Checks that the requests of an instance to another one are sent in the order in which they were
/// made. Within a commit, some instances may send through the store and others directly.
pub(super) fn are_in_order(commit: &Commit) -> Result<(), String> {
    let is_rewound =
        |event: &HistoryEvent| matches!(event.kind, EventKind::ExecutionRewound { .. });
    let mut recorded: BTreeMap<(&InstanceId, &InstanceId), Vec<Asked<'_>>> = BTreeMap::new();
    for episode in &commit.episodes {
        // The history of a rewound instance is rewritten.
        let from = episode.events.iter().rposition(is_rewound).map_or(0, |rewound| rewound + 1);
        let is_request = |event: &&HistoryEvent| event.event_id >= 0;
        let requests = episode.events[from..].iter().filter(is_request);
        for asked in requests.filter_map(|event| asked(None, &event.kind)) {
            recorded.entry((&episode.record.instance_id, asked.0)).or_default().push(asked);
        }
    }
    for ((_, to), recorded) in recorded.into_iter().filter(|(_, recorded)| recorded.len() > 1) {
        let sent = commit.messages.iter().map(|(_, message)| message);
        let mut sent = sent
            .filter(|message| message.instance_id == *to)
            .filter_map(|message| asked(Some(&message.instance_id), &message.event));
        if !recorded.iter().all(|wanted| sent.any(|sent| sent == *wanted)) {
            return Err(format!("I5 messages to {to} overtake each other"));
        }
    }
    Ok(())
}

/// The instance whose episode in this commit requests a message that is not delayed, and the
/// receiver.
fn asker(commit: &Commit, message: &TaskMessage) -> Option<(InstanceId, InstanceId)> {
    let to = &message.instance_id;
    let wanted = asked(Some(to), &message.event).filter(|_| is_unique(&message.event))?;
    let asks = |episode: &&EpisodeWrite| {
        let requests = episode.events.iter().filter(|event| event.event_id >= 0);
        requests.filter_map(|event| asked(None, &event.kind)).any(|asked| asked == wanted)
    };
    let episode = commit.episodes.iter().find(asks)?;
    Some((episode.record.instance_id.clone(), to.clone()))
}

/// Whether the event is an operation with a unique number that is not delayed.
fn is_unique(event: &EventKind) -> bool {
    let (EventKind::EntityOperationCalled { input, .. }
    | EventKind::EntityOperationSignaled { input, scheduled_time: None, .. }) = event
    else {
        return false;
    };
    let input = input.read::<serde_json::Value>().unwrap_or_default();
    input.as_u64().or_else(|| input[0].as_u64()).is_some_and(|token| token > 0)
}

impl Messages {
    /// Checks that messages between processes are received once, and in the order in which one
    /// partition sends them to another.
    ///
    /// "Within one ownership, `receive` returns a message once"; "the messages of one
    /// partition are received in the order in which that partition committed them" (`Cluster`);
    /// "signals arrive exactly once" (guide, entities).
    pub(super) fn between_processes(&mut self, commit: &Commit) -> Result<(), String> {
        for received in &commit.received {
            let (id, to) = (received.message.id, &received.message.instance_id);
            let Some(place) = self.in_transit.iter().position(|it| it.id == id) else {
                return Err(format!(
                    "I5 message {id:?} to {to} is received, and is not on its way"
                ));
            };
            let route = self.in_transit.remove(place).route;
            if self.in_transit[..place].iter().any(|it| it.route == route) {
                return Err(format!("I5 message {id:?} to {to} is received before an earlier one"));
            }
        }
        let is_consumed = |it: &&InTransit| commit.consumed.iter().any(|(_, id)| *id == it.id);
        if let Some(it) = self.in_transit.iter().find(is_consumed) {
            return Err(format!("I5 message {:?} takes effect before it is received", it.id));
        }
        let overtaken = |it: &InTransit| {
            it.between.is_some()
                && commit.messages.iter().any(|(_, message)| {
                    asker(commit, message)
                        .is_some_and(|between| it.between.as_ref() == Some(&between))
                })
        };
        if let Some(it) = self.in_transit.iter().find(|it| overtaken(it)) {
            return Err(format!("I5 message {:?} is overtaken on its way", it.id));
        }
        for (from, to, message) in &commit.sent {
            let (id, between) = (message.id, asker(commit, message));
            self.in_transit.push(InTransit { id, route: (*from, *to), between });
        }
        Ok(())
    }

    pub(super) fn before(&mut self, commit: &Commit) -> Result<(), String> {
        self.taken.clear();
        // A message of this commit may only be consumed by a later one.
        for (_, id) in &commit.consumed {
            if let Some(message) = self.on_their_way.remove(id) {
                self.taken.push(message);
                self.consumed.insert(*id);
            } else if self.consumed.contains(id) {
                return Err(format!("I5 message {id:?} takes effect twice"));
            }
        }
        for (_, message) in &commit.messages {
            let content = (message.instance_id.clone(), message.event.clone());
            let is_consumed = self.consumed.contains(&message.id);
            if is_consumed || self.on_their_way.insert(message.id, content).is_some() {
                let to = &message.instance_id;
                return Err(format!("I5 message {:?} to {to} is sent twice", message.id));
            }
        }
        Ok(())
    }

    /// The messages that the current commit consumes.
    pub(super) fn taken(&self) -> &[(InstanceId, EventKind)] {
        &self.taken
    }

    /// Checks that only messages to a locked entity are waiting.
    pub(super) fn at_rest(&self) -> Result<(), String> {
        if let Some(it) = self.in_transit.first() {
            return Err(format!("I14 message {:?} is never received", it.id));
        }
        let forgotten = self.on_their_way.values().find(|(to, _)| !to.as_str().starts_with('@'));
        match forgotten {
            Some((to, event)) => {
                Err(format!("I14 a message to {to} is never handled: {}", event.type_name()))
            }
            None => Ok(()),
        }
    }
}
