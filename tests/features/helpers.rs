//! Helpers: their parameters live until the body ends, as those of an `async fn` do.

use std::cell::RefCell;
use std::rc::Rc;

use durable::entity::CriticalSection;
use durable::prelude::*;
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct HelperTill {
    cents: i64,
}

#[entity]
impl HelperTill {
    fn count(&self) -> i64 {
        self.cents
    }
}

#[activity]
async fn audit_till() -> Result<()> {
    Ok(())
}

#[durable::helper]
async fn audits<K>(ctx: &OrchestrationContext, _section: CriticalSection<K>) -> Result<usize> {
    audit_till().await?;
    Ok(ctx.locked_entities().map_or(0, |locked| locked.len()))
}

#[durable::helper]
async fn audits_a_part<K>(
    ctx: &OrchestrationContext,
    pair: (CriticalSection<K>, usize),
) -> Result<usize> {
    audit_till().await?;
    Ok(pair.1 * ctx.locked_entities().map_or(0, |locked| locked.len()))
}

#[orchestrator]
async fn locks_for_helpers(ctx: &OrchestrationContext) -> Result<Vec<usize>> {
    let locked = || ctx.locked_entities().map_or(0, |locked| locked.len());
    let section = ctx.lock_entities(HelperTill::at("front")).await?;
    let mut held = vec![audits(ctx, section).await?, locked()];
    let section = ctx.lock_entities(HelperTill::at("front")).await?;
    held.extend([audits_a_part(ctx, (section, 10)).await?, locked()]);
    Ok(held)
}

#[tokio::test]
async fn a_helper_holds_a_critical_section_that_its_body_does_not_name() -> Result<()> {
    let hub = TestHub::open().await?;
    let held = hub.start(locks_for_helpers()).await?.result().await?;
    assert_eq!(held, [1, 0, 10, 0]);
    Ok(hub.shutdown().await?)
}

type Log = Rc<RefCell<Vec<String>>>;

/// Writes its name into the log when it is dropped.
struct Noted(&'static str, Log);

impl Drop for Noted {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0.to_owned());
    }
}

impl Noted {
    #[expect(clippy::unused_self, reason = "it is only dropped")]
    fn pass_to_a_function(self, _: Noted, (_kept, _): (Noted, Noted), mut _last: Noted, log: &Log) {
        let _local = Noted("local", Rc::clone(log));
        log.borrow_mut().push("body".to_owned());
    }

    #[durable::helper]
    async fn pass_to_a_helper(
        self,
        _: Noted,
        (_kept, _): (Noted, Noted),
        mut _last: Noted,
        log: &Log,
    ) -> Result<()> {
        let _local = Noted("local", Rc::clone(log));
        audit_till().await?;
        log.borrow_mut().push("body".to_owned());
        Ok(())
    }
}

#[orchestrator]
async fn drops_parameters(ctx: &OrchestrationContext) -> Result<[Vec<String>; 2]> {
    let [function, helper] = [Log::default(), Log::default()];
    let noted = |name, log| Noted(name, Rc::clone(log));
    let parts = |log| (noted("kept", log), noted("rest", log));
    let log = &function;
    noted("self", log).pass_to_a_function(noted("_", log), parts(log), noted("last", log), log);
    let log = &helper;
    noted("self", log)
        .pass_to_a_helper(noted("_", log), parts(log), noted("last", log), log)
        .await?;
    Ok([function.take(), helper.take()])
}

#[tokio::test]
async fn a_helper_drops_its_parameters_in_the_order_of_a_function() -> Result<()> {
    let hub = TestHub::open().await?;
    let [function, helper] = hub.start(drops_parameters()).await?.result().await?;
    assert_eq!(function, ["body", "local", "last", "kept", "rest", "_", "self"]);
    assert_eq!(helper, function);
    Ok(hub.shutdown().await?)
}
