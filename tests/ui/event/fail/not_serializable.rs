use durable::ExternalEvent;

#[durable::event]
struct Approval {
    by: String,
}

fn name<E: ExternalEvent>() -> &'static str {
    E::NAME
}

fn main() {
    name::<Approval>();
}
