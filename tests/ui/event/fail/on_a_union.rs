#[durable::event]
union Approval {
    by: u32,
}

fn main() {}
