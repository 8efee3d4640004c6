use durable::prelude::*;

#[activity]
fn read(file: String) -> Result<String, std::io::Error> {
    std::fs::read_to_string(file)
}

fn main() {}
