//! Rules that the HTML of every page keeps.

use std::collections::{BTreeMap, BTreeSet};

use durable_ui::UiOptions;

use crate::common::{app, get, hub};

/// Every page, also with filters, and pages that fail.
const PAGES: [&str; 27] = [
    "/",
    "/instances",
    "/instances?status=failed,running&name=failing&tag=note:x&from=-1h&prefix=f&limit=2",
    "/instances?limit=1",
    "/instances?status=lost",
    "/instances/running-1",
    "/instances/failed-1",
    "/instances/suspended-1",
    "/instances/completed-1",
    "/instances/running-1/history?rows=full",
    "/instances/completed-1/history",
    "/instances/running-1/pending",
    "/instances/failed-1/io",
    "/instances/failed-1/sequence",
    "/instances/nobody",
    "/activities",
    "/entities",
    "/locks",
    "/schedules",
    "/batches",
    "/grid?name=waiting",
    "/compare?a=running-1&b=suspended-1",
    "/hub",
    "/live",
    "/live?kinds=Failed",
    "/start?name=waiting",
    "/nowhere",
];

const VOID: [&str; 5] = ["meta", "link", "input", "br", "img"];

#[derive(Debug)]
struct Tag {
    name: String,
    attributes: BTreeMap<String, String>,
    /// The text directly and deeper inside.
    text: String,
    /// The names of the elements around it.
    around: Vec<String>,
}

/// The elements of well-formed HTML.
fn elements(html: &str) -> Result<Vec<Tag>, String> {
    let (mut found, mut open): (Vec<Tag>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut rest = html.strip_prefix("<!DOCTYPE html>").ok_or("no doctype")?;
    while let Some(at) = rest.find('<') {
        for index in &open {
            found[*index].text.push_str(&rest[..at]);
        }
        rest = &rest[at + 1..];
        let end = end_of_tag(rest).ok_or("a tag does not end")?;
        let (tag, after) = (&rest[..end], &rest[end + 1..]);
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop().ok_or_else(|| format!("</{name}> ends nothing"))?;
            if found[last].name != name {
                return Err(format!("</{name}> ends <{}>", found[last].name));
            }
            continue;
        }
        let is_closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let around = open.iter().map(|index| found[*index].name.clone()).collect();
        found.push(Tag {
            name: name.to_owned(),
            attributes: attributes_of(attributes)?,
            text: String::new(),
            around,
        });
        if !is_closed && !VOID.contains(&name) {
            open.push(found.len() - 1);
        }
    }
    match open.last() {
        Some(last) => Err(format!("<{}> does not end", found[*last].name)),
        None => Ok(found),
    }
}

fn end_of_tag(text: &str) -> Option<usize> {
    let mut is_quoted = false;
    text.char_indices().find_map(|(at, it)| {
        is_quoted ^= it == '"';
        (it == '>' && !is_quoted).then_some(at)
    })
}

fn attributes_of(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut attributes = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = rest.find([' ', '=']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let value = match rest.strip_prefix("=\"") {
            Some(quoted) => {
                let end = quoted.find('"').ok_or("a value does not end")?;
                rest = &quoted[end + 1..];
                quoted[..end].to_owned()
            }
            None => String::new(),
        };
        rest = rest.trim_start();
        if attributes.insert(name.clone(), value).is_some() {
            return Err(format!("{name} is given twice"));
        }
    }
    Ok(attributes)
}

fn faults(html: &str) -> Vec<String> {
    let elements = match elements(html) {
        Ok(elements) => elements,
        Err(error) => return vec![error],
    };
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for id in elements.iter().filter_map(|it| it.attributes.get("id")) {
        if !ids.insert(id.as_str()) {
            faults.push(format!("two elements have the id {id}"));
        }
    }
    let labeled: BTreeSet<_> = elements
        .iter()
        .filter(|it| it.name == "label")
        .filter_map(|it| it.attributes.get("for"))
        .collect();
    for tag in &elements {
        let has = |name: &str| tag.attributes.get(name).is_some_and(|it| !it.trim().is_empty());
        let mut fault = |what: &str| faults.push(format!("{what}: {tag:?}"));
        if tag.attributes.keys().any(|name| name == "style" || name.starts_with("on")) {
            fault("the policy refuses an attribute");
        }
        if matches!(tag.name.as_str(), "script" | "style") && !tag.text.is_empty() {
            fault("the policy refuses inline code");
        }
        if tag.attributes.values().any(|it| it.trim_start().starts_with("javascript:")) {
            fault("an address is a script");
        }
        let has_text = !tag.text.trim().is_empty() || has("aria-label");
        let is_hidden = tag.attributes.get("type").is_some_and(|it| it == "hidden");
        match tag.name.as_str() {
            "input" | "select" | "textarea" if !is_hidden => {
                let is_labeled = has("aria-label")
                    || tag.around.iter().any(|it| it == "label")
                    || tag.attributes.get("id").is_some_and(|id| labeled.contains(id));
                if !is_labeled {
                    fault("a field has no label");
                }
            }
            "a" if !has("href") => fault("a link goes nowhere"),
            "a" | "button" | "summary" if !has_text => fault("an element has no text"),
            "svg" if tag.attributes.get("aria-hidden").is_none_or(|it| it != "true") => {
                // A part of a picture that is labeled needs no label.
                let is_part = tag.around.iter().any(|it| it == "svg");
                let is_labeled = has("aria-label") && has("role");
                if !(is_part || is_labeled) {
                    fault("a picture has no label");
                }
            }
            _ => {}
        }
        for name in ["aria-labelledby", "aria-controls", "for", "list"] {
            if let Some(id) = tag.attributes.get(name).filter(|id| !ids.contains(id.as_str())) {
                faults.push(format!("{name} names {id}, which is not on the page"));
            }
        }
    }
    if elements.iter().filter(|it| it.name == "h1").count() != 1 {
        faults.push("a page has one first heading".to_owned());
    }
    faults
}

#[tokio::test]
async fn every_page_is_valid_has_labels_and_nothing_inline() {
    let hub = hub().await;
    let mut found = Vec::new();
    for options in [UiOptions::new(), UiOptions::new().read_only(true)] {
        let app = app(&hub, options);
        for page in PAGES {
            let answer = get(&app, page).await;
            assert!(!answer.status.is_server_error(), "{page}: {}", answer.body);
            let faults = faults(&answer.body).into_iter();
            found.extend(faults.map(|fault| format!("{page}: {fault}")));
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_read_only_dashboard_has_no_actions() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new().read_only(true));
    for page in PAGES {
        let answer = get(&app, page).await;
        assert!(!answer.body.contains("data-send="), "{page}");
        assert!(!answer.body.contains("data-do=\"batch\""), "{page}");
    }
    hub.shutdown().await.unwrap();
}

#[test]
fn the_rules_find_faults() {
    let page = |body: &str| format!("<!DOCTYPE html><h1>x</h1>{body}");
    for (body, fault) in [
        ("<p><b></p></b>", "ends"),
        ("<a>x</a>", "goes nowhere"),
        ("<p id=\"a\"></p><p id=\"a\"></p>", "the id a"),
        ("<p style=\"x\"></p>", "refuses an attribute"),
        ("<script>x</script>", "refuses inline code"),
        ("<input name=\"a\">", "no label"),
        ("<button type=\"button\"></button>", "no text"),
        ("<svg></svg>", "no label"),
        ("<label for=\"b\">x</label>", "not on the page"),
    ] {
        let found = faults(&page(body));
        assert!(found.iter().any(|it| it.contains(fault)), "{body}: {found:?}");
    }
    assert_eq!(faults(&page("<p>a</p><input aria-label=\"x\">")), [""; 0]);
}
