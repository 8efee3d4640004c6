//! What the operating system tells: memory, disk, the machine.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

/// A figure of `/proc/self/status`, in megabytes; 0 where there is none.
fn status(key: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1024.0
}

/// How much memory this process has at most had resident, in megabytes.
pub(crate) fn peak_memory_mb() -> f64 {
    status("VmHWM")
}

/// How much memory this process has resident now, in megabytes.
pub(crate) fn memory_mb() -> f64 {
    status("VmRSS")
}

/// How many bytes the files in `folder` take on the disk.
#[cfg(unix)]
pub(crate) fn disk_bytes(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;

    let files = WalkDir::new(folder).into_iter().flatten();
    files.flat_map(|file| file.metadata()).map(|file| file.blocks() as f64 * 512.0).sum()
}

/// How many bytes the files in `folder` have.
#[cfg(not(unix))]
pub(crate) fn disk_bytes(folder: &Path) -> f64 {
    let files = WalkDir::new(folder).into_iter().flatten();
    files.flat_map(|file| file.metadata()).map(|file| file.len() as f64).sum()
}

/// The file system that `folder` is on, by its type.
fn file_system(folder: &Path) -> String {
    let folder = fs::canonicalize(folder).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mount = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let place = fields.next()?;
        folder.starts_with(place).then(|| (place.len(), fields.next().unwrap_or("?")))
    });
    mount.max().map_or("?", |(_, kind)| kind).to_owned()
}

/// One line on the machine: cores, processor, memory, system, file system of `folder`.
pub(crate) fn machine(folder: &Path) -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let value = |text: &str, key: &str| {
        let line = text.lines().find(|line| line.starts_with(key));
        line.and_then(|line| Some(line.split_once(':')?.1.trim().to_owned())).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let processor = value(&read("/proc/cpuinfo"), "model name");
    let memory = value(&read("/proc/meminfo"), "MemTotal");
    let memory = memory.split(' ').next().and_then(|kb| kb.parse::<f64>().ok()).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    format!(
        "{cores} cores ({processor}), {:.0} GiB, Linux {}, hubs on {}",
        memory / 1024.0 / 1024.0,
        kernel.trim(),
        file_system(folder)
    )
}

/// Whether `folder` is on a file system that is kept in memory, where syncing costs nothing.
pub(crate) fn is_in_memory(folder: &Path) -> bool {
    ["tmpfs", "ramfs"].contains(&file_system(folder).as_str())
}
