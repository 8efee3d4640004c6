//! The body of a frame: the changes of a commit, in the order in which they take effect.
//!
//! A body is the format version and then changes, each a letter and its fields. Numbers are
//! big-endian; texts and values are preceded by their length. Values that are read are slices of
//! the frame and share its memory.
//!
//! Read next: `overlay.rs` (what a change does).

use bytes::{Buf, BufMut, Bytes, TryGetError};

use super::error::newer_format;
use super::log::frame::{self, Frame};
use crate::protocol::codec::write_value;
use crate::protocol::{
    ExecutionId, FORMAT_VERSION, HubRecord, InstanceId, InstanceRecord, PartitionId, TaskMessage,
    Timestamp,
};
use crate::store::{Commit, EpisodeWrite, Epoch, StoreError};

const HUB: u8 = b'm';
const EPOCH: u8 = b'p';
const EPISODE: u8 = b'e';
const PURGE: u8 = b'x';
const CONSUME: u8 = b'c';
const MESSAGE: u8 = b'q';

/// The size of an episode of few events, so that a buffer for many of them does not grow in steps.
const EPISODE_BYTES: usize = 512;

/// One change of a commit.
#[derive(Debug)]
pub(super) enum Change {
    Hub(Bytes),
    Epoch(PartitionId, Epoch),
    Episode(Box<Episode>),
    Purge(InstanceId),
    Consume(PartitionId, u64),
    Message(PartitionId, u64, Bytes),
}

#[derive(Debug)]
pub(super) struct Episode {
    pub(super) id: InstanceId,
    pub(super) head: Head,
    pub(super) replaces: Option<ExecutionId>,
    /// Index of the first of its events.
    pub(super) first: u64,
    /// The number of its events.
    pub(super) count: u32,
    pub(super) record: Bytes,
    pub(super) events: Bytes,
}

/// The facts about an instance that are known without decoding its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) partition: PartitionId,
    pub(super) execution: ExecutionId,
    pub(super) history_len: u64,
    pub(super) active: bool,
    pub(super) next_due: Option<Timestamp>,
}

impl Head {
    fn of(partition: PartitionId, record: &InstanceRecord) -> Self {
        Self {
            partition,
            execution: record.execution_id,
            history_len: record.history_len,
            active: record.active,
            next_due: record.next_due,
        }
    }

    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        buffer.put_u16(self.partition.0);
        buffer.put_slice(self.execution.as_bytes());
        buffer.put_u64(self.history_len);
        buffer.put_u8(u8::from(self.active));
        let due = self.next_due.map(|due| due.to_datetime().timestamp_micros());
        buffer.put_i64(due.unwrap_or(i64::MIN));
    }

    pub(super) fn read(bytes: &mut impl Buf) -> Result<Self, Unreadable> {
        Ok(Self {
            partition: PartitionId(bytes.try_get_u16()?),
            execution: ExecutionId::from_u128(bytes.try_get_u128()?),
            history_len: bytes.try_get_u64()?,
            active: bytes.try_get_u8()? != 0,
            next_due: match bytes.try_get_i64()? {
                i64::MIN => None,
                micros => Some(Timestamp::from_micros(micros).ok_or(Unreadable)?),
            },
        })
    }
}

/// A body that is being written.
pub(super) struct Body(Vec<u8>);

impl Body {
    fn new() -> Self {
        let mut buffer = frame::begin();
        buffer.put_u8(FORMAT_VERSION);
        Self(buffer)
    }

    pub(super) fn hub(hub: &HubRecord) -> Result<Vec<u8>, StoreError> {
        let mut body = Self::new();
        body.0.put_u8(HUB);
        body.value(hub)?;
        Ok(body.0)
    }

    pub(super) fn epoch(partition: PartitionId, epoch: Epoch) -> Vec<u8> {
        let mut body = Self::new();
        body.0.put_u8(EPOCH);
        body.0.put_u16(partition.0);
        body.0.put_u64(epoch.0);
        body.0
    }

    /// The body of a commit whose new messages get positions from `next` on. `position` returns
    /// those of existing messages.
    pub(super) fn commit(
        commit: &Commit,
        next: u64,
        position: impl Fn(&(PartitionId, crate::protocol::MessageId)) -> Option<u64>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut body = Self::new();
        body.0.reserve(commit.episodes.len() * EPISODE_BYTES);
        for episode in &commit.episodes {
            body.episode(episode)?;
        }
        for (_partition, id) in &commit.purged {
            body.0.put_u8(PURGE);
            body.text(id.as_str());
        }
        for consumed in &commit.consumed {
            if let Some(position) = position(consumed) {
                body.0.put_u8(CONSUME);
                body.0.put_u16(consumed.0.0);
                body.0.put_u64(position);
            }
        }
        for (position, (partition, message)) in (next..).zip(&commit.messages) {
            body.message(*partition, position, message)?;
        }
        Ok(body.0)
    }

    fn episode(&mut self, episode: &EpisodeWrite) -> Result<(), StoreError> {
        let EpisodeWrite { partition, record, events, replaces } = episode;
        self.0.put_u8(EPISODE);
        self.text(record.instance_id.as_str());
        Head::of(*partition, record).write(&mut self.0);
        match replaces {
            Some(replaced) => {
                self.0.put_u8(1);
                self.0.put_slice(replaced.as_bytes());
            }
            None => self.0.put_u8(0),
        }
        self.0.put_u64(record.last_episode);
        self.0.put_u32(u32::try_from(events.len()).unwrap_or(u32::MAX));
        self.value(record)?;
        self.value(events)
    }

    fn message(
        &mut self,
        partition: PartitionId,
        position: u64,
        message: &TaskMessage,
    ) -> Result<(), StoreError> {
        self.0.put_u8(MESSAGE);
        self.0.put_u16(partition.0);
        self.0.put_u64(position);
        self.value(message)
    }

    fn text(&mut self, text: &str) {
        self.0.put_u32(u32::try_from(text.len()).unwrap_or(u32::MAX));
        self.0.put_slice(text.as_bytes());
    }

    fn value(&mut self, value: &impl serde::Serialize) -> Result<(), StoreError> {
        let at = self.0.len();
        self.0.put_u32(0);
        write_value(&mut self.0, value)
            .map_err(|error| StoreError::damaged(format!("cannot be written: {error}")))?;
        let length = u32::try_from(self.0.len() - at - 4)
            .map_err(|_| StoreError::damaged("a value of more than 4 GiB cannot be written"))?;
        self.0[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

/// The changes of a frame, in order.
pub(super) fn changes(frame: &Frame) -> impl Iterator<Item = Result<Change, StoreError>> {
    let mut body = frame.body.clone();
    let sequence = frame.sequence;
    let version = body.try_get_u8();
    if version != Ok(FORMAT_VERSION) {
        body = Bytes::from_static(b"?");
    }
    // The frame is valid, so a newer release wrote it.
    let newer = version.ok().and_then(newer_format);
    std::iter::from_fn(move || {
        let change = body.has_remaining().then(|| read_change(&mut body))?;
        Some(change.map_err(|Unreadable| {
            body.clear();
            newer.clone().unwrap_or_else(|| {
                StoreError::damaged(format!("frame {sequence} of the log cannot be decoded"))
            })
        }))
    })
}

/// An error for bytes that are not valid.
#[derive(Debug)]
pub(super) struct Unreadable;

impl From<TryGetError> for Unreadable {
    fn from(_: TryGetError) -> Self {
        Self
    }
}

fn read_change(body: &mut Bytes) -> Result<Change, Unreadable> {
    Ok(match body.try_get_u8()? {
        HUB => Change::Hub(slice(body)?),
        EPOCH => Change::Epoch(partition(body)?, Epoch(body.try_get_u64()?)),
        EPISODE => Change::Episode(Box::new(Episode {
            id: instance_id(body)?,
            head: Head::read(body)?,
            replaces: match body.try_get_u8()? {
                0 => None,
                _ => Some(ExecutionId::from_u128(body.try_get_u128()?)),
            },
            first: body.try_get_u64()?,
            count: body.try_get_u32()?,
            record: slice(body)?,
            events: slice(body)?,
        })),
        PURGE => Change::Purge(instance_id(body)?),
        CONSUME => Change::Consume(partition(body)?, body.try_get_u64()?),
        MESSAGE => Change::Message(partition(body)?, body.try_get_u64()?, slice(body)?),
        _ => return Err(Unreadable),
    })
}

fn partition(body: &mut Bytes) -> Result<PartitionId, Unreadable> {
    Ok(PartitionId(body.try_get_u16()?))
}

fn instance_id(body: &mut Bytes) -> Result<InstanceId, Unreadable> {
    let id = slice(body)?;
    let id = std::str::from_utf8(&id).map_err(|_| Unreadable)?;
    InstanceId::from_stored(id).map_err(|_| Unreadable)
}

/// A value, preceded by its length.
pub(super) fn slice(body: &mut Bytes) -> Result<Bytes, Unreadable> {
    let length = body.try_get_u32()? as usize;
    if length > body.len() {
        return Err(Unreadable);
    }
    Ok(body.split_to(length))
}
