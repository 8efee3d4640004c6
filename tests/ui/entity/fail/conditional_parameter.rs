//! A parameter of an operation with a condition.
#![allow(unexpected_cfgs)]

use durable::prelude::*;

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Account(u32);

#[entity]
impl Account {
    fn pay(&mut self, cents: u32, #[cfg(feature = "fees")] fee: u32) -> u32 {
        self.0 += cents;
        self.0
    }
}

fn main() {}
