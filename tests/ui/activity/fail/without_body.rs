use durable::prelude::*;

trait Shop {
    #[activity]
    async fn open(name: String);
}

fn main() {}
