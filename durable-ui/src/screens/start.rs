//! The form that starts an instance, optionally with the input of another instance.

use std::collections::BTreeSet;

use maud::{Markup, html};
use serde::Deserialize;

use crate::api::{Failure, model};
use crate::call::{Call, View};
use crate::frame::{Command, Page, Place, quoted};
use crate::parts::{empty, text};
use crate::query::{Query, encode};

/// The functions that the hub can run.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Registered {
    orchestrators: Vec<Function>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Function {
    name: String,
    version: Option<String>,
    #[serde(default)]
    parameters: Vec<Parameter>,
}

#[derive(Clone, Debug, Deserialize)]
struct Parameter {
    name: String,
    #[serde(rename = "typeName", default)]
    of: String,
}

#[derive(Debug)]
pub(crate) struct Model {
    registered: Registered,
    name: Option<String>,
    /// The initial content of the input field.
    input: Option<String>,
}

pub(crate) async fn answer(call: &Call) -> Result<Page, Failure> {
    if !call.view.access.may_operate() {
        return Err(Failure::new(
            axum::http::StatusCode::FORBIDDEN,
            "Read only",
            "This key, or this dashboard, only shows.",
        ));
    }
    let registered = call.api.get("registered", &Query::default()).await?;
    let mut name = call.query.get("name").map(str::to_owned);
    let mut input = None;
    if let Some(from) = call.query.get("from") {
        let path = format!("instances/{}", encode(from));
        let like: model::Instance = call.api.get(&path, &Query::default()).await?;
        let json: durable::protocol::Json =
            call.api.get(&format!("{path}/input"), &Query::default()).await?;
        name.get_or_insert(like.name);
        input = Some(json.as_str().to_owned());
    }
    let model = Model { registered, name, input };
    let page = Page::new("Start an instance", Place::Instances, screen(&call.view, &model));
    let word = model.name.as_deref().map_or("NAME".to_owned(), quoted);
    let command = format!("durable start {word} -i @input.json");
    Ok(page.commands([Command::post("Start", command, "instances")]))
}

pub(crate) fn screen(view: &View, model: &Model) -> Markup {
    let functions = &model.registered.orchestrators;
    let names: BTreeSet<_> = functions.iter().map(|it| it.name.as_str()).collect();
    let chosen = model.name.as_deref().filter(|name| names.contains(name));
    html! {
        div.head { h1 { "Start an instance" } }
        @if names.is_empty() {
            (empty("No orchestration is registered", "The hub can run none.", &html! {}))
        } @else {
            form.row.flt method="get" action=(view.links.to("start")) aria-label="Orchestration" {
                label for="s-name" { "Orchestration" }
                select.in #s-name name="name" {
                    @for name in &names { option value=(name) selected[Some(*name) == chosen] { (name) } }
                }
                button.b type="submit" { "Choose" }
            }
            @if let Some(name) = chosen { (form(view, model, name)) }
        }
    }
}

fn form(view: &View, model: &Model, name: &str) -> Markup {
    let of_name: Vec<_> =
        model.registered.orchestrators.iter().filter(|it| it.name == name).collect();
    let parameters = of_name.last().map_or(&[][..], |it| it.parameters.as_slice());
    let versions = of_name.iter().filter_map(|it| it.version.as_deref());
    let input = model.input.clone().unwrap_or_else(|| template(parameters));
    let types: Vec<_> = parameters.iter().map(|it| format!("{}: {}", it.name, it.of)).collect();
    html! {
        section.sec aria-labelledby="s-h" {
            div.sh { h2 #s-h { (text(name)) } span.q.m { (text(&types.join(", "))) } }
            form.conf.wide method="post" data-send="POST" data-url=(view.links.api("instances"))
                data-next=(format_args!("{}/{{instanceId}}", view.links.to("instances"))) {
                input type="hidden" name="name" value=(name);
                label.fl for="s-input" { "Input, as JSON" }
                textarea.in.m #s-input name="input" rows="8" data-json spellcheck="false" { (input) }
                label.fl for="s-id" { "Id; generated if it is empty" }
                input.in #s-id name="id" autocomplete="off";
                label.fl for="s-version" { "Version" }
                select.in #s-version name="version" {
                    option value="" { "newest" }
                    @for version in versions { option value=(version) { (version) } }
                }
                label.fl for="s-tags" { "Tags, as JSON" }
                input.in.m #s-tags name="tags" data-json placeholder="{\"region\": \"eu\"}" autocomplete="off";
                div.note.bad role="alert" hidden {}
                div.acts { button.b.p type="submit" { "Start" } }
            }
        }
    }
}

/// A template of the input: one parameter is passed as itself, several as an array.
fn template(parameters: &[Parameter]) -> String {
    let value = |of: &str| match of {
        "bool" => "false",
        of if of.contains("str") || of.contains("String") => "\"\"",
        of if of.starts_with(['u', 'i', 'f']) && of.len() <= 5 => "0",
        of if of.starts_with("Vec") => "[]",
        of if of.starts_with("Option") || of == "()" => "null",
        _ => "{}",
    };
    match parameters {
        [] => "null".to_owned(),
        [one] => value(&one.of).to_owned(),
        all => {
            let values: Vec<_> = all.iter().map(|it| value(&it.of)).collect();
            format!("[{}]", values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_input_to_fill_in_has_a_value_for_each_parameter() {
        let template = |types: &[&str]| {
            let parameter = |of: &&str| Parameter { name: "a".to_owned(), of: (*of).to_owned() };
            super::template(&types.iter().map(parameter).collect::<Vec<_>>())
        };
        assert_eq!(template(&[]), "null");
        assert_eq!(template(&["u32"]), "0");
        assert_eq!(template(&["String", "Option<Order>", "Order"]), "[\"\", null, {}]");
    }
}
