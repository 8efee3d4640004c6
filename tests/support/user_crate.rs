//! A crate as a user would write it, built by Cargo outside this workspace.
//!
//! All crates share one target folder and one profile, so that `durable` and its dependencies are compiled
//! once for all tests. Their folders keep their names, so that Cargo builds only what has changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Tokio with the features that all of these crates enable. With other features of a dependency, `durable`
/// would be compiled again.
pub(crate) const TOKIO: &str =
    "tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n";

/// A crate with a manifest, to which a test adds sources.
#[derive(Debug)]
pub(crate) struct UserCrate {
    folder: PathBuf,
    target: PathBuf,
}

/// The root of this repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this package is in a workspace")
}

impl UserCrate {
    /// A crate that depends on the library and on `dependencies`, the lines of a manifest. Further
    /// sections may follow those. No other test uses this name.
    pub(crate) fn new(name: &str, dependencies: &str) -> Self {
        Self::renaming("durable", name, dependencies)
    }

    /// Like [`new`](Self::new), with another name for the library.
    pub(crate) fn renaming(durable: &str, name: &str, dependencies: &str) -> Self {
        let target = root().join("target/downstream");
        let path = root().join("durable").display().to_string();
        let manifest = format!(
            "[workspace]\n\n\
             [package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
             [dependencies]\n{durable} = {{ package = \"durable\", path = {path:?} }}\n\
             {dependencies}"
        );
        let new = Self { folder: target.join("crates").join(name), target };
        new.write("Cargo.toml", &manifest);
        new.write("Cargo.lock", &fs::read_to_string(root().join("Cargo.lock")).unwrap());
        new
    }

    /// Writes a file, unless it already has this content, because Cargo looks at the time of the
    /// last change.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.folder.join(path);
        if !fs::read_to_string(&path).is_ok_and(|old| old == text) {
            fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// Runs Cargo. The environment is the same for all crates, because a different one would cause
    /// another build of the dependencies.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            .env("CARGO_INCREMENTAL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env_remove("RUSTFLAGS")
            .env_remove("CLIPPY_CONF_DIR")
            .output()
            .unwrap()
    }

    /// The built program with this name.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut program = Command::new(self.target.join("debug").join(name));
        program.current_dir(&self.folder);
        program
    }
}
