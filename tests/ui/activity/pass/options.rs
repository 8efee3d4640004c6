//! Options of the attribute.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity()]
async fn plain() {}

#[activity(name = "E1_SayHello")]
async fn say_hello(city: &str) -> String {
    city.to_owned()
}

#[activity(version = "2", name = "charge_card")]
async fn charge(cents: u32) -> u32 {
    cents
}

/// Gives an activity a name.
macro_rules! named {
    ($name:literal, $function:ident) => {
        #[activity(name = $name)]
        async fn $function(n: u32) -> u32 {
            n
        }
    };
}

named!("from a macro", from_a_macro);

fn main() {
    drop((plain(), say_hello("Tokyo"), charge(5), from_a_macro(1)));
}
