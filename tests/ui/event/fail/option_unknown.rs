use durable::ExternalEvent;
use serde::{Deserialize, Serialize};

#[durable::event(version = "2", name = "approved")]
#[derive(Serialize, Deserialize)]
struct Approval;

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Approval>();
}
