use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Approval {
    by: String,
}

async fn client(hub: TaskHub) -> Result<()> {
    hub.instance("order-17")?.raise(&Approval { by: "me".to_owned() }).await?;
    Ok(())
}

fn main() {}
