//! Backups made by the answering process.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A backup that the answering process is making or has made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Backup {
    /// The name of its folder.
    pub name: String,
    /// Whether the backup is running, has completed or has failed.
    pub status: BackupStatus,
    /// When it was started.
    pub started_at: DateTime<Utc>,
    /// What it contains, once it has completed.
    pub report: Option<BackupReport>,
    /// Why it failed, if it did.
    pub failure: Option<String>,
}

/// The status of a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum BackupStatus {
    /// It is being made.
    Running,
    /// It is complete.
    Completed,
    /// It failed, and its folder is incomplete.
    Failed,
}

impl fmt::Display for BackupStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What a backup contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BackupReport {
    /// The path of the folder, on the machine of the hub.
    pub path: String,
    /// The number of instances.
    pub instances: u64,
    /// The number of messages that were not consumed yet.
    pub messages: u64,
    /// The size in bytes.
    pub bytes: u64,
    /// The number of the last commit that it contains.
    pub last_commit: u64,
    /// How long the backup took, in milliseconds.
    pub duration_ms: u64,
}

impl From<durable::store::BackupReport> for BackupReport {
    fn from(report: durable::store::BackupReport) -> Self {
        Self {
            path: report.path.display().to_string(),
            instances: report.instances,
            messages: report.messages,
            bytes: report.bytes,
            last_commit: report.last_commit,
            duration_ms: u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The backups of a hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Backups {
    /// The most recent backups.
    pub items: Vec<Backup>,
}
