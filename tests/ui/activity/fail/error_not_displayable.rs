use durable::prelude::*;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Declined;

#[activity]
async fn charge() -> Result<u32, Declined> {
    Err(Declined)
}

fn main() {}
