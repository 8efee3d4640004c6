//! A hub's folder that contains, or is below, something that the hub's user may not read.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::child::{self, Task};

/// The user `nobody`.
const NOBODY: u32 = 65534;

/// Opens the hub's folder as an unprivileged user. Returns the output.
fn open_as_user(hub: &Path) -> String {
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = child::command(&Task::Open(hub.to_owned()));
    command.stdout(Stdio::piped());
    if is_root {
        chown(hub, Some(NOBODY), Some(NOBODY)).unwrap();
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let answer = said.lines().find_map(child::answer_in);
    answer.map_or_else(|| format!("no answer: {said}"), str::to_owned)
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn the_root_of_a_volume_can_be_a_folder() {
    let (_guard, folder) = child::folder();
    set_mode(&folder, 0o755);
    let hub = folder.join("volume");
    fs::create_dir_all(hub.join("lost+found")).unwrap();
    set_mode(&hub.join("lost+found"), 0o000);
    // Opening a pipe for reading blocks until another process opens it for writing.
    let made = Command::new("mkfifo").arg(hub.join("pipe")).status().unwrap();
    assert!(made.success());
    assert_eq!(open_as_user(&hub), "opened");
    set_mode(&hub.join("lost+found"), 0o755);
}

#[test]
fn a_folder_that_may_not_be_written_is_refused_by_name() {
    let (_guard, folder) = child::folder();
    set_mode(&folder, 0o755);
    let hub = folder.join("hub");
    fs::create_dir(&hub).unwrap();
    set_mode(&hub, 0o555);
    let said = open_as_user(&hub);
    assert!(said.starts_with("cannot "), "{said}");
    assert!(said.contains(&hub.display().to_string()), "{said}");
    set_mode(&hub, 0o755);
}

#[test]
fn a_folder_below_an_unreadable_one_can_be_opened() {
    let (_guard, folder) = child::folder();
    set_mode(&folder, 0o755);
    let (closed, hub) = (folder.join("closed"), folder.join("closed/hub"));
    fs::create_dir_all(&hub).unwrap();
    set_mode(&closed, 0o311);
    assert_eq!(open_as_user(&hub), "opened");
    set_mode(&closed, 0o755);
}
