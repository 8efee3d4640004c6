//! The version of the stored format, and the record in which a hub keeps it.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// The version of the format that this release writes. [`codec`](super::codec) says what may change
/// within one version.
pub const FORMAT_VERSION: u8 = 1;

/// The record of the task hub as a whole, written once when the hub is created.
///
/// ```
/// use durable::protocol::{FORMAT_VERSION, HubRecord, Timestamp};
///
/// let record = HubRecord::new(4, Timestamp::from_micros(0).unwrap());
/// assert_eq!((record.partitions, record.format), (4, FORMAT_VERSION));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HubRecord {
    /// The format of all records in the store.
    pub format: u8,
    /// Number of partitions into which the instances are divided.
    pub partitions: u16,
    /// When the hub was created.
    pub created_at: Timestamp,
}

impl HubRecord {
    /// Creates the record of a hub that this release creates.
    ///
    /// ```
    /// use durable::protocol::{FORMAT_VERSION, HubRecord, Timestamp};
    ///
    /// assert_eq!(HubRecord::new(4, Timestamp::default()).format, FORMAT_VERSION);
    /// ```
    pub fn new(partitions: u16, created_at: Timestamp) -> Self {
        Self { format: FORMAT_VERSION, partitions, created_at }
    }
}
