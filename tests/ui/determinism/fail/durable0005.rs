#![allow(unused)]

use durable::prelude::*;

use std::fs::{self, File as Document};
use std::net::TcpStream;
use std::process::Command;

#[orchestrator]
async fn order(ctx: &OrchestrationContext) -> Result<()> {
    std::fs::write("order", "1")?;
    let text = fs::read_to_string("order")?;
    let file = Document::open("order")?;
    let stream = TcpStream::connect("localhost:80")?;
    let child = Command::new("ls").spawn()?;
    let line = std::io::stdin().lines().next();
    std::process::exit(1)
}

fn main() {}
