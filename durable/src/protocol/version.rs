//! The envelope of everything stored: a format version, then `MessagePack`.
//!
//! Structures are written as arrays and enum variants by name, so within one format version a field
//! may be *appended* (with `#[serde(default)]`) and a variant added; anything else is a new version,
//! and [`decode`] keeps reading the old ones.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The version of the format that this release writes.
pub const FORMAT_VERSION: u8 = 1;

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
        Some((&FORMAT_VERSION, body)) => {
            rmp_serde::from_slice(body).map_err(|error| error.to_string())
        }
        Some((version, _)) => Err(format!("it has the unknown format version {version}")),
    }
}
