use durable::ExternalEvent;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Approval>();
}
