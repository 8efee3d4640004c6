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
    /// Of each of the commit's messages: its sender, and the owner of its target.
    routes: Vec<(PartitionId, Arc<Ownership>)>,
    /// The owner of each received message.
    receivers: Vec<Arc<Ownership>>,
    /// The partitions that give the answers.
    answering: Vec<PartitionId>,
    /// The partitions that take requests.
    taking: Vec<PartitionId>,
    /// Whether clients receive replies that no owner was checked for yet.
    has_replies: bool,
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
            let target = mailboxes.partition(&message.instance_id);
            // A partition keeps its messages to itself, also while it is leaving: what is acknowledged
            // is then before what its next owner is asked.
            let owner = if target == partition {
                Some(Arc::clone(&write.owner))
            } else {
                mailboxes.owner(target)
            };
            match owner {
                Some(owner) => {
                    if is_shared {
                        commit.owners.push((target, owner.epoch));
                    }
                    commit.messages.push((target, message));
                    self.routes.push((partition, owner));
                }
                None => commit.sent.push((partition, target, message)),
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

    /// Whether the store has nothing to do. A partition may reply without changing anything, but only
    /// its owner may: a former owner replies from what it knew. So the store checks the owners of a
    /// commit that only causes replies, too.
    pub(super) fn is_empty(&self) -> bool {
        mark!(
            self.commit.is_empty() && self.has_replies,
            "commit: the owner of a reply without a change is checked"
        );
        self.commit.is_empty() && !self.has_replies
    }

    /// Takes out the writes of partitions that were lost. Messages to them are sent to their next
    /// owners. The store names all partitions that were lost, so the others need not be checked again
    /// for their replies.
    pub(super) fn without(self, lost: &[PartitionId]) -> Self {
        let stays = |partition: &PartitionId| !lost.contains(partition);
        let Self { mut commit, routes, receivers, answering, taking, has_replies: _ } = self;
        commit.owners.retain(|(partition, _)| stays(partition));
        commit.episodes.retain(|episode| stays(&episode.partition));
        commit.consumed.retain(|(partition, _)| stays(partition));
        commit.purged.retain(|(partition, _)| stays(partition));
        commit.sent.retain(|(source, _, _)| stays(source));
        let mut draft = Self::default();
        for ((target, message), (source, owner)) in commit.messages.drain(..).zip(routes) {
            match (stays(&source), stays(&target)) {
                (true, true) => {
                    draft.commit.messages.push((target, message));
                    draft.routes.push((source, owner));
                }
                (true, false) => commit.sent.push((source, target, message)),
                (false, _) => {}
            }
        }
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
        let Commit { owners, episodes, consumed, purged, sent, .. } = commit;
        draft.commit = Commit { owners, episodes, purged, consumed, sent, ..draft.commit };
        draft
    }

    /// The messages to deliver, each with the owner whose store has it.
    pub(super) fn into_messages(self) -> Vec<(Arc<Ownership>, TaskMessage)> {
        let received = self.commit.received.into_iter().map(|received| received.message);
        let messages = self.commit.messages.into_iter().map(|(_, message)| message);
        let owners = self.routes.into_iter().map(|(_, owner)| owner);
        self.receivers.into_iter().zip(received).chain(owners.zip(messages)).collect()
    }
}

/// Drops what a write contains and causes. Waiting clients ask the next owner.
pub(super) fn void(write: &mut Write) {
    mark!("commit: a write of a lost partition");
    write.content = Content::default();
    write.effects.retain(|effect| matches!(effect, Effect::Left(_)));
}
