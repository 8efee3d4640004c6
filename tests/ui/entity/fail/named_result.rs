use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct QueryResult(u8);

#[entity]
impl QueryResult {
    fn get(&self) -> QueryResult {
        QueryResult(1)
    }
}

fn main() {}
