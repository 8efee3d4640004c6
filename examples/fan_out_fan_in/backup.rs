//! The orchestrator and its activities.

use std::path::Path;
use std::sync::Arc;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Progress;
use crate::files::{self, Entry, FileError, Listing};

/// The result of a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Backup {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) failed: Vec<FileError>,
}

/// Lists the folder, then copies all of its files at once; a file that fails is reported, and the
/// others are copied.
#[orchestrator]
pub(crate) async fn backup_folder(
    ctx: &OrchestrationContext,
    from: &Path,
    to: &Path,
) -> Result<Backup> {
    let listing = list_files(from, to).await?;
    let mut backup = Backup { files: 0, bytes: 0, failed: listing.failed };
    backup.failed.extend(create_folders(to, &listing.folders).await?);
    let copies = listing.files.iter().map(|file| copy_file(from, to, file));
    for (file, copied) in listing.files.iter().zip(durable::join_all(copies).await) {
        match copied {
            Ok(bytes) => {
                backup.files += 1;
                backup.bytes += bytes;
            }
            Err(failed) => backup.failed.push(match failed.error() {
                Some(error) => error.clone(),
                None => FileError::new(&file.path, failed.details()),
            }),
        }
    }
    Ok(backup)
}

/// Lists everything below `from`.
#[activity]
fn list_files(
    progress: State<Arc<Progress>>,
    from: &Path,
    to: &Path,
) -> Result<Listing, FileError> {
    let listing = files::list(from, to)?;
    progress.expect(listing.files.len());
    Ok(listing)
}

/// Creates the folders below `to`; returns those that could not be created.
#[activity]
fn create_folders(to: &Path, folders: &[String]) -> Vec<FileError> {
    let create = |folder: &Path| std::fs::create_dir_all(to.join(folder));
    let failed = |folder: &String| Some(FileError::new(folder, create(Path::new(folder)).err()?));
    folders.iter().filter_map(failed).collect()
}

/// Copies one file and returns its size. A repetition after a crash does no harm.
#[activity]
fn copy_file(
    ctx: &ActivityContext,
    progress: State<Arc<Progress>>,
    from: &Path,
    to: &Path,
    file: &Entry,
) -> Result<u64, FileError> {
    let temporary = format!(".{}.part", ctx.idempotency_key());
    let bytes = files::copy(from, to, file, &temporary)?;
    progress.copied();
    Ok(bytes)
}
