use durable::prelude::*;

#[activity]
async fn sort(values: &mut Vec<u32>) {
    values.sort();
}

fn main() {}
