use durable::prelude::*;

/// Like `anyhow::Error`: it has `Display` and `Debug`, and is no `std::error::Error`.
#[derive(Debug)]
struct Report;

fn save() -> Result<(), Report> {
    Err(Report)
}

fn load() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Err("gone".into())
}

#[activity]
async fn backup() -> Result<()> {
    save()?;
    load()?;
    Ok(())
}

fn main() {}
