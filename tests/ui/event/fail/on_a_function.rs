#[durable::event]
fn approval() {}

fn main() {
    approval();
}
