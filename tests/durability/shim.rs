//! The shim: a shared object that is compiled from `shim.c` and preloaded into a child, where it
//! records what is done to files and makes what is chosen fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::child::{self, Session, Task};

pub(crate) struct Shim {
    object: PathBuf,
    root: PathBuf,
    trace: PathBuf,
}

impl Shim {
    /// Compiles the shim into `folder`, which will also contain its record. Everything that happens
    /// below `folder/root` is recorded.
    pub(crate) fn build(folder: &Path) -> Self {
        let (source, object) = (folder.join("shim.c"), folder.join("shim.so"));
        fs::write(&source, include_str!("shim.c")).unwrap();
        let compiled = Command::new("cc")
            .args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread", "-o"])
            .args([&object, &source])
            .arg("-ldl")
            .output()
            .expect("a C compiler, `cc`, is there: Rust links with it");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let root = folder.join("root");
        fs::create_dir(&root).unwrap();
        Self { object, root, trace: folder.join("trace") }
    }

    /// The same shim, for another root in the same folder.
    pub(crate) fn with_other_root(&self, name: &str) -> Self {
        let root = self.root.with_file_name(name);
        let trace = self.trace.with_file_name(format!("{name}.trace"));
        fs::create_dir(&root).unwrap();
        Self { object: self.object.clone(), root, trace }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn trace(&self) -> &Path {
        &self.trace
    }

    /// Runs a session to its end under the shim; `failing` is what fails in it, if anything. Gives how
    /// the process ended, with the end of what it wrote to its standard error.
    pub(crate) fn run(&self, session: Session, failing: Option<&str>) -> String {
        let task = child::command(&Task::Work(session));
        // What hangs is killed, and found not to have come to its end.
        let mut command = Command::new("timeout");
        command.args(["-s", "KILL", "60"]).arg(task.get_program()).args(task.get_args());
        command.envs(task.get_envs().filter_map(|(key, value)| Some((key, value?))));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("LD_PRELOAD", &self.object);
        command.env("DURABLE_SHIM_ROOT", &self.root).env("DURABLE_SHIM_TRACE", &self.trace);
        if let Some(failing) = failing {
            command.env("DURABLE_SHIM_FAIL", failing);
        }
        let ended = command.output().unwrap();
        child::last_words(ended.status, &String::from_utf8_lossy(&ended.stderr))
    }
}
