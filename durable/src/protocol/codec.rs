//! Records as bytes: a format version, then `MessagePack`.
//!
//! Stores that keep bytes write records with [`encode`] and read them with [`decode`], so that what
//! any release wrote to any store can be read by every later release.
//!
//! # Format
//! A record is one byte with the [`FORMAT_VERSION`], then one `MessagePack` value. Structures are
//! arrays and enum variants are named. Within one format version a field may be *appended* (with
//! `#[serde(default)]`) and a variant added; anything else is a new version, and [`decode`] keeps
//! reading the old ones.
//!
//! ```
//! use durable::protocol::{HubRecord, Timestamp, codec};
//!
//! let hub = HubRecord::new(4, Timestamp::default());
//! let bytes = codec::encode(&hub)?;
//! assert_eq!(codec::decode::<HubRecord>(&bytes)?, hub);
//!
//! let error = codec::decode::<HubRecord>(&bytes[..3]).unwrap_err();
//! assert_eq!(error.to_string(), "cannot read the record of a hub");
//! # Ok::<(), codec::CodecError>(())
//! ```

use std::error::Error;
use std::fmt;

use rmp_serde::decode::Error as Malformed;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::shallow::shallow;
use super::{FORMAT_VERSION, HistoryEvent, HubRecord, InstanceRecord, TaskMessage};

/// The maximum nesting depth of a stored value that is read by recursion, which takes about 5 KB of
/// stack per level in a debug build. This release writes values that are nested less than 80 deep.
const DEPTH_MAX: usize = 128;

/// A record of a store: [`HubRecord`], [`InstanceRecord`], [`TaskMessage`], [`HistoryEvent`], or
/// several events as a `Vec` or slice.
///
/// ```
/// use durable::protocol::codec::{self, CodecError, Record};
///
/// /// What a store writes for a record.
/// fn value<R: Record>(record: &R) -> Result<Vec<u8>, CodecError> {
///     codec::encode(record)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record that a store keeps",
    label = "expected `HubRecord`, `InstanceRecord`, `TaskMessage`, or `HistoryEvent`s"
)]
pub trait Record: Serialize {
    /// Its name in errors.
    #[doc(hidden)]
    const WHAT: &str;
}

macro_rules! records {
    ($($record:ty => $what:literal,)*) => {
        $(impl Record for $record {
            const WHAT: &str = $what;
        })*
    };
}

records! {
    HubRecord => "the record of a hub",
    InstanceRecord => "the record of an instance",
    TaskMessage => "a message",
    HistoryEvent => "a history event",
    [HistoryEvent] => "the events of a history",
    Vec<HistoryEvent> => "the events of a history",
}

/// The error of reading or writing a record.
///
/// ```
/// use durable::protocol::HubRecord;
/// use durable::protocol::codec::{CodecError, decode};
///
/// let error = decode::<HubRecord>(&[255]).unwrap_err();
/// assert!(matches!(error, CodecError::UnknownVersion { found: 255, .. }));
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// A newer release wrote the record, or the bytes are not a record.
    #[error("cannot read {what}: it has format {found}, and this release knows none above {known}")]
    UnknownVersion {
        /// What was to be read.
        what: &'static str,
        /// The format that was found.
        found: u8,
        /// The newest format that this release knows.
        known: u8,
    },
    /// The bytes are not what [`encode`] wrote.
    #[error("cannot read {what}")]
    Unreadable {
        /// What was to be read.
        what: &'static str,
        /// Why the record cannot be read.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The record cannot be written. This does not happen to records that the hub hands to a store.
    #[error("cannot write {what}")]
    Unwritable {
        /// What was to be written.
        what: &'static str,
        /// Why the record cannot be written.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Writes a record in the format of this release.
///
/// ```
/// use durable::protocol::{HubRecord, Timestamp, codec};
///
/// let bytes = codec::encode(&HubRecord::new(4, Timestamp::default()))?;
/// assert_eq!(codec::decode::<HubRecord>(&bytes)?.partitions, 4);
/// # Ok::<(), codec::CodecError>(())
/// ```
///
/// # Errors
/// [`CodecError::Unwritable`].
pub fn encode<R: Record + ?Sized>(record: &R) -> Result<Vec<u8>, CodecError> {
    let mut bytes = Vec::new();
    encode_into(&mut bytes, record)?;
    Ok(bytes)
}

/// Appends a record to `bytes`, in the format of this release.
///
/// # Errors
/// [`CodecError::Unwritable`], in which case `bytes` ends with a part of the record.
///
/// ```
/// use durable::protocol::{HubRecord, Timestamp, codec};
///
/// let mut row = vec![7];
/// codec::encode_into(&mut row, &HubRecord::new(4, Timestamp::default()))?;
/// assert_eq!(codec::decode::<HubRecord>(&row[1..])?.partitions, 4);
/// # Ok::<(), codec::CodecError>(())
/// ```
pub fn encode_into<R: Record + ?Sized>(bytes: &mut Vec<u8>, record: &R) -> Result<(), CodecError> {
    write_value(bytes, record)
        .map_err(|error| CodecError::Unwritable { what: R::WHAT, source: Box::new(error) })
}

/// Reads a record in any format that was ever released.
///
/// ```
/// use durable::protocol::codec::{decode, encode};
/// use durable::protocol::{HubRecord, Timestamp};
///
/// let record = HubRecord::new(4, Timestamp::from_micros(0).unwrap());
/// assert_eq!(decode::<HubRecord>(&encode(&record)?)?, record);
/// # Ok::<(), durable::protocol::codec::CodecError>(())
/// ```
///
/// # Errors
/// [`CodecError::UnknownVersion`] or [`CodecError::Unreadable`].
pub fn decode<R: Record + DeserializeOwned>(bytes: &[u8]) -> Result<R, CodecError> {
    let what = R::WHAT;
    read_value(bytes).map_err(|error| match error {
        ReadError::Version(found) => {
            CodecError::UnknownVersion { what, found, known: FORMAT_VERSION }
        }
        error => CodecError::Unreadable { what, source: Box::new(error) },
    })
}

/// Appends any value to `bytes`, in the format of records.
pub(crate) fn write_value<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> Result<(), rmp_serde::encode::Error> {
    bytes.push(FORMAT_VERSION);
    rmp_serde::encode::write(bytes, value)
}

/// Reads what [`write_value`] wrote, in any release.
pub(crate) fn read_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ReadError> {
    match bytes.split_first() {
        None => Err(ReadError::Empty),
        Some((&FORMAT_VERSION, body)) => match read(body) {
            Err(Malformed::DepthLimitExceeded) => {
                let cut = shallow(body, DEPTH_MAX - 1).ok_or(ReadError::Length)?;
                read(&cut).map_err(ReadError::Malformed)
            }
            read => read.map_err(ReadError::Malformed),
        },
        Some((version, _)) => Err(ReadError::Version(*version)),
    }
}

/// Why bytes cannot be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    Empty,
    Version(u8),
    /// It is nested too deeply, and cut off or followed by other bytes.
    Length,
    Malformed(Malformed),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Version(version) => write!(f, "it has the unknown format version {version}"),
            Self::Length => f.write_str("it is cut off, or other bytes follow it"),
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

impl Error for ReadError {}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Malformed> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(body);
    reader.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut reader)
}

/// Writes any value that tests want to read again.
#[cfg(test)]
pub(crate) fn written<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_value(&mut bytes, value).unwrap();
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{EventKind, FailureDetails, Timestamp};

    /// A failure with many causes as release 0.1 wrote it, in the second of two events.
    fn written_by_0_1(causes: usize) -> Vec<u8> {
        let failure = FailureDetails::new("Outer", "no room");
        let event = |failure| {
            let kind = EventKind::task_result(3, Err(failure));
            HistoryEvent::new(Timestamp::default(), kind)
        };
        let mut bytes = written(&[event(failure.clone()), event(failure.clone())]);
        // Release 0.1 knew two fields. This one appends which attempt it was and when it began.
        let name = bytes.windows(10).rposition(|part| part == b"TaskFailed").unwrap();
        assert_eq!(std::mem::replace(&mut bytes[name + 10], 0x92), 0x94);
        assert_eq!(bytes.split_off(bytes.len() - 2), [0xc0, 0xc0]);
        // A cause is nil in its place, or a failure of the same form.
        let link = written(&failure).split_off(1);
        let nil = link.len() - 3;
        assert_eq!(link[nil..], [0xc0, 0xc2, 0xc0], "cause, whether it is retriable, value");
        let at = bytes.len() - link.len();
        assert!(bytes.ends_with(&link));
        let mut deep = bytes[..at].to_vec();
        for _ in 0..causes {
            deep.extend_from_slice(&link[..nil]);
        }
        deep.extend_from_slice(&link);
        for _ in 0..causes {
            deep.extend_from_slice(&link[nil + 1..]);
        }
        deep
    }

    #[test]
    fn stored_failures_with_too_many_causes_are_read_shortened() {
        for causes in [0, 63, 64, 100, 400, 1_200, 100_000] {
            let events: Vec<HistoryEvent> = decode(&written_by_0_1(causes)).unwrap();
            let [_, HistoryEvent { kind: EventKind::TaskFailed { failure, .. }, .. }] = &events[..]
            else {
                panic!("{events:?}");
            };
            let read = failure.chain().count();
            assert_eq!(read, (causes + 1).min(read), "{causes} causes");
            assert!(read > causes.min(64), "{causes} causes: {read} links");
            let again: Vec<HistoryEvent> = decode(&encode(&events).unwrap()).unwrap();
            assert_eq!(again.len(), 2, "{causes} causes");
        }
    }

    #[test]
    fn deeply_nested_damage_is_an_error() {
        for marker in [0x91, 0x81, 0xdd] {
            let mut bytes = vec![FORMAT_VERSION];
            bytes.resize(100_000, marker);
            read_value::<FailureDetails>(&bytes).unwrap_err();
        }
    }

    #[test]
    fn an_error_names_the_record_that_could_not_be_read() {
        let mut bytes = encode(&HubRecord::new(4, Timestamp::default())).unwrap();
        let cut = decode::<HubRecord>(&bytes[..2]).unwrap_err();
        assert_eq!(cut.to_string(), "cannot read the record of a hub");
        assert!(cut.source().is_some());
        let empty = decode::<TaskMessage>(&[]).unwrap_err();
        assert_eq!(empty.to_string(), "cannot read a message");
        assert_eq!(empty.source().unwrap().to_string(), "it is empty");
        bytes[0] = FORMAT_VERSION + 1;
        let newer = decode::<HubRecord>(&bytes).unwrap_err();
        let found = FORMAT_VERSION + 1;
        assert!(matches!(newer, CodecError::UnknownVersion { found: f, .. } if f == found));
    }
}
