#![allow(unused)]

use durable::prelude::*;

use std::println as say;

#[orchestrator]
async fn order(ctx: &OrchestrationContext, items: u32) -> u32 {
    println!("{items} items");
    std::eprintln!("{items} items");
    say!("{items} items");
    if items > 5 {
        print!("many");
    }
    let twice = dbg!(2 * items);
    twice
}

fn main() {}
