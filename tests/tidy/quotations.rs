//! The rules of the simulator quote the docs, so that a promise and its check stay together.

use super::{files, none};

/// The shortest text in quotation marks that counts as a quotation.
const LENGTH_MIN: usize = 25;

#[test]
fn the_rules_of_the_simulator_quote_the_docs_as_they_are() {
    let (sim, docs): (Vec<_>, Vec<_>) =
        files(&[".rs", ".md"]).into_iter().partition(|(path, _)| path.starts_with("sim/"));
    let docs = docs.iter().map(|(_, text)| plain(text)).collect::<Vec<_>>().join(" ");
    let mut stale = Vec::new();
    let mut quoted = 0;
    let is_rule =
        |path: &str| path.starts_with("sim/src/rules/") || path.starts_with("sim/src/client/");
    for (path, text) in sim.iter().filter(|(path, _)| is_rule(path)) {
        let comments = text.lines().filter(|line| is_doc(line)).collect::<Vec<_>>().join("\n");
        let comments = plain(&comments);
        for quotation in comments.split('"').skip(1).step_by(2) {
            // `..` stands for words that are left out.
            for part in quotation.split(" .. ").map(|part| part.trim_end_matches(['.', ','])) {
                quoted += usize::from(part.len() >= LENGTH_MIN);
                if part.len() >= LENGTH_MIN && !docs.contains(part) {
                    stale.push(format!("{path}: no page says \"{part}\""));
                }
            }
        }
    }
    assert!(quoted > 30, "only {quoted} quotations");
    none(&stale);
}

fn is_doc(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("//!") || line.starts_with("///")
}

/// The words in lower case, without the marks of comments, code and links.
fn plain(text: &str) -> String {
    let mut words = Vec::new();
    for line in text.lines() {
        let line = line.trim_start();
        let line = line.trim_start_matches("///").trim_start_matches("//!");
        words.extend(line.split_whitespace().map(str::to_lowercase));
    }
    let text = words.join(" ").replace(['`', '*', '['], "");
    // The target of a link goes with its brackets.
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    plain.replace(']', "")
}
