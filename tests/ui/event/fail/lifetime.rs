use durable::ExternalEvent;
use serde::{Deserialize, Serialize};

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Changed<'a> {
    to: std::borrow::Cow<'a, str>,
}

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Changed<'static>>();
}
