//! The user's types in a separate file, named like rejected types.

pub struct Command;

impl Command {
    pub fn new(_: &str) -> Self {
        Self
    }
}

pub struct Barrier;

impl Barrier {
    pub fn new() -> Self {
        Self
    }
}

pub struct HashMap;

pub enum Once {
    Now,
}
