//! The report of a backup.

use std::path::PathBuf;
use std::time::Duration;

/// The report of a complete and verified backup; see [`TaskHub::backup`](crate::client::TaskHub::backup).
///
/// ```
/// use durable::store::BackupReport;
///
/// let mut report = BackupReport::default();
/// report.instances = 3;
/// assert_eq!(report.to_string(), "3 instances, 0 messages, 0 bytes in 0ns");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// The folder of the backup.
    pub path: PathBuf,
    /// The number of instances: orchestrations, entities, and delayed signals.
    pub instances: u64,
    /// The number of messages that were not consumed yet.
    pub messages: u64,
    /// The total size of the backup's files, in bytes.
    pub bytes: u64,
    /// The number of the last commit that the backup contains. The commits of a hub are counted
    /// from 1.
    pub last_commit: u64,
    /// How long the backup took, including its verification.
    pub duration: Duration,
}

impl std::fmt::Display for BackupReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { instances, messages, bytes, duration, .. } = self;
        write!(f, "{instances} instances, {messages} messages, {bytes} bytes in {duration:?}")
    }
}
