use durable::prelude::*;

#[activity]
fn read(file: String) -> Result<String, Box<dyn std::error::Error>> {
    Ok(std::fs::read_to_string(file)?)
}

fn main() {}
