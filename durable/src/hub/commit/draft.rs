//! The commit of a group: what it contains, and what is left of it if a partition was lost.

use std::sync::Arc;

use super::write::{Content, Effect, Write};
use crate::hub::mailboxes::Mailboxes;
use crate::hub::ownership::Ownership;
use crate::protocol::{PartitionId, TaskMessage};
use crate::store::Commit;

/// A commit, and the origin of its parts.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) commit: Commit,
    routes: Vec<Route>,
    /// The numbers of the messages to other nodes.
    sent: Vec<usize>,
    /// The owner of each received message.
    receivers: Vec<Arc<Ownership>>,
    /// The partitions that give the answers.
    answering: Vec<PartitionId>,
    /// The partitions that take requests.
    taking: Vec<PartitionId>,
    /// Whether clients receive replies that no owner was checked for yet.
    has_replies: bool,
}

/// The route of a message to a partition of this node: its sender, its number among all messages of
/// the commit, and the owner of its target.
#[derive(Debug)]
struct Route {
    source: PartitionId,
    number: usize,
    owner: Arc<Ownership>,
}

impl Draft {
    /// The commit of these writes. Their contents move into it. If the hub `is_shared`, writes of lost
    /// partitions are left out, with their effects.
    pub(super) fn of(group: &mut [Write], mailboxes: &Mailboxes, is_shared: bool) -> Self {
        let mut draft = Self::default();
        for write in group {
            if is_shared && write.owner.is_lost() {
                void(write);
            } else {
                draft.add(write, mailboxes, is_shared);
            }
        }
        draft.commit.owners.sort_unstable();
        draft.commit.owners.dedup();
        draft
    }

    fn add(&mut self, write: &mut Write, mailboxes: &Mailboxes, is_shared: bool) {
        let (partition, epoch) = (write.owner.partition, write.owner.epoch);
        let Content { episode, consumed, messages, purged, received, taken } =
            std::mem::take(&mut write.content);
        let commit = &mut self.commit;
        commit.owners.push((partition, epoch));
        commit.episodes.extend(episode);
        commit.consumed.extend(consumed.into_iter().map(|id| (partition, id)));
        commit.purged.extend(purged.into_iter().map(|id| (partition, id)));
        for message in messages {
            // A partition may be lost between two messages to it.
            pause!();
            let target = mailboxes.partition(&message.instance_id);
            // A partition keeps its messages to itself, also while it is leaving: what is acknowledged
            // is then before what its next owner is asked.
            let owner = if target == partition {
                Some(Arc::clone(&write.owner))
            } else {
                mailboxes.owner(target)
            };
            let number = self.routes.len() + self.sent.len();
            match owner {
                Some(owner) => {
                    if is_shared {
                        commit.owners.push((target, owner.epoch));
                    }
                    commit.messages.push((target, message));
                    self.routes.push(Route { source: partition, number, owner });
                }
                None => {
                    commit.sent.push((partition, target, message));
                    self.sent.push(number);
                }
            }
        }
        if !is_shared {
            return;
        }
        self.has_replies |= write.effects.iter().any(Effect::is_reply);
        self.receivers.extend(received.iter().map(|_| Arc::clone(&write.owner)));
        commit.received.extend(received);
        self.taking.extend(taken.iter().map(|_| partition));
        commit.taken.extend(taken);
        let answers = write.effects.iter().filter_map(Effect::answer);
        commit.answers.extend(answers);
        self.answering.resize(commit.answers.len(), partition);
    }

    /// Whether the store has nothing to do. A commit that only causes replies is not empty in a
    /// shared hub: the store checks its owners, because a former owner would reply with outdated
    /// data.
    pub(super) fn is_empty(&self) -> bool {
        mark!(
            self.commit.is_empty() && self.has_replies,
            "commit: the owner of a reply without a change is checked"
        );
        self.commit.is_empty() && !self.has_replies
    }

    /// Takes out the writes of partitions that were lost. Messages to these partitions are sent to
    /// their next owners, in the order of all messages. The store names all partitions that were
    /// lost, so the others need not be checked again for their replies.
    pub(super) fn without(self, lost: &[PartitionId]) -> Self {
        let stays = |partition: &PartitionId| !lost.contains(partition);
        let Self { mut commit, routes, sent, receivers, answering, taking, has_replies: _ } = self;
        commit.owners.retain(|(partition, _)| stays(partition));
        commit.episodes.retain(|episode| stays(&episode.partition));
        commit.consumed.retain(|(partition, _)| stays(partition));
        commit.purged.retain(|(partition, _)| stays(partition));
        let mut draft = Self::default();
        let mut sent: Vec<_> = sent.into_iter().zip(commit.sent).collect();
        for ((target, message), route) in commit.messages.drain(..).zip(routes) {
            if stays(&target) && stays(&route.source) {
                draft.commit.messages.push((target, message));
                draft.routes.push(route);
            } else {
                sent.push((route.number, (route.source, target, message)));
            }
        }
        // A partition may have been lost while the draft was made, so some messages to it were sent
        // already.
        sent.retain(|(_, (source, _, _))| stays(source));
        sent.sort_by_key(|(number, _)| *number);
        (draft.sent, draft.commit.sent) = sent.into_iter().unzip();
        for (received, owner) in commit.received.drain(..).zip(receivers) {
            if stays(&received.target) {
                draft.commit.received.push(received);
                draft.receivers.push(owner);
            }
        }
        for (answer, partition) in commit.answers.drain(..).zip(answering) {
            if stays(&partition) {
                draft.commit.answers.push(answer);
                draft.answering.push(partition);
            }
        }
        for (request, partition) in commit.taken.drain(..).zip(taking) {
            if stays(&partition) {
                draft.commit.taken.push(request);
                draft.taking.push(partition);
            }
        }
        let Commit { owners, episodes, consumed, purged, .. } = commit;
        draft.commit = Commit { owners, episodes, purged, consumed, ..draft.commit };
        draft
    }

    /// The messages to deliver, each with the owner of its target.
    pub(super) fn into_messages(self) -> Vec<(Arc<Ownership>, TaskMessage)> {
        let received = self.commit.received.into_iter().map(|received| received.message);
        let messages = self.commit.messages.into_iter().map(|(_, message)| message);
        let owners = self.routes.into_iter().map(|route| route.owner);
        self.receivers.into_iter().zip(received).chain(owners.zip(messages)).collect()
    }
}

/// Drops what a write contains and causes. Waiting clients ask the next owner.
pub(super) fn void(write: &mut Write) {
    mark!("commit: a write of a lost partition");
    write.content = Content::default();
    write.effects.retain(|effect| matches!(effect, Effect::Left(_)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::admission::Admission;
    use crate::protocol::{EventKind, InstanceId, MessageId};
    use crate::store::Epoch;

    /// A message to an instance in this partition.
    fn message(number: u128, target: PartitionId, mailboxes: &Mailboxes) -> TaskMessage {
        let ids = (0..).map(|number| InstanceId::new(format!("order-{number}")).unwrap());
        let id = ids.into_iter().find(|id| mailboxes.partition(id) == target).unwrap();
        let event = EventKind::ExecutionResumed { reason: String::new() };
        TaskMessage::new(MessageId::from_u128(number), id, event)
    }

    #[test]
    fn messages_to_a_partition_that_is_lost_while_the_draft_is_made_stay_in_order() {
        let mailboxes = Mailboxes::new(3, None, Admission::new(1));
        let [source, lost, other] = [0, 1, 2].map(PartitionId);
        let (owner, _mail) = Ownership::new(source, Epoch(1));
        let (former, _mail) = Ownership::new(lost, Epoch(1));
        mailboxes.open(&former);
        let write = |number, target| {
            let messages = vec![message(number, target, &mailboxes)];
            let content = Content { messages, ..Content::default() };
            Write::between_nodes(Arc::clone(&owner), content, Vec::new())
        };
        let mut draft = Draft::default();
        draft.add(&mut write(1, lost), &mailboxes, true);
        draft.add(&mut write(2, other), &mailboxes, true);
        mailboxes.lose(&former);
        draft.add(&mut write(3, lost), &mailboxes, true);
        let commit = draft.without(&[lost]).commit;
        let sent = commit.sent.iter().map(|(_, target, message)| (*target, message.id));
        let expected = [(lost, 1), (other, 2), (lost, 3)];
        assert!(sent.eq(expected.map(|(target, number)| (target, MessageId::from_u128(number)))));
        assert!(commit.messages.is_empty());
    }
}
