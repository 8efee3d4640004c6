//! Types of events, and options of the attribute.

#![deny(warnings, missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

use durable as renamed;
use durable::ExternalEvent;
use serde::{Deserialize, Serialize};

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

#[derive(Serialize, Deserialize)]
#[durable::event]
struct Nothing;

#[durable::event(name = "order-cancelled", crate = renamed)]
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Cancelled {
    ByCustomer,
    ByShop(String),
}

#[durable::event()]
#[derive(Serialize, Deserialize)]
#[allow(non_camel_case_types)]
struct r#move(u32);

#[deprecated]
#[durable::event]
#[derive(Serialize, Deserialize)]
#[allow(dead_code)]
struct Outdated;

#[durable::event]
#[cfg(any())]
struct NotThere;

mod inner {
    /// An event of another module.
    #[durable::event]
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(crate) struct Moved {
        pub(crate) to: String,
    }
}

/// Gives an event a name.
macro_rules! named {
    ($name:literal, $event:ident) => {
        #[durable::event(name = $name)]
        #[derive(Serialize, Deserialize)]
        struct $event;
    };
}

named!("from a macro", FromAMacro);

fn name<E: ExternalEvent>(_: &E) -> &'static str {
    E::NAME
}

fn main() {
    assert_eq!(name(&Approval { by: "me".into() }), "Approval");
    assert_eq!(name(&Nothing), "Nothing");
    assert_eq!(name(&Cancelled::ByCustomer), "order-cancelled");
    assert_eq!(name(&Cancelled::ByShop(String::new())), "order-cancelled");
    assert_eq!(name(&r#move(1)), "move");
    assert_eq!(name(&inner::Moved { to: "here".into() }), "Moved");
    assert_eq!(name(&FromAMacro), "from a macro");
}
