use durable::Entity;

struct Counter {
    value: i64,
}

fn read<E: Entity>(key: &str) {}

fn main() {
    read::<Counter>("a");
}
