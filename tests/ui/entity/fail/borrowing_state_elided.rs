use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Name<'a> {
    name: &'a str,
}

#[entity]
impl Name<'_> {
    fn len(&self) -> usize {
        self.name.len()
    }
}

fn main() {}
