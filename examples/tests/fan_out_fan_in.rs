//! The folder backup, killed in the middle, and given what it cannot copy.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use durable::protocol::{EventKind, HistoryEvent, InstanceId};
use durable::store::{SledStore, Store};
use tempfile::{TempDir, tempdir};
use walkdir::WalkDir;

const FILES: usize = 1200;
const KILLS: usize = 20;

/// A folder with a source, and places for a target and a hub.
struct Scene {
    folder: TempDir,
}

impl Scene {
    fn new(files: usize) -> Self {
        let scene = Self { folder: tempdir().unwrap() };
        fs::create_dir_all(scene.source().join("empty/folder")).unwrap();
        for number in 0..files {
            let folder = scene.source().join(format!("folder {}", number % 37));
            fs::create_dir_all(&folder).unwrap();
            let content = format!("{number} ").repeat(number % 500);
            fs::write(folder.join(format!("{number}.txt")), content).unwrap();
        }
        scene
    }

    fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("target")
    }

    fn hub(&self) -> PathBuf {
        self.folder.path().join("hub")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fan_out_fan_in"));
        command.arg("--from").arg(self.source()).arg("--to").arg(self.target());
        command.arg("--hub").arg(self.hub());
        command
    }

    fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    fn spawn(&self) -> Child {
        self.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The files of the target, each with its inode: a copy that is made again has another.
    fn copies(&self) -> BTreeMap<PathBuf, u64> {
        let files = WalkDir::new(self.target()).into_iter().filter_map(Result::ok);
        files
            .filter(|entry| entry.file_type().is_file())
            .filter(|entry| !entry.path().to_string_lossy().ends_with(".part"))
            .filter_map(|entry| Some((entry.path().to_owned(), entry.metadata().ok()?.ino())))
            .collect()
    }

    fn history(&self) -> Vec<HistoryEvent> {
        let store = SledStore::open(self.hub()).unwrap();
        let id = InstanceId::new("backup-1").unwrap();
        let Some(record) = store.instance(&id).unwrap() else { return Vec::new() };
        store.history(&id, record.execution_id, 0).unwrap()
    }

    /// The target's paths of files whose copy is recorded.
    fn recorded(&self) -> Vec<PathBuf> {
        let history = self.history();
        let mut scheduled = BTreeMap::new();
        let mut recorded = Vec::new();
        for event in &history {
            match &event.kind {
                EventKind::TaskScheduled { name, input, .. } if name == "copy_file" => {
                    let (_, _, file): (PathBuf, PathBuf, serde_json::Value) =
                        serde_json::from_str(input.as_str()).unwrap();
                    let path = file["path"].as_str().unwrap().to_owned();
                    scheduled.insert(event.event_id, self.target().join(path));
                }
                EventKind::TaskCompleted { task_scheduled_id, .. } => {
                    recorded.extend(scheduled.get(task_scheduled_id).cloned());
                }
                _ => {}
            }
        }
        recorded
    }
}

/// Every folder and file below `folder`, with its content.
fn content(folder: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let entries = WalkDir::new(folder).min_depth(1).into_iter().map(Result::unwrap);
    entries
        .map(|entry| {
            let path = entry.path().strip_prefix(folder).unwrap().to_owned();
            (path, entry.file_type().is_file().then(|| fs::read(entry.path()).unwrap()))
        })
        .collect()
}

#[test]
fn killed_twenty_times_it_copies_everything_and_nothing_recorded_twice() {
    let scene = Scene::new(FILES);
    let mut inodes: BTreeMap<PathBuf, u64> = BTreeMap::new();
    let mut finished = false;
    for kill in 1..=KILLS {
        // The last one is killed with half of the work to do: this process may be slow to see it.
        let enough = kill * FILES / (2 * KILLS);
        let mut child = scene.spawn();
        while scene.copies().len() < enough && child.try_wait().unwrap().is_none() {}
        child.kill().unwrap();
        finished = child.wait().unwrap().success();
        let copies = scene.copies();
        for (path, inode) in &inodes {
            assert_eq!(copies.get(path), Some(inode), "{} was copied again", path.display());
        }
        if finished {
            break;
        }
        for path in scene.recorded() {
            let inode = copies.get(&path).expect("what is recorded is there");
            inodes.insert(path, *inode);
        }
    }
    if !finished {
        let output = scene.run();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        let recorded = format!(": {} of {FILES} files are recorded as copied", inodes.len());
        assert!(said.contains(&recorded), "{said}");
        assert!(said.contains(&format!("{FILES} files with ")), "{said}");
    }
    let copies = scene.copies();
    assert!(inodes.iter().all(|(path, inode)| copies.get(path) == Some(inode)));
    assert_eq!(content(&scene.source()), content(&scene.target()));
}

#[test]
fn a_second_backup_is_a_new_one() {
    let scene = Scene::new(3);
    assert!(scene.run().status.success());
    fs::write(scene.source().join("new"), "new").unwrap();
    let output = scene.run();
    assert!(String::from_utf8_lossy(&output.stdout).contains("4 files with "), "{output:?}");
    assert_eq!(content(&scene.source()), content(&scene.target()));
}

#[test]
fn a_file_that_cannot_be_copied_is_named_and_the_others_are_copied() {
    let scene = Scene::new(3);
    fs::write(scene.source().join(OsStr::from_bytes(b"caf\xe9")), "coffee").unwrap();
    // Where a file is to go, there is a folder that is not empty.
    fs::create_dir_all(scene.target().join("folder 1/1.txt/in the way")).unwrap();
    let output = scene.run();
    assert!(!output.status.success());
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("2 files with "), "{said}");
    assert!(complained.contains("2 could not be copied"), "{complained}");
    assert!(complained.contains("its name is not UTF-8; rename it"), "{complained}");
    assert!(complained.contains("folder 1/1.txt: "), "{complained}");
    assert!(complained.contains("run the same command again"), "{complained}");
}

#[test]
fn what_cannot_be_backed_up_at_all_is_an_error_that_says_what_to_do() {
    let complaint = |prepare: &dyn Fn(&Scene) -> Command| {
        let scene = Scene::new(1);
        let output = prepare(&scene).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let missing = complaint(&|scene| {
        fs::remove_dir_all(scene.source()).unwrap();
        scene.command()
    });
    assert!(missing.contains("no backup was made") && missing.contains("source: "), "{missing}");
    let file = complaint(&|scene| {
        fs::remove_dir_all(scene.source()).unwrap();
        fs::write(scene.source(), "").unwrap();
        scene.command()
    });
    assert!(file.contains("it is not a folder"), "{file}");
    let inside = complaint(&|scene| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fan_out_fan_in"));
        command.arg("--from").arg(scene.source()).arg("--to").arg(scene.source().join("copy"));
        command.arg("--hub").arg(scene.hub());
        command
    });
    assert!(inside.contains("must not lie within each other"), "{inside}");
    let hub = complaint(&|scene| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fan_out_fan_in"));
        command.arg("--from").arg(scene.source()).arg("--to").arg(scene.target());
        command.arg("--hub").arg(scene.source().join("hub"));
        command
    });
    assert!(hub.contains("choose another --hub"), "{hub}");
}
