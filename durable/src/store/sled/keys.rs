//! The layout of keys in the one sled tree.
//!
//! ```text
//! m                                       HubRecord
//! p <partition: 2>                        Epoch
//! i <instance>                            InstanceRecord
//! u <partition: 2> <instance>             nothing: the instance has not finished
//! h <instance> 00 <execution: 16> <first event: 8> <piece: 4>
//!                                         a piece of an episode's events
//! q <partition: 2> <position: 8> <piece: 4>
//!                                         a piece of a message that nobody has consumed
//! ```
//! Numbers are big-endian, so that keys sort as the numbers do: the code relies on that for the
//! order of episodes, of messages, and of the pieces of one value. An instance id has no control
//! characters, so the 00 behind it ends it.

use crate::protocol::{ExecutionId, InstanceId, PartitionId};

pub(super) const HUB: &[u8] = b"m";

pub(super) fn partition(partition: PartitionId) -> Vec<u8> {
    [b"p".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(super) fn instance(instance: &InstanceId) -> Vec<u8> {
    [b"i", instance.as_str().as_bytes()].concat()
}

/// The prefix of a partition's unfinished instances; an instance id behind it makes a key.
pub(super) fn unfinished(partition: PartitionId) -> Vec<u8> {
    [b"u".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(super) fn unfinished_instance(partition: PartitionId, instance: &InstanceId) -> Vec<u8> {
    [&unfinished(partition), instance.as_str().as_bytes()].concat()
}

/// The prefix of an execution's history.
pub(super) fn history(instance: &InstanceId, execution: ExecutionId) -> Vec<u8> {
    [b"h", instance.as_str().as_bytes(), &[0], execution.as_bytes()].concat()
}

/// The prefix of an episode's pieces.
pub(super) fn episode(instance: &InstanceId, execution: ExecutionId, first: u64) -> Vec<u8> {
    [history(instance, execution).as_slice(), &first.to_be_bytes()].concat()
}

/// The prefix of a partition's messages.
pub(super) fn messages(partition: PartitionId) -> Vec<u8> {
    [b"q".as_slice(), &partition.0.to_be_bytes()].concat()
}

/// The prefix of a message's pieces.
pub(super) fn message(partition: PartitionId, position: u64) -> Vec<u8> {
    [messages(partition).as_slice(), &position.to_be_bytes()].concat()
}
