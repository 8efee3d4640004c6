//! A tree with small segments, as earlier builds of version 0.1 made, on a disk without space for
//! its copy: the folder opens nevertheless, and the tree is copied once the disk has the space.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::check;
use crate::child::{self, Task};
use crate::disk_full::{MIB, on_small_disk};
use crate::work::{self, Size, Work};

/// sled's configuration of a tree with segments of 512 KiB.
const SMALL_SEGMENTS: &[u8] = include_bytes!("../compat/folders/v1/closed/sled/conf");

const STEPS: usize = 100;
/// Enough to open a folder, and too little to copy its tree before that.
const LEFT: u64 = 28 * MIB as u64;

/// Creates a tree with small segments in a folder that has none yet.
pub(crate) fn prepare(hub: &Path) {
    fs::create_dir_all(hub.join("sled")).unwrap();
    fs::write(hub.join("sled/conf"), SMALL_SEGMENTS).unwrap();
}

pub(crate) fn has_small_segments(hub: &Path) -> bool {
    fs::read(hub.join("sled/conf")).unwrap() == SMALL_SEGMENTS
}

/// The task of the child, on a small disk.
pub(crate) fn open_without_room(disk: &Path) {
    let hub = disk.join("hub");
    let work = Work::new(1, Size::Small, STEPS);
    prepare(&hub);
    let store = work::open(&hub).unwrap();
    work.steps.iter().for_each(|step| step.apply(&store).unwrap());
    drop(store);
    let opens = || {
        let store = work::open(&hub).unwrap();
        assert_eq!(check::steps_in(&store, STEPS..=STEPS, &work), Ok(STEPS));
        child::answer(if has_small_segments(&hub) { "small segments" } else { "large segments" });
    };
    let ballast = disk.join("ballast");
    fill_up(&ballast);
    opens();
    fs::remove_file(&ballast).unwrap();
    opens();
}

fn fill_up(ballast: &Path) {
    let mut file = File::create(ballast).unwrap();
    while fs4::available_space(ballast).unwrap() > LEFT {
        file.write_all(&vec![1; MIB]).unwrap();
    }
}

#[test]
fn a_tree_with_small_segments_is_copied_once_the_disk_has_space() {
    let (_guard, folder) = child::folder();
    let command = child::command(&Task::OpenWithoutRoom(folder.clone()));
    let Some(output) = on_small_disk(&folder, &command) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    let answers: Vec<_> = said.lines().filter_map(child::answer_in).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(answers, ["small segments", "large segments"], "\n{errors}");
}
