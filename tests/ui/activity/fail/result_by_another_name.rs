use durable::prelude::*;

type Outcome<T> = std::result::Result<T, Error>;

#[activity]
async fn charge(cents: u32) -> Outcome<u32> {
    Ok(cents)
}

fn main() {}
