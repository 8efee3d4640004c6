//! Backups that clients request: which backups this process has made, and how they ended.
//!
//! Rules:
//! 1. Clients choose a name, never a path: each backup is a new folder inside the one that the
//!    options allow.
//! 2. One backup runs at a time, because a backup slows the hub down.
//! 3. The list of backups is kept until the process ends. What a backup contains is in its folder.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use durable::client::BackupError;
use durable::store::BackupReport;

use crate::app::App;
use crate::problem::{Code, Problem};

/// The number of backups that are remembered.
const REMEMBERED: usize = 100;
const NAME_MAX: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Backups(Mutex<BTreeMap<String, Backup>>);

#[derive(Clone, Debug)]
pub(crate) struct Backup {
    pub(crate) name: String,
    pub(crate) began: DateTime<Utc>,
    /// `None` while it runs.
    pub(crate) ended: Option<Result<BackupReport, BackupError>>,
}

impl Backups {
    /// All that are remembered, ordered by name.
    pub(crate) fn all(&self) -> Vec<Backup> {
        self.known().values().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Backup> {
        self.known().get(name).cloned()
    }

    /// Notes a new backup, unless another one is running.
    fn begin(&self, name: &str, began: DateTime<Utc>) -> Result<Backup, Problem> {
        let mut known = self.known();
        if let Some(other) = known.values().find(|backup| backup.ended.is_none()) {
            let detail = format!("the backup `{}` is running; wait until it has ended", other.name);
            return Err(Problem::new(Code::Busy, detail));
        }
        let oldest = known.values().min_by_key(|backup| backup.began);
        if known.len() >= REMEMBERED
            && let Some(oldest) = oldest.map(|oldest| oldest.name.clone())
        {
            known.remove(&oldest);
        }
        let backup = Backup { name: name.to_owned(), began, ended: None };
        known.insert(name.to_owned(), backup.clone());
        Ok(backup)
    }

    fn end(&self, name: &str, result: Result<BackupReport, BackupError>) {
        if let Some(backup) = self.known().get_mut(name) {
            backup.ended = Some(result);
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Backup>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a backup. By default, its name is the time.
///
/// # Errors
/// The options allow no backups, the name is invalid or taken, or another backup is running.
pub(crate) fn start(app: &Arc<App>, name: Option<String>) -> Result<Backup, Problem> {
    let Some(folder) = app.options.backups.as_deref() else {
        let detail = "this server makes no backups; allow them with `HttpOptions::backups(folder)`";
        return Err(Problem::new(Code::NoSuchRoute, detail));
    };
    let began = app.hub.current_utc_datetime();
    let name = name.unwrap_or_else(|| began.format("%Y%m%dT%H%M%SZ").to_string());
    if !is_valid(&name) {
        let detail = format!(
            "`{}` cannot be the name of a backup; use 1 to {NAME_MAX} letters, digits, `-`, `_` and \
             `.`, and begin with a letter or a digit",
            name.escape_debug()
        );
        return Err(Problem::invalid(detail));
    }
    let to = folder.join(&name);
    if is_taken(&to) {
        let detail = format!("the backup `{name}` exists; choose another name");
        return Err(Problem::new(Code::AlreadyExists, detail));
    }
    let backup = app.backups.begin(&name, began)?;
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let result = app.hub.backup(to).await;
        app.backups.end(&name, result);
    });
    Ok(backup)
}

fn is_valid(name: &str) -> bool {
    let is_allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    (1..=NAME_MAX).contains(&name.len())
        && name.chars().all(is_allowed)
        && name.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        // The name of an incomplete backup.
        && !name.ends_with(".partial")
}

/// Whether something is stored there. The backup itself refuses whatever this overlooks.
fn is_taken(path: &Path) -> bool {
    path.read_dir().map_or_else(|_| path.exists(), |mut entries| entries.next().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_backup_is_no_path() {
        for name in ["monday", "20260101T000000Z", "a-b_c.1"] {
            assert!(is_valid(name), "{name}");
        }
        let long = "a".repeat(NAME_MAX + 1);
        for name in ["", ".", "..", "../a", "a/b", "a\\b", "C:", "-a", "a.partial", "\u{e4}", &long]
        {
            assert!(!is_valid(name), "{name}");
        }
    }
}
