use durable::ExternalEvent;
use serde::{Deserialize, Serialize};

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Changed<T> {
    to: T,
}

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Changed<u32>>();
}
