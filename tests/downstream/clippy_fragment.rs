//! `durable/docs/clippy.toml` finds mistakes that the attributes cannot see, and reports nothing
//! else.
//!
//! Clippy checks crates with this configuration. Each line that ends in `// caught: words` must get
//! a warning that contains the words. No other line may get a warning.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::user_crate::{TOKIO, UserCrate, root};

/// A place in a crate: file and line.
type Place = (String, usize);

/// The warnings of Clippy with the fragment as the crate's `clippy.toml`, by place; those without a
/// place are at line 0.
fn warnings(name: &str, dependencies: &str, sources: &[(&str, &str)]) -> BTreeMap<Place, String> {
    let linted = UserCrate::new(name, dependencies);
    let fragment = fs::read_to_string(root().join("durable/docs/clippy.toml")).unwrap();
    linted.write("clippy.toml", &fragment);
    for (path, text) in sources {
        linted.write(&format!("src/{path}"), text);
    }
    let run = linted.cargo(&["clippy", "--quiet", "--no-deps", "--message-format=json"]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut warnings = BTreeMap::<Place, String>::new();
    for line in String::from_utf8(run.stdout).unwrap().lines() {
        let message: Value = serde_json::from_str(line).unwrap();
        let is_warning = message["message"]["level"] == "warning";
        if message["reason"] == "compiler-message" && is_warning {
            let message = &message["message"];
            let span = &message["spans"][0];
            let file = span["file_name"].as_str().unwrap_or_default().to_owned();
            let line = span["line_start"].as_u64().unwrap_or_default();
            let place = (file, usize::try_from(line).unwrap());
            *warnings.entry(place).or_default() += message["rendered"].as_str().unwrap();
        }
    }
    warnings
}

/// The marked lines, with the words.
fn marked(sources: &[(&str, &str)]) -> BTreeMap<Place, String> {
    let mut marked = BTreeMap::new();
    for (path, text) in sources {
        for (index, line) in text.lines().enumerate() {
            if let Some((_, words)) = line.split_once("// caught: ") {
                marked.insert((format!("src/{path}"), index + 1), words.to_owned());
            }
        }
    }
    marked
}

const ORCHESTRATOR: &str = "\
use durable::prelude::*;

use crate::helpers;

#[activity]
async fn ship(item: String) -> Result<u64> {
    Ok(item.len() as u64)
}

#[orchestrator]
pub async fn order(ctx: &OrchestrationContext, items: Vec<String>) -> Result<u64> {
    let begun = helpers::begin();
    let mut sum = 0;
    for item in helpers::sorted(items) {
        sum += ship(item).await?;
    }
    sum += begun.elapsed().as_secs(); // caught: `ctx.current_utc_datetime()`
    Ok(sum)
}
";

const HELPERS: &str = "\
use std::collections::HashMap; // caught: write `BTreeMap` or `BTreeSet`
use std::sync::atomic::AtomicU64; // caught: plain local values are enough
use std::time::{Duration, Instant as Clock};

pub type Table = HashMap<String, u32>; // caught: its order differs between processes

pub fn begin() -> Clock {
    Clock::now() // caught: the clock returns a different time in every replay
}

pub fn sorted(items: Vec<String>) -> Vec<String> {
    let table: Table = items.into_iter().map(|item| (item, 1)).collect();
    let mut sorted = Vec::new();
    for item in table.keys() { // caught: write `BTreeMap` or `BTreeSet`
        sorted.push(item.clone());
    }
    sorted
}

macro_rules! home {
    () => {
        std::env::var(\"HOME\") // caught: pass it as an input
    };
}

pub fn home() -> Option<String> {
    home!().ok()
}

pub fn id() -> String {
    uuid::Uuid::new_v4().to_string() // caught: write `ctx.new_guid()`
}

pub fn time() -> i64 {
    chrono::Utc::now().timestamp() // caught: `ctx.current_utc_datetime()`
}

pub async fn wait() {
    tokio::time::sleep(Duration::ZERO).await; // caught: write `ctx.create_timer(..).await`
    drop(tokio::spawn(async {})); // caught: `.spawn()` on a call
}

pub static COUNT: AtomicU64 = AtomicU64::new(0); // caught: changes by other threads are not recorded

pub fn beside() {
    let spawn = std::thread::spawn::<fn(), ()>; // caught: `.spawn()` on a call
    drop(spawn(|| ()));
}
";

const ACTIVITIES: &str = "\
use durable::prelude::*;

#[activity]
#[allow(clippy::disallowed_methods, reason = \"an activity may do anything\")]
pub async fn read(path: String) -> Result<u64> {
    let begun = std::time::Instant::now();
    let text = std::fs::read_to_string(path)?;
    Ok(text.len() as u64 + begun.elapsed().as_secs())
}

pub mod all {
    #![allow(clippy::disallowed_methods, clippy::disallowed_types)]

    use std::collections::HashMap;

    use durable::prelude::*;

    #[activity]
    pub async fn variables(known: HashMap<String, String>) -> Result<HashMap<String, String>> {
        Ok(std::env::vars().chain(known).collect())
    }
}
";

#[test]
fn the_clippy_fragment_finds_what_the_attributes_cannot_see() {
    let library = "pub mod activities;\npub mod helpers;\npub mod orders;\n";
    let sources = [
        ("lib.rs", library),
        ("activities.rs", ACTIVITIES),
        ("helpers.rs", HELPERS),
        ("orders.rs", ORCHESTRATOR),
    ];
    let dependencies = "\
        chrono = { version = \"0.4\", default-features = false, features = [\"now\"] }\n\
        tokio = { version = \"1\", features = [\"rt\", \"time\"] }\n\
        uuid = { version = \"1\", features = [\"v4\"] }\n";
    let mut warnings = warnings("breaks_the_rules", dependencies, &sources);
    for (place, words) in marked(&sources) {
        let warning = warnings.remove(&place).unwrap_or_default();
        assert!(warning.contains(&words), "at {place:?} `{words}` is expected, not: {warning}");
    }
    assert!(warnings.is_empty(), "{warnings:#?}");
}

#[test]
fn a_crate_that_keeps_to_the_rules_has_no_warning() {
    let library = "\
use std::collections::BTreeMap;

use durable::prelude::*;

#[activity]
pub async fn count(text: &str) -> Result<usize> {
    Ok(text.len())
}

#[durable::helper]
pub async fn sum(texts: &[String]) -> Result<usize> {
    let counts = durable::try_join_all(texts.iter().map(|text| count(text))).await?;
    Ok(counts.into_iter().sum())
}

#[durable::deterministic]
pub fn sorted(texts: Vec<String>) -> BTreeMap<String, usize> {
    texts.into_iter().map(|text| (text, 1)).collect()
}

#[orchestrator]
pub async fn all(ctx: &OrchestrationContext, texts: Vec<String>) -> Result<String> {
    let sum = sum(&texts).await?;
    Ok(format!(\"{sum} {:?} {} {}\", sorted(texts), ctx.new_guid(), ctx.current_utc_datetime()))
}
";
    let warnings = warnings("keeps_the_rules", TOKIO, &[("lib.rs", library)]);
    assert!(warnings.is_empty(), "{warnings:#?}");
}
