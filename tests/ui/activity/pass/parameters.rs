//! Any number of parameters, by value or by reference.

#![deny(warnings, missing_docs, unreachable_pub)]

use std::path::{Path, PathBuf};

use durable::prelude::*;

#[derive(serde::Serialize, serde::Deserialize)]
struct Order {
    cents: u32,
}

#[activity]
async fn none() -> u32 {
    1
}

#[activity]
async fn one(order: Order) -> u32 {
    order.cents
}

#[activity]
async fn several(name: &str, orders: &[Order], order: &Order, more: Vec<Order>) -> String {
    format!("{name} {}", orders.len() + more.len() + order.cents as usize)
}

#[activity]
async fn of_the_library(pair: &(u8, String), file: &Path, path: &PathBuf, all: &Vec<u8>) -> String {
    format!("{pair:?} {} {}", path.join(file).display(), all.len())
}

#[activity]
async fn named_as_in_generated_code(codecs: u8, input: &str, run: &[u8], call: u8) -> usize {
    usize::from(codecs) + input.len() + run.len() + usize::from(call)
}

fn main() {
    let order = || Order { cents: 5 };
    drop((none(), one(order()), several("a", &[order()], &order(), vec![])));
    drop(of_the_library(&(1, String::new()), Path::new("a"), &"a".into(), &vec![1]));
    drop(named_as_in_generated_code(1, "a", &[1], 1));
}
