//! x
#![allow(missing_docs, unused)]
use durable::prelude::*;
use durable::EntityId;
use durable::__private::check_in_critical_section as c;
#[activity] async fn act() -> Result<()> { Ok(()) }
#[orchestrator] async fn sub(ctx: &OrchestrationContext) -> Result<()> { Ok(()) }
struct Query;
impl IntoFuture for Query { type Output=(); type IntoFuture=std::future::Ready<()>; fn into_future(self)->std::future::Ready<()> {todo!()} }
#[durable::helper] async fn help() {}
async fn own(ctx: OrchestrationContext, e: EntityId, f: Box<dyn durable::DurableFuture<Output=()> + Unpin>) {
    let mut l = c(ctx.lock_entities(e.handle())).await.unwrap();
    c(e.handle().operation::<()>("x", &())).await;
    c(l.operation::<()>("x", &())).await;
    c(act()).await;
    c(sub()).await;
    c(help()).await;
    c(f).await;
    c(durable::join((act(), sub()))).await;
    c(std::future::ready(())).await;
    c(Query).await;
    c(5).await;
    c(async {}).await;
    durable::__private::check(5).await;
}
fn main() {}
