//! Valid orchestrators and entities compile without a warning, under clippy's strictest groups: what the
//! attribute adds is nothing that clippy has a word for.
//!
//! The pass cases of `ui/orchestrator` and `ui/entity` are linted here as programs of a crate of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

const DEPENDENCIES: &str = "\
chrono = { version = \"0.4\", default-features = false }
serde = { version = \"1\", features = [\"derive\"] }
serde_json = \"1\"
thiserror = \"2\"
tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"sync\", \"time\"] }
";

#[test]
fn valid_orchestrators_and_entities_have_no_warning_under_clippy_pedantic() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let programs = folder.path().join("src/bin");
    fs::create_dir_all(&programs).unwrap();
    let durable = root.join("durable");
    let manifest = format!(
        "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
         [dependencies]\ndurable = {{ path = {durable:?} }}\n{DEPENDENCIES}\n[workspace]\n"
    );
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    let mut orchestrators = 0;
    let mut entities = 0;
    for kind in ["orchestrator", "entity"] {
        for entry in fs::read_dir(root.join("tests/ui").join(kind).join("pass")).unwrap() {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            orchestrators += text.matches("\n#[orchestrator").count();
            entities += text.matches("\n#[entity").count();
            let name = format!("{kind}_{}", entry.file_name().display());
            fs::write(programs.join(name), text).unwrap();
        }
    }
    assert!(orchestrators >= 40, "only {orchestrators} orchestrators");
    assert!(entities >= 10, "only {entities} entities");

    let run = Command::new(env!("CARGO"))
        .args(["clippy", "--quiet", "--offline", "--no-deps", "--keep-going", "--bins", "--"])
        .args(["-Wclippy::all", "-Wclippy::pedantic", "-Dwarnings"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", root.join("target/clippy-fragment"))
        .env_remove("RUSTFLAGS")
        .env_remove("CLIPPY_CONF_DIR")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}
