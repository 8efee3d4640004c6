use durable::prelude::*;

#[activity]
fn read(file: String) -> std::io::Result<String> {
    std::fs::read_to_string(file)
}

fn main() {}
