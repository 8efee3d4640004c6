struct Order;

impl Order {
    #[durable::event]
    const APPROVAL: u32 = 1;
}

fn main() {
    Order::APPROVAL;
}
