//! Entities that are functions, with operations known by name only.

use durable::EntityId;

use super::*;

#[entity]
async fn ledger(ctx: &EntityContext) -> Result<i64> {
    let mut sum = ctx.state::<i64>()?.unwrap_or(100);
    match ctx.operation() {
        "add" => sum += ctx.input::<i64>()?,
        "get" => return Ok(sum),
        "delete" => {
            ctx.delete();
            return Ok(sum);
        }
        other => return Err(Error::msg(format!("no operation `{other}`"))),
    }
    ctx.set_state(&sum)?;
    tokio::task::yield_now().await;
    if sum > 1000 { Err(Error::msg("too much")) } else { Ok(sum) }
}

#[orchestrator]
async fn keeps_ledger(ctx: &OrchestrationContext, which: EntityId) -> Result<(i64, String, i64)> {
    let ledger = which.handle();
    ledger.operation::<i64>("add", &5).signal()?;
    let sum = ledger.operation("add", &7).await?;
    let refused = ledger.operation::<i64>("add", &5000).await.unwrap_err();
    Ok((sum, refused.details().message.clone(), ledger.operation("get", &()).await?))
}

#[tokio::test]
async fn a_function_is_an_entity() -> Result<()> {
    let hub = TestHub::open().await?;
    let id = EntityId::new("Ledger", "main")?;
    let result = hub.start(keeps_ledger(id)).await?.result().await?;
    assert_eq!(result, (112, "too much".into(), 112));
    let state = hub.entity_state::<ledger>("main").await?;
    assert_eq!(state.map(|state| state.to_string()), Some("112".into()));
    let sum: i64 = hub.call_entity(ledger::at("main").operation("add", &1)).await?;
    assert_eq!(sum, 113);
    hub.call_entity(ledger::at("main").operation::<i64>("delete", &())).await?;
    assert!(hub.entity_state::<ledger>("main").await?.is_none());
    Ok(hub.shutdown().await?)
}

#[derive(Default, Serialize, Deserialize)]
struct Parcel {
    grams: u32,
    note: String,
}

#[entity(name = "twice.parcel")]
impl Parcel {
    fn weigh(&mut self, grams: u32) -> u32 {
        self.grams += grams;
        self.grams
    }

    fn label(&mut self, note: String) -> String {
        self.note = note;
        self.note.clone()
    }
}

#[tokio::test]
async fn an_input_encoded_twice_is_decoded_twice_only_where_its_type_needs_it() -> Result<()> {
    let hub = TestHub::open().await?;
    let parcel = EntityId::new("twice.parcel", "a")?.handle();
    assert_eq!(hub.call_entity(parcel.operation::<u32>("weigh", &"5")).await?, 5);
    let label = parcel.operation::<String>("label", &"\"fragile\"");
    assert_eq!(hub.call_entity(label).await?, "\"fragile\"");
    let refused = hub.call_entity(parcel.operation::<u32>("weigh", &"\"a lot\"")).await;
    assert!(refused.unwrap_err().to_string().contains("string \"\\\"a lot\\\"\""));
    let ledger = EntityId::new("ledger", "twice")?.handle();
    assert_eq!(hub.call_entity(ledger.operation::<i64>("add", &"7")).await?, 107);
    hub.shutdown().await?;
    Ok(())
}
