//! Processes whose wall clock is wrong: a shared object is compiled from `clock.c` and preloaded.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::Environment;

/// The environment of a process whose wall clock is ahead by this many seconds.
pub(crate) fn ahead(folder: &Path, seconds: i64) -> Environment {
    let (source, object) = (folder.join("clock.c"), folder.join("clock.so"));
    if !object.exists() {
        fs::write(&source, include_str!("clock.c")).expect("a file");
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
            .args([&object, &source])
            .output()
            .expect("a C compiler, `cc`, is there: Rust links with it");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    }
    let object = object.to_str().expect("a path in UTF-8").to_owned();
    vec![("LD_PRELOAD", object), ("DURABLE_CLOCK_AHEAD", seconds.to_string())]
}
