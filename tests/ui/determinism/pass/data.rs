//! Data from modules whose functions are rejected, and variables named like modules.

#![deny(warnings)]

use durable::prelude::*;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::{env, fs};

mod every {
    #[derive(PartialEq)]
    pub enum Repeat {
        Once,
        Notify,
    }
}

mod inner {
    use super::every::*;
    use durable::prelude::*;

    #[orchestrator]
    pub async fn in_a_module(ctx: &OrchestrationContext) -> bool {
        Repeat::Once == Repeat::Notify
    }
}

#[activity]
fn look(path: &str) -> bool {
    fs::exists(path).unwrap_or_default() && env::args().count() > 1
}

#[orchestrator]
async fn order(ctx: &OrchestrationContext, env: String, address: IpAddr) -> Result<bool> {
    let fs = env.len();
    let wait = tokio::time::Duration::from_secs(1);
    let ordering = Ordering::SeqCst;
    let here = address == IpAddr::V4(Ipv4Addr::LOCALHOST);
    Ok(look(&env).await? && here && fs > 1 && wait.is_zero() && ordering == Ordering::SeqCst)
}

fn main() {
    drop((order(String::new(), Ipv4Addr::LOCALHOST.into()), inner::in_a_module()));
}
