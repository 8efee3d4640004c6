#[durable::event]
type Approval = String;

fn main() {
    let _: Approval;
}
