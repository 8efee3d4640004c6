//! Reading a store that may be damaged, and exporting everything readable.
//!
//! The folder is not changed. sled writes when it opens, so it opens a copy of its files.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::{env, fs, io};

use serde_json::json;
use uuid::Uuid;

use super::base::Base;
use super::body::{self, Change};
use super::creation;
use super::disk::Disk;
use super::error::in_folder;
use super::folder::{self, LOG};
use super::inner::Inner;
use super::log::frame::Frame;
use super::log::read;
use super::overlay::Overlay;
use super::pace::Pace;
use super::room::Room;
use super::view::LOOKED_AT_ONCE;
use super::{Salvage, SledStore, TreeCopy, check_hub, guarded, keys, read_record, recover, values};
use crate::protocol::{HistoryEvent, InstanceId, PartitionId, TaskMessage};
use crate::store::{Store, StoreError, chain};

impl SledStore {
    /// Opens a folder for reading only, damaged or not. Nothing in the folder is changed; sled's
    /// files are copied to a private folder in the system's folder for temporary files.
    ///
    /// If the log is damaged, the store shows the state before the damage, which is a prefix of the
    /// commit order. What can be read after the damage, or without sled's files, is in the
    /// [export](Self::export). [`damage`](Self::damage) reports what was found. A hub cannot be
    /// opened on this store: all writes fail with [`StoreError::ReadOnly`].
    ///
    /// ```
    /// use durable::store::SledStore;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # drop(SledStore::open(folder.path())?);
    /// # let path = folder.path();
    /// let store = SledStore::read_only(path)?;
    /// for damage in store.damage() {
    ///     eprintln!("{damage}");
    /// }
    /// store.export(&mut std::io::stdout())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`StoreError::InUse`] if a process has the folder open, [`StoreError::Io`] if the folder
    /// does not exist or cannot be copied, [`StoreError::Damaged`] if sled opens its files but
    /// cannot read them.
    pub fn read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let doing = || format!("cannot copy `{}`", path.display());
        let options = Self::options();
        let copy = TreeCopy(env::temp_dir().join(format!("durable-{}", Uuid::new_v4().simple())));
        let mut damage = Vec::new();
        let (tree, log) = (folder::present_tree(path), path.join(LOG));
        let _lock = folder::lock_to_read(path)?;
        let created = Disk::System.create_private_folder(&copy.0);
        created.map_err(|error| StoreError::io(doing(), error))?;
        if tree.exists() || !log.exists() {
            copy_files(&tree, &copy.0).map_err(|error| StoreError::io(doing(), error))?;
        }
        let opened = guarded(path, || {
            let base = Base::open(&Disk::System, &copy.0, options.cache_bytes)?;
            let applied = base.applied()?;
            Ok((base, applied))
        });
        let (base, applied) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                damage.push(error);
                (Base::open(&Disk::System, &copy.0.join("none"), options.cache_bytes)?, 0)
            }
        };
        damage.extend(guarded(path, || check_hub(base.get(keys::HUB)?.as_deref())).err());
        damage.extend(guarded(path, || creation::rebuild_if_incomplete(&base, path)).err());
        let found = guarded(path, || read::read(&Disk::System, &log, applied))?;
        damage.extend(found.damage.map(|damage| in_folder(damage, path)));
        let mut newest = Overlay { recovers: true, ..Overlay::default() };
        damage.extend(guarded(path, || recover(&mut newest, &base, &found.frames)).err());
        damage.extend(guarded(path, || check_hub(newest.hub.as_deref())).err());
        let room = Arc::new(Room::new(&Disk::System, path, 0));
        let sizes = options.sizes.checkpoint;
        let pace = Pace::new(&Disk::System, options.overlay_bytes);
        let inner = Arc::new(guarded(path, || Inner::new(base, newest, None, sizes, room, pace))?);
        let salvage = Salvage { damage, behind: found.behind, copy };
        let salvage = Some(Box::new(salvage));
        Ok(Self { checkpoints: None, inner, path: path.to_owned(), salvage, _folder: None })
    }

    /// Returns the damage that [`read_only`](Self::read_only) found.
    ///
    /// ```
    /// use durable::store::{SledStore, StoreError};
    ///
    /// fn print_damage(path: &str) -> Result<(), StoreError> {
    ///     for damage in SledStore::read_only(path)?.damage() {
    ///         println!("{damage}");
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn damage(&self) -> &[StoreError] {
        self.salvage.as_ref().map_or(&[], |salvage| &salvage.damage)
    }

    /// Exports everything readable, one JSON object per line:
    ///
    /// - `{"instance": .., "history": [..], "complete": ..}` for each instance: its record, and the
    ///   events of its current execution; `complete` tells whether these are all;
    /// - `{"message": ..}` for each unconsumed message;
    /// - `{"damage": ".."}` for each damaged or unreadable part;
    /// - `{"frame": .., "instance": .., "history": [..]}` and `{"frame": .., "message": ..}` for
    ///   the content of the log after the damage: an episode with its events and the record after
    ///   it, or a message.
    ///
    /// ```
    /// use durable::store::SledStore;
    /// use std::fs::File;
    ///
    /// /// Saves what can still be read of a damaged folder.
    /// fn salvage(path: &str) -> Result<(), Box<dyn std::error::Error>> {
    ///     let store = SledStore::read_only(path)?;
    ///     store.export(&mut File::create("salvaged.jsonl")?)?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Writing to `out` failed.
    pub fn export(&self, out: &mut impl Write) -> io::Result<()> {
        match guarded(&self.path, || self.inner.view().ids()) {
            Ok(ids) => ids.iter().try_for_each(|id| self.export_instance(id, out))?,
            Err(error) => export_damage(&error, out)?,
        }
        match guarded(&self.path, || self.inner.view().partitions_with_messages()) {
            Ok(all) => all.into_iter().try_for_each(|of| self.export_messages(of, out))?,
            Err(error) => export_damage(&error, out)?,
        }
        for damage in self.damage() {
            export_damage(damage, out)?;
        }
        let behind = self.salvage.as_ref().map_or(&[][..], |salvage| &salvage.behind);
        behind.iter().try_for_each(|frame| export_frame(frame, out))
    }

    fn export_messages(&self, partition: PartitionId, out: &mut impl Write) -> io::Result<()> {
        let mut from = Some(0);
        while let Some(first) = from {
            let view = || self.inner.view();
            let read = || view().messages(partition, first..u64::MAX, LOOKED_AT_ONCE, None);
            let page = match guarded(&self.path, read) {
                Ok(page) => page,
                Err(error) => return export_damage(&error, out),
            };
            page.values.values().flatten().try_for_each(|bytes| export_message(bytes, out))?;
            from = page.end.map(|end| end + 1);
        }
        Ok(())
    }

    fn export_instance(&self, id: &InstanceId, out: &mut impl Write) -> io::Result<()> {
        let record = match self.instance(id) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(()),
            Err(error) => return export_damage(&error, out),
        };
        let history = match self.history(id, record.execution_id, 0) {
            Ok(history) => history,
            Err(error) => {
                export_damage(&error, out)?;
                Vec::new()
            }
        };
        let complete = history.len() as u64 == record.history_len;
        let line = json!({ "instance": record, "history": history, "complete": complete });
        writeln!(out, "{line}")
    }
}

fn export_damage(damage: &StoreError, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", json!({ "damage": chain(damage) }))
}

fn export_message(bytes: &[u8], out: &mut impl Write) -> io::Result<()> {
    match values::read::<TaskMessage>("a message", bytes) {
        Ok(message) => writeln!(out, "{}", json!({ "message": message })),
        Err(error) => export_damage(&error, out),
    }
}

fn export_frame(frame: &Frame, out: &mut impl Write) -> io::Result<()> {
    let number = frame.sequence;
    for change in body::changes(frame).map_while(Result::ok) {
        let line = match &change {
            Change::Episode(episode) => {
                let events: Result<Vec<HistoryEvent>, _> = values::read("events", &episode.events);
                let (Ok(record), Ok(events)) = (read_record(&episode.record), events) else {
                    continue;
                };
                json!({ "frame": number, "instance": record, "history": events })
            }
            Change::Message(_, _, message) => {
                let message: Result<TaskMessage, _> = values::read("a message", message);
                let Ok(message) = message else { continue };
                json!({ "frame": number, "message": message })
            }
            Change::Hub(_) | Change::Epoch(..) | Change::Purge(_) | Change::Consume(..) => continue,
        };
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        let found = fs::metadata(entry.path())?;
        if found.is_file() {
            fs::copy(entry.path(), to)?;
        } else if found.is_dir() {
            match copy_files(&entry.path(), &to) {
                // Not sled's: the root of a volume has such folders.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                copied => copied?,
            }
        }
    }
    Ok(())
}
