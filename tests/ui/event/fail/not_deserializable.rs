use durable::ExternalEvent;
use serde::Serialize;

#[durable::event]
#[derive(Serialize)]
struct Approval {
    by: String,
}

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Approval>();
}
