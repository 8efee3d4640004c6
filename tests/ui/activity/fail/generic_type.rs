use durable::prelude::*;

#[activity]
async fn first<T: Clone>(values: Vec<T>) -> Result<T> {
    values.first().cloned().ok_or_else(|| Error::msg("none"))
}

fn main() {}
