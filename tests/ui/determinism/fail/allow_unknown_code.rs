use durable::prelude::*;

#[orchestrator]
#[durable::allow(DURABLE9999, reason = "no such code")]
async fn unknown(ctx: &OrchestrationContext) {}

#[durable::allow(clippy::all, reason = "not ours")]
#[durable::deterministic]
fn of_another_tool() {}

#[durable::helper]
async fn on_a_statement() {
    #[durable::allow(Durable0001, reason = "in capitals")]
    let _ = 1;
    #[durable::allow("DURABLE0001", reason = "not in quotes")]
    let _ = 1;
    #[durable::allow(DURABLE0001 reason = "no comma")]
    let _ = 1;
    #[durable::allow(DURABLE0001, because = "called reason")]
    let _ = 1;
}

fn main() {}
