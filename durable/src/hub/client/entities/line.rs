//! The position of a request in the queue of an entity.

use std::collections::BTreeSet;

use crate::hub::error::HubError;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{EntityId, EventKind, ExecutionId, ParentInstance, PartitionId, TaskMessage};

/// The most messages that are read to find a position.
const MESSAGES_MAX: usize = 10_000;
/// The most messages that are in memory at once.
const MESSAGES_AT_ONCE: usize = 256;

/// A request of an orchestration: its execution, and the `event_id` of the request.
type Request = (ExecutionId, i32);

/// Counts what is before a request, from one message of the queue to the next.
#[derive(Debug)]
struct Line {
    request: Request,
    /// The critical section that holds the lock. Its messages go first.
    holder: Option<Request>,
    /// The operations before the request.
    operations: u64,
    /// The lock requests before it whose sections have not ended.
    locks: BTreeSet<Request>,
    /// The operations of the holder before the request.
    privileged: u64,
    /// Whether the request was found, and whether it is one of the holder.
    found: Option<bool>,
}

impl TaskHub {
    /// The position of a request in the queue of an entity, from 1; `None` if it is not among the
    /// first messages of the queue.
    pub(in crate::hub::client) async fn position_in_queue(
        &self,
        entity: &EntityId,
        request: Request,
        holder: Option<&ParentInstance>,
    ) -> Result<Option<u64>, HubError> {
        let id = entity.instance_id().clone();
        let partition = PartitionId::of(&id, self.partitions());
        let holder = holder.map(|holder| (holder.execution_id, holder.task_scheduled_id));
        self.read(move |store| {
            let (mut line, mut from, mut rest) = (Line::new(request, holder), 0, MESSAGES_MAX);
            while rest > 0 {
                let limit = rest.min(MESSAGES_AT_ONCE);
                let messages = store.messages(partition, Some(&id), from..u64::MAX, limit)?;
                for (_, message) in &messages {
                    line.pass(message);
                }
                match messages.last() {
                    Some((last, _)) if messages.len() == limit => from = last.saturating_add(1),
                    _ => break,
                }
                rest -= limit;
            }
            Ok(line.position())
        })
        .await
    }
}

impl Line {
    fn new(request: Request, holder: Option<Request>) -> Self {
        let (operations, locks, privileged) = (0, BTreeSet::new(), 0);
        Self { request, holder, operations, locks, privileged, found: None }
    }

    fn pass(&mut self, message: &TaskMessage) {
        let sender = message.from.as_ref().map(|from| (from.execution_id, from.task_scheduled_id));
        match &message.event {
            // A request whose section has ended before its turn never gets the lock.
            EventKind::EntityUnlockSent { .. } => {
                if let Some(sender) = sender {
                    self.locks.remove(&sender);
                    self.found.take_if(|_| sender == self.request);
                }
            }
            _ if self.found.is_some() => {}
            EventKind::EntityLockRequested { .. } if sender == Some(self.request) => {
                self.found = Some(false);
            }
            EventKind::EntityLockRequested { .. } => self.locks.extend(sender),
            EventKind::EntityOperationCalled { critical_section, .. } => {
                let section = sender.zip(*critical_section);
                let section = section.map(|((execution, _), section)| (execution, section));
                let is_privileged = section.is_some() && section == self.holder;
                if sender == Some(self.request) {
                    self.found = Some(is_privileged);
                } else if is_privileged {
                    self.privileged += 1;
                } else {
                    self.operations += 1;
                }
            }
            EventKind::EntityOperationSignaled { .. } => self.operations += 1,
            _ => {}
        }
    }

    fn position(&self) -> Option<u64> {
        let others = self.operations + self.locks.len() as u64;
        let ahead = if self.found? { self.privileged } else { others };
        Some(ahead + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;
    use crate::protocol::{InstanceId, Json, MessageId};

    fn sender(number: u128, task: i32) -> ParentInstance {
        let id = InstanceId::new(format!("order-{number}")).unwrap();
        ParentInstance {
            instance_id: id,
            execution_id: ExecutionId::from_u128(number),
            name: "order".to_owned(),
            version: None,
            task_scheduled_id: task,
        }
    }

    fn message(from: &ParentInstance, event: EventKind) -> TaskMessage {
        let to = EntityId::new("door", "front").unwrap();
        let mut message = TaskMessage::new(MessageId::from_u128(0), to.into(), event);
        message.from = Some(Box::new(from.clone()));
        message
    }

    fn call(from: &ParentInstance, critical_section: Option<i32>) -> TaskMessage {
        let entity_id = EntityId::new("door", "front").unwrap();
        let (operation, input, source) = ("knock".to_owned(), Json::null(), None);
        let event = EventKind::EntityOperationCalled {
            entity_id,
            operation,
            input,
            source,
            critical_section,
        };
        message(from, event)
    }

    fn lock(from: &ParentInstance) -> TaskMessage {
        message(from, EventKind::EntityLockRequested { lock_set: Vec::new(), source: None })
    }

    fn unlock(from: &ParentInstance) -> TaskMessage {
        let task_scheduled_id = from.task_scheduled_id;
        message(from, EventKind::EntityUnlockSent { task_scheduled_id, lock_set: Vec::new() })
    }

    fn position(queue: &[TaskMessage], of: &ParentInstance, holder: Request) -> Option<u64> {
        let mut line = Line::new((of.execution_id, of.task_scheduled_id), Some(holder));
        for message in queue {
            line.pass(message);
        }
        line.position()
    }

    #[test]
    fn the_messages_of_the_section_that_holds_the_lock_go_first() {
        let (holder, other, inside) = (sender(1, 0), sender(2, 0), sender(1, 1));
        let queue = [call(&other, None), call(&inside, Some(0)), call(&sender(3, 0), None)];
        let held = (holder.execution_id, 0);
        assert_eq!(position(&queue, &inside, held), Some(1));
        assert_eq!(position(&queue, &other, held), Some(1));
        assert_eq!(position(&queue, &sender(3, 0), held), Some(2));
        assert_eq!(position(&queue, &sender(4, 0), held), None);
    }

    /// The model: the requests in order, without the sections that have ended.
    #[test]
    fn a_position_counts_the_requests_before_it_whose_sections_have_not_ended() {
        for seed in 0..300 {
            let mut drawn = 0;
            let mut below = |end| {
                drawn += 1;
                chance::number(seed, drawn) % end
            };
            let (mut queue, mut line) = (Vec::new(), Vec::new());
            for number in 0..40 {
                let from = sender(number, 0);
                match below(3) {
                    0 => queue.push(call(&from, None)),
                    1 => queue.push(lock(&from)),
                    _ => {
                        let ended = sender(u128::from(below(40)), 0);
                        let waits = queue.iter().any(|it: &TaskMessage| {
                            matches!(it.event, EventKind::EntityLockRequested { .. })
                                && it.from.as_deref() == Some(&ended)
                        });
                        if waits {
                            queue.push(unlock(&ended));
                            line.retain(|it| *it != ended);
                        }
                        continue;
                    }
                }
                line.push(from);
            }
            let nobody = (ExecutionId::from_u128(1000), 0);
            for number in 0..40 {
                let from = sender(number, 0);
                let expected = line.iter().position(|it| *it == from).map(|at| at as u64 + 1);
                assert_eq!(position(&queue, &from, nobody), expected, "seed {seed}, {number}");
            }
        }
    }
}
