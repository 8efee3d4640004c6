//! The envelope of everything stored: a format version, then `MessagePack`.
//!
//! Structures are written as arrays and enum variants by name, so within one format version a field
//! may be *appended* (with `#[serde(default)]`) and a variant added; anything else is a new version,
//! and [`decode`] keeps reading the old ones.

use rmp_serde::decode::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::shallow::shallow;

/// The version of the format that this release writes.
pub const FORMAT_VERSION: u8 = 1;

/// How deep a stored value may be nested to be read by recursion, which takes about 5 KB of stack a
/// level in a debug build. What this release writes is nested less than 80 deep.
const DEPTH_MAX: usize = 128;

/// What a store knows of the task hub as a whole; written once, when the hub is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubRecord {
    /// The format of everything in the store.
    pub format: u8,
    /// Into how many partitions the instances are divided.
    pub partitions: u16,
    /// When the hub was created.
    pub created_at: Timestamp,
}

/// Writes `value` in the present format.
pub(crate) fn encode(value: &impl Serialize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    encode_behind(&mut bytes, value)?;
    Ok(bytes)
}

/// Writes `value` in the present format behind what is there.
pub(crate) fn encode_behind(bytes: &mut Vec<u8>, value: &impl Serialize) -> Result<(), String> {
    bytes.push(FORMAT_VERSION);
    rmp_serde::encode::write(bytes, value).map_err(|error| error.to_string())
}

/// Reads a value of any format that was ever released.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        None => Err("it is empty".to_owned()),
        Some((&FORMAT_VERSION, body)) => match read(body) {
            Err(Error::DepthLimitExceeded) => {
                let cut = shallow(body, DEPTH_MAX - 1).ok_or("it is cut off or goes on")?;
                read(&cut).map_err(|error| error.to_string())
            }
            read => read.map_err(|error| error.to_string()),
        },
        Some((version, _)) => Err(format!("it has the unknown format version {version}")),
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut reader = rmp_serde::Deserializer::from_read_ref(body);
    reader.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut reader)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{EventKind, FailureDetails, HistoryEvent};

    /// As release 0.1 has written a failure with so many causes, in an event behind another.
    fn written_by_0_1(causes: usize) -> Vec<u8> {
        let failure = FailureDetails::new("Outer", "no room");
        let event = |failure| {
            let kind = EventKind::TaskFailed { task_scheduled_id: 3, failure };
            HistoryEvent::new(Timestamp::default(), kind)
        };
        let bytes = encode(&vec![event(failure.clone()), event(failure.clone())]).unwrap();
        // A cause is nil in its place, or a failure of the same form.
        let link = encode(&failure).unwrap().split_off(1);
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
    fn failures_with_too_many_causes_that_are_stored_are_read_without_the_last() {
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
    fn damage_that_is_nested_deeply_is_an_error() {
        for marker in [0x91, 0x81, 0xdd] {
            let mut bytes = vec![FORMAT_VERSION];
            bytes.resize(100_000, marker);
            decode::<FailureDetails>(&bytes).unwrap_err();
        }
    }
}
