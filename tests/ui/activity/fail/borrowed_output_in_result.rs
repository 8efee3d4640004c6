use durable::prelude::*;

#[activity]
async fn first(names: &[String]) -> Result<&String> {
    names.first().ok_or_else(|| Error::msg("none"))
}

fn main() {}
