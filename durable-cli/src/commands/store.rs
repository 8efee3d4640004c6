//! Folders that no process has open: checking, measuring, compacting and salvaging them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use durable::store::{SledStore, Store, StoreError};
use serde_json::Value;

use crate::args::{Format, Global, StoreCommand};
use crate::error::{CliError, chain};
use crate::exit::Exit;
use crate::session::Io;

pub(super) fn run(command: &StoreCommand, global: &Global, io: &mut Io) -> Result<(), CliError> {
    match command {
        // It needs the hub: see `backup.rs`.
        StoreCommand::Backup(_) => Ok(()),
        StoreCommand::Check { folder } => check(folder, io),
        StoreCommand::Stats { folder } => stats(folder, global, io),
        StoreCommand::Compact { folder } => compact(folder, io),
        StoreCommand::Salvage { folder, out } => salvage(folder, out.as_ref(), io),
    }
}

fn open(folder: &Path) -> Result<SledStore, CliError> {
    if !folder.is_dir() {
        return Err(CliError::NotFound(format!("there is no folder `{}`", folder.display())));
    }
    SledStore::read_only(folder).map_err(|error| CliError::Open(Box::new(error)))
}

fn check(folder: &Path, io: &mut Io) -> Result<(), CliError> {
    let store = open(folder)?;
    // Reads every record, and so finds what cannot be read.
    let mut found = Vec::new();
    let exported = store.export(&mut found);
    exported.map_err(|source| CliError::Write { path: folder.to_owned(), source })?;
    let (mut instances, mut unreadable) = (0, 0);
    for line in found.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        // The content of the log after its damage has a `frame`.
        match serde_json::from_slice::<Value>(line) {
            Ok(line) if line["damage"].is_string() => unreadable += 1,
            Ok(line) if line["frame"].is_null() && line["history"].is_array() => instances += 1,
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    let damage: Vec<_> = store.damage().iter().map(|it| chain(it)).collect();
    if damage.is_empty() && unreadable == 0 {
        io.write(&format!("`{}` has {instances} instances and no damage\n", folder.display()));
        return Ok(());
    }
    for text in &damage {
        io.write(&format!("{text}\n"));
    }
    io.write(&format!(
        "`{}` is damaged: {unreadable} parts cannot be read, {instances} instances can; save them \
         with `durable store salvage`\n",
        folder.display()
    ));
    Err(CliError::Reported(Exit::Failed))
}

fn stats(folder: &Path, global: &Global, io: &mut Io) -> Result<(), CliError> {
    let store = open(folder)?;
    let usage = store.usage();
    let mut figures: Vec<_> = usage.figures.iter().map(|(name, it)| (*name, *it)).collect();
    figures.push(("disk_bytes", size(folder)));
    figures.sort_unstable();
    if matches!(global.output, Format::Json | Format::Jsonl) {
        let figures: std::collections::BTreeMap<_, _> = figures.into_iter().collect();
        io.write(&format!("{}\n", serde_json::to_string(&figures).unwrap_or_default()));
        return Ok(());
    }
    for (name, value) in figures {
        io.write(&format!("{value:>14}  {name}\n"));
    }
    Ok(())
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => size(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

fn compact(folder: &Path, io: &mut Io) -> Result<(), CliError> {
    if !folder.is_dir() {
        return Err(CliError::NotFound(format!("there is no folder `{}`", folder.display())));
    }
    let compacted = SledStore::compact(folder);
    let (before, after) = compacted.map_err(|error: StoreError| CliError::Open(Box::new(error)))?;
    io.write(&format!("{before} bytes before, {after} after\n"));
    Ok(())
}

fn salvage(folder: &Path, out: Option<&PathBuf>, io: &mut Io) -> Result<(), CliError> {
    let store = open(folder)?;
    let Some(path) = out else {
        let mut text = Vec::new();
        let exported = store.export(&mut text);
        exported.map_err(|source| CliError::Write { path: "-".into(), source })?;
        io.write(&String::from_utf8_lossy(&text));
        return Ok(());
    };
    let write = || {
        let mut file = std::io::BufWriter::new(fs::File::create_new(path)?);
        store.export(&mut file)?;
        file.flush()
    };
    write().map_err(|source| CliError::Write { path: path.clone(), source })
}
