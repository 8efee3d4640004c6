use durable::prelude::*;

#[entity]
impl Countr {
    fn get(&self) -> i64 {
        1
    }
}

fn main() {}
