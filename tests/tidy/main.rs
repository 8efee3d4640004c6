//! The rules of this repository, as tests.

mod dependencies;
mod layers;
mod quotations;
mod wrappers;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// The most lines of a file.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().map(Path::to_owned).unwrap_or_default()
}

/// Files of the repository with one of these endings, as path below the root and text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let root = root();
    let is_ours = |entry: &walkdir::DirEntry| {
        let name = entry.file_name().to_string_lossy();
        name != "target" && name != ".git"
    };
    let mut files = Vec::new();
    for entry in WalkDir::new(&root).sort_by_file_name().into_iter().filter_entry(is_ours) {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&root).unwrap().display().to_string();
        if endings.iter().any(|ending| path.ends_with(ending)) {
            files.push((path, fs::read_to_string(entry.path()).unwrap()));
        }
    }
    assert!(!files.is_empty());
    files
}

/// Sources that are not compile-fail or compile-pass cases.
fn sources() -> Vec<(String, String)> {
    files(&[".rs"]).into_iter().filter(|(path, _)| !path.contains("/ui/")).collect()
}

/// Sources of the library: what runs in a user's program.
fn library() -> Vec<(String, String)> {
    let is_library = |path: &str| path.starts_with("durable") && !path.contains("/tests/");
    sources().into_iter().filter(|(path, _)| is_library(path)).collect()
}

#[track_caller]
fn none(found: &[String]) {
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn no_file_is_too_long() {
    let long = |(path, text): (String, String)| {
        let lines = text.lines().count();
        (lines > LINES_MAX).then(|| format!("{path}: {lines} lines"))
    };
    none(&sources().into_iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn every_source_opens_with_a_module_doc() {
    let bare = |(path, text): (String, String)| {
        let opens = text.starts_with("//!") || text.starts_with("#![doc = include_str!");
        (!opens).then_some(path)
    };
    none(&sources().into_iter().filter_map(bare).collect::<Vec<_>>());
}

/// rustdoc does not find the aliases of an item that is inlined, but those of its `pub use`.
#[test]
fn aliases_for_the_search_are_where_rustdoc_finds_them() {
    let mut lost = Vec::new();
    for (path, text) in library().into_iter().filter(|(path, _)| path.starts_with("durable/")) {
        let lines: Vec<&str> = text.lines().collect();
        for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[doc(alias"))
        {
            let item = lines[at..].iter().find(|line| !line.starts_with("#["));
            if item.is_none_or(|item| !item.starts_with("pub use ")) {
                lost.push(format!("{path}:{}", at + 1));
            }
        }
    }
    none(&lost);
}

#[test]
fn sources_are_ascii() {
    let foreign = |(path, text): (String, String)| {
        let line = text.lines().position(|line| !line.is_ascii())?;
        Some(format!("{path}:{}", line + 1))
    };
    none(&sources().into_iter().filter_map(foreign).collect::<Vec<_>>());
}

#[test]
fn the_engine_is_pure() {
    let forbidden = [
        "crate::store",
        "crate::hub",
        "tokio::",
        "std::fs",
        "std::net",
        "std::env",
        "std::thread",
        "std::time::{",
        "Instant",
        "SystemTime",
        "std::sync",
        "std::process",
        "HashMap<",
        "HashSet<",
        "Uuid::new_v4",
        "rand::",
        "generate()",
    ];
    let mut found = Vec::new();
    for (path, text) in library() {
        let pure = path.starts_with("durable/src/engine")
            || path.starts_with("durable/src/orchestration")
            || path.starts_with("durable/src/protocol");
        for word in forbidden {
            // Ids are shared text, and the starter of an instance generates its id.
            let allowed = path.ends_with("protocol/id.rs") || path.ends_with("protocol/json.rs");
            if pure && text.contains(word) && !allowed {
                found.push(format!("{path} names `{word}`"));
            }
        }
    }
    none(&found);
}

#[test]
fn unsafe_code_is_in_one_place() {
    let uses: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| text.contains("unsafe {") && !path.starts_with("tests/tidy/"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(uses, ["durable/src/engine/poll.rs"]);
}

/// The library runs user code through `panics.rs`, which says why.
#[test]
fn user_code_runs_where_its_panics_are_caught() {
    let layers = ["durable/src/engine", "durable/src/entity", "durable/src/hub"];
    // Durable futures are polled by futures of users, replies and streams by their callers.
    let polling = [
        "entity/operation.rs",
        "hub/client/follow.rs",
        "hub/client/page.rs",
        "hub/client/reply.rs",
        "hub/telemetry/spans.rs",
        "hub/time/wait.rs",
    ];
    let rules: [(&str, &[&str]); 6] = [
        ("catch_unwind(", &[]),
        (".poll(cx)", &polling),
        ("as_mut().poll(", &polling),
        (".instrument(", &[]),
        (".in_scope(", &[]),
        ("spawn_blocking(", &["hub/drive/mod.rs", "hub/work/attempt.rs"]),
    ];
    let lines = ["error", "warn", "info", "debug", "trace"].map(|it| format!("tracing::{it}!"));
    let mut found = Vec::new();
    for (path, text) in library() {
        let is_comment = |line: &&str| line.trim_start().starts_with("//");
        let code: Vec<_> = text.lines().filter(|line| !is_comment(line)).collect();
        let has = |word: &str| code.iter().any(|line| line.contains(word));
        if layers.iter().any(|layer| path.starts_with(layer)) {
            for (word, places) in rules {
                if has(word) && !places.iter().any(|place| path.ends_with(place)) {
                    found.push(format!("{path} has `{word}`: go by way of `panics.rs`"));
                }
            }
        }
        // A schedule's orchestrator logs as a user's does.
        let is_ours = path.starts_with("durable/src") && !path.starts_with("durable/src/schedule");
        for line in lines.iter().filter(|line| is_ours && has(line)) {
            found.push(format!("{path} has `{line}`: use `tell!`"));
        }
    }
    none(&found);
}

#[test]
fn library_code_neither_unwraps_nor_expects() {
    let mut found = Vec::new();
    for (path, text) in library() {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (number, line) in code.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            if !comment && (line.contains(".unwrap()") || line.contains(".expect(")) {
                found.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    none(&found);
}

/// The first argument of a macro, from the text behind its opening parenthesis.
fn first_argument(text: &str) -> &str {
    let mut depth = 0_u32;
    let ends = |c: char| {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ')' | ',' => return depth == 0,
            _ => {}
        }
        false
    };
    text[..text.find(ends).unwrap_or(text.len())].trim()
}

/// `is_err()` accepts any error, even one that is caused by a mistake in the test, and a failed
/// `is_ok()` does not show the error.
#[test]
fn no_assertion_accepts_any_error() {
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !path.starts_with("tests/tidy/")) {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let code = lines.collect::<Vec<_>>().join("\n");
        for (place, start) in code.match_indices("assert!(") {
            let asserted = first_argument(&code[place + start.len()..]);
            if asserted.ends_with(".is_err()") || asserted.ends_with(".is_ok()") {
                found.push(format!("{path}: `{asserted}`; match the error, or unwrap"));
            }
        }
    }
    none(&found);
}

#[test]
fn no_example_in_the_docs_is_left_uncompiled() {
    let fences = ["```ignore", "```rust,ignore", "```no_run", "```text,ignore"];
    let ignored = |(path, text): (String, String)| {
        let fence = fences.into_iter().find(|fence| text.contains(fence))?;
        (!path.starts_with("tests/tidy/")).then(|| format!("{path}: {fence}"))
    };
    none(&files(&[".rs", ".md"]).into_iter().filter_map(ignored).collect::<Vec<_>>());
}

#[test]
fn every_code_has_its_page() {
    let mut codes = BTreeSet::new();
    for (_, text) in library() {
        for (start, _) in text.match_indices("DURABLE0") {
            let code = &text[start..(start + 11).min(text.len())];
            if code[7..].bytes().all(|byte| byte.is_ascii_digit()) {
                codes.insert(code.to_owned());
            }
        }
    }
    let pages: BTreeSet<_> = pages_of_codes().into_keys().collect();
    assert_eq!(codes, pages);
}

/// The pages of error codes, by code.
fn pages_of_codes() -> BTreeMap<String, String> {
    let pages = fs::read_dir(root().join("durable/docs/errors")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let code = path.file_stem().unwrap().to_string_lossy().into_owned();
        (code, fs::read_to_string(path).unwrap())
    });
    pages.filter(|(code, _)| code != "README").collect()
}

#[test]
fn the_files_that_the_architecture_and_the_checklists_name_exist() {
    let read = |page| fs::read_to_string(root().join(page)).unwrap();
    let text = ["ARCHITECTURE.md", "CONTRIBUTING.md"].map(read).join("\n");
    let text = text.replace("```", "");
    let named = text.split('`').skip(1).step_by(2);
    let is_path = |name: &&str| name.contains('/') && !name.contains([' ', ':', '<']);
    let is_placeholder = |name: &&str| ["//!", "nnnn", "NAME"].iter().any(|it| name.contains(it));
    let paths = named.filter(|name| is_path(name) && !is_placeholder(name));
    let missing = |path: &str| {
        let places = [root().join(path), root().join("durable/src").join(path)];
        (!places.iter().any(|place| place.exists())).then(|| path.to_owned())
    };
    none(&paths.filter_map(missing).collect::<Vec<_>>());
}

/// In `docs/parity.md`, `path.rs: name` names a function, and `path.rs` alone a file.
#[test]
fn every_proof_in_the_parity_page_exists() {
    let text = fs::read_to_string(root().join("durable/docs/parity.md")).unwrap();
    let spans = text.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let (mut named, mut missing) = (0, Vec::new());
    for proof in spans {
        let (path, name) = match (proof.split_once(".rs: "), proof.strip_suffix(".rs")) {
            (Some((path, name)), _) => (path, Some(name)),
            (None, Some(path)) => (path, None),
            (None, None) => continue,
        };
        named += 1;
        let source = fs::read_to_string(root().join(format!("{path}.rs"))).ok();
        let holds = |source: String| {
            let fits = |name| source.contains(&format!("fn {name}("));
            name.is_none_or(|name| fits(name) || source.contains(&format!("fn {name}<")))
        };
        if !source.is_some_and(holds) {
            missing.push(proof.to_owned());
        }
    }
    none(&missing);
    assert!(named > 100, "docs/parity.md names {named} proofs");
}

#[test]
fn ci_runs_the_test_command_of_the_readme() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let ci = fs::read_to_string(root().join(".ci/run")).unwrap();
    let command = "cargo test";
    assert!(readme.lines().any(|line| line == command), "README.md lacks `{command}`");
    assert!(ci.lines().any(|line| line.trim() == command), ".ci/run lacks `{command}`");
}

/// Phrases that make a reader guess who does what. CONTRIBUTING says what to write instead.
const RIDDLES: [&str; 22] = [
    "Who has ",
    "Who had ",
    "Who only ",
    "Who is ",
    "Who wants ",
    "Who waits ",
    "whoever ",
    "Whoever ",
    " which is none",
    " that is none",
    " else wait",
    " would else ",
    "so many at a time",
    "that there is ",
    "that there was ",
    "what there is",
    "what is there",
    " be it ",
    " lest ",
    " as ever.",
    " as ever,",
    "of no more use",
];

/// The text without line breaks and comment marks between words.
fn flowing(text: &str) -> String {
    let bare = |line: &str| {
        let line = line.trim_start();
        let marks = ["//!", "///", "//"];
        let rest = marks.iter().find_map(|mark| line.strip_prefix(mark));
        rest.unwrap_or(line).trim().to_owned()
    };
    text.lines().map(bare).collect::<Vec<_>>().join(" ")
}

#[test]
fn texts_are_plain_english() {
    let apart = ["tests/tidy/", "tests/compat/", "CONTRIBUTING.md"];
    let mut found = Vec::new();
    for (path, text) in files(&[".rs", ".md"]) {
        if apart.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        let text = flowing(&text);
        for riddle in RIDDLES {
            for (place, _) in text.match_indices(riddle) {
                let begin = text.floor_char_boundary(place.saturating_sub(40));
                let end = text.ceil_char_boundary(place + riddle.len() + 30);
                found.push(format!("{path}: `{riddle}` in `..{}..`", &text[begin..end]));
            }
        }
    }
    none(&found);
}

/// The relative links of the pages, written in the text or as definitions.
#[test]
fn links_between_pages_resolve() {
    let mut broken = Vec::new();
    for (path, text) in files(&[".md"]) {
        let folder = Path::new(&path).parent().map(Path::to_owned).unwrap_or_default();
        let inline = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let defined = text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("]: "));
        for link in inline.chain(defined.map(|(_, link)| link)) {
            let file = link.split('#').next().unwrap_or_default();
            let is_file = !file.is_empty() && !link.contains("://") && !file.contains("::");
            let is_item = file.starts_with("macro@") || !file.contains(['/', '.']);
            let is_rustdoc = Path::new(file).extension().is_some_and(|kind| kind == "html");
            if is_file && !is_item && !is_rustdoc && !root().join(&folder).join(file).exists() {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    none(&broken);
}

#[test]
fn every_code_is_in_the_guide_and_in_the_table_of_rules() {
    let guide = fs::read_to_string(root().join("durable/src/guide.rs")).unwrap();
    let table = fs::read_to_string(root().join("durable/docs/determinism.md")).unwrap();
    let index = fs::read_to_string(root().join("durable/docs/errors/README.md")).unwrap();
    let mut missing = Vec::new();
    for (code, page) in pages_of_codes() {
        let title = page.lines().next().unwrap().split_once(": ").unwrap().1;
        if !index.contains(&format!("| [{code}] | {title} |")) {
            missing.push(format!("durable/docs/errors/README.md has no row for {code}: {title}"));
        }
        let (_, listed) = guide.rsplit_once("codes! {").unwrap();
        if !listed.contains(&code) {
            missing.push(format!("durable/src/guide.rs lacks {code}"));
        }
        let is_rule = code.as_str() < "DURABLE0100";
        if is_rule && !table.contains(&format!("| [{code}]")) {
            missing.push(format!("durable/docs/determinism.md has no row for {code}"));
        }
    }
    none(&missing);
}

/// Types of one name that may be visible in the whole crate, each with the reason.
const SAME_NAME: [&str; 6] = [
    "Entry",     // A registered function; an entry of the due list.
    "Limits",    // Of an execution; of the due list.
    "Outcome",   // Named by generated code; of an episode.
    "Place",     // Where a hub finds its store; where a test of stores puts one.
    "Stopwatch", // Two versions, of which a feature chooses one.
    "Timer",     // A durable timer; the hub's.
];

#[test]
fn no_two_types_of_the_crate_have_one_name() {
    let mut places = BTreeMap::<String, Vec<String>>::new();
    for (path, text) in library() {
        if !path.starts_with("durable/src") {
            continue;
        }
        for line in text.lines() {
            let is_visible =
                |line: &&str| line.starts_with("pub ") || line.starts_with("pub(crate) ");
            let Some(line) = Some(line).filter(is_visible) else { continue };
            let mut words = line.split_whitespace().skip(1);
            let kind = words.next().unwrap_or_default();
            let name = words.next().unwrap_or_default();
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            if ["struct", "enum", "trait", "type"].contains(&kind) {
                places.entry(name).or_default().push(path.clone());
            }
        }
    }
    let doubled = places.into_iter().filter(|(_, places)| places.len() > 1);
    let doubled = doubled.filter(|(name, _)| !SAME_NAME.contains(&&**name));
    let told = doubled.map(|(name, places)| format!("`{name}`: {}", places.join(", ")));
    none(&told.collect::<Vec<_>>());
}

/// The case is named after the code.
#[test]
fn every_rule_has_a_case_that_does_not_compile() {
    let rules = fs::read_to_string(root().join("durable-macros/src/rules.rs")).unwrap();
    let codes = rules.split("code: \"").skip(1).filter_map(|rest| rest.split('"').next());
    let case = |code: &str| format!("tests/ui/determinism/fail/{}.rs", code.to_lowercase());
    let missing = codes.map(case).filter(|case| !root().join(case).exists());
    none(&missing.collect::<Vec<_>>());
}
