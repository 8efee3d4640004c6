//! Diagnostics of the attributes: every rule is broken once, every feature is used once.
//!
//! Each file under `ui/<attribute>/fail` breaks one rule. The compiler's output is in the `.stderr`
//! file of the same name, which is reviewed like a user interface. After a deliberate change,
//! `TRYBUILD=overwrite cargo test -p tests --test ui` regenerates them. Files under
//! `ui/<attribute>/pass` are programs without a warning.

use std::fmt::Write as _;
use std::fs;

#[path = "support/user_crate.rs"]
mod user_crate;

use user_crate::{TOKIO, UserCrate, root};

/// `trybuild` gets only cases that fail, because it then checks all of them in a single run of Cargo. If
/// one had to pass, it would build each case in a run of its own.
#[test]
fn code_that_breaks_a_rule_gets_the_expected_error() {
    trybuild::TestCases::new().compile_fail("ui/*/fail/*.rs");
}

const DEPENDENCIES: &str = "\
chrono = { version = \"0.4\", default-features = false }
serde = { version = \"1\", features = [\"derive\"] }
serde_json = \"1\"
thiserror = \"2\"
tracing = { version = \"0.1\", default-features = false }
";

/// The valid cases of these attributes as the programs of a crate, with their names and texts.
fn valid(name: &str, attributes: &[&str]) -> (UserCrate, Vec<(String, String)>) {
    let (mut manifest, mut cases) = ([DEPENDENCIES, TOKIO].concat(), Vec::new());
    for attribute in attributes {
        for entry in fs::read_dir(root().join("tests/ui").join(attribute).join("pass")).unwrap() {
            let path = entry.unwrap().path();
            let case = format!("{attribute}_{}", path.file_stem().unwrap().display());
            let source = path.display().to_string();
            write!(manifest, "\n[[bin]]\nname = {case:?}\npath = {source:?}\n").unwrap();
            cases.push((case, fs::read_to_string(path).unwrap()));
        }
    }
    cases.sort();
    let valid = UserCrate::new(name, &manifest);
    (valid, cases)
}

#[test]
fn valid_code_compiles_and_runs() {
    let folders = fs::read_dir(root().join("tests/ui")).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.join("pass").is_dir()).collect();
    let attributes = folders.iter().map(|path| path.file_name().unwrap().to_str().unwrap());
    let (valid, cases) = valid("valid", &attributes.collect::<Vec<_>>());
    assert!(cases.len() >= 48, "only {} cases", cases.len());
    let built = valid.cargo(&["build", "--quiet", "--keep-going", "--bins"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for (case, _) in cases {
        let run = valid.program(&case).output().unwrap();
        assert!(run.status.success(), "{case}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn valid_orchestrators_and_entities_have_no_warning_under_clippy_pedantic() {
    let (valid, cases) = valid("pedantic", &["orchestrator", "entity"]);
    let count = |attribute| cases.iter().map(|(_, text)| text.matches(attribute).count()).sum();
    let (orchestrators, entities): (usize, usize) =
        (count("\n#[orchestrator"), count("\n#[entity"));
    assert!(orchestrators >= 40, "only {orchestrators} orchestrators");
    assert!(entities >= 10, "only {entities} entities");
    // Without a file of its own, Clippy would read the one of this repository.
    valid.write("clippy.toml", "");
    let strict = ["-Wclippy::all", "-Wclippy::pedantic", "-Dwarnings"];
    let options = ["clippy", "--quiet", "--no-deps", "--keep-going", "--bins", "--"];
    let linted = valid.cargo(&[options.as_slice(), &strict].concat());
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stderr));
}
