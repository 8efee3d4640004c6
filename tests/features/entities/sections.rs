//! Critical sections: exclusion, order and rules.

use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::EntityQuery;

use super::*;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Purse {
    cents: i64,
}

#[entity]
impl Purse {
    fn deposit(&mut self, cents: i64) -> i64 {
        self.cents += cents;
        self.cents
    }

    fn withdraw(&mut self, cents: i64) -> Result<i64> {
        if cents > self.cents {
            return Err(Error::msg(format!("only {} left", self.cents)));
        }
        self.cents -= cents;
        Ok(self.cents)
    }

    fn balance(&self) -> i64 {
        self.cents
    }
}

#[activity]
async fn think() -> Result<()> {
    tokio::task::yield_now().await;
    Ok(())
}

#[orchestrator]
async fn transfer_cents(
    ctx: &OrchestrationContext,
    from: String,
    to: String,
    cents: i64,
) -> Result<bool> {
    let mut purses = ctx.lock_entities((Purse::at(&from), Purse::at(&to))).await?;
    if purses.0.balance().await? < cents {
        return Ok(false);
    }
    think().await?;
    purses.0.withdraw(cents).await?;
    purses.1.deposit(cents).await?;
    Ok(true)
}

async fn locked(hub: &TestHub) -> Result<Vec<String>> {
    let query = EntityQuery::new().include_transient().page_size(1000);
    let entities = hub.query(&query).await?.items;
    let locked = entities.into_iter().filter(|entity| entity.locked_by.is_some());
    Ok(locked.map(|entity| entity.entity_id.to_string()).collect())
}

#[tokio::test]
async fn opposed_transfers_neither_deadlock_nor_lose_money() -> Result<()> {
    let hub = TestHub::open().await?;
    for purse in ["a", "b", "c"] {
        hub.call_entity(Purse::at(purse).deposit(1000)).await?;
    }
    let mut runs = Vec::new();
    for n in 0..100_usize {
        let (from, to) = [("a", "b"), ("b", "a"), ("c", "a"), ("b", "c"), ("a", "c")][n % 5];
        let cents = i64::try_from(n)? * 7 % 300;
        runs.push(hub.start(transfer_cents(from.into(), to.into(), cents)).await?);
    }
    for run in runs {
        run.result().await?;
    }
    hub.settle().await;
    let mut sum = 0;
    for purse in ["a", "b", "c"] {
        let cents = hub.entity_state::<Purse>(purse).await?.map_or(0, |purse| purse.cents);
        assert!(cents >= 0);
        sum += cents;
    }
    assert_eq!(sum, 3000);
    assert_eq!(locked(&hub).await?, Vec::<String>::new());
    Ok(hub.shutdown().await?)
}

/// How the critical section of `ends` is to end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Way {
    Return,
    Drop,
    Error,
    Panic,
    ContinueAsNew,
    Forget,
    Wait,
}

#[orchestrator]
async fn ends(ctx: &OrchestrationContext, way: Way, again: bool) -> Result<()> {
    if again {
        return Ok(());
    }
    let mut section =
        ctx.lock_entities(vec![Purse::at("e1"), Purse::at("e2"), Purse::at("e3")]).await?;
    section[1].deposit(1).await?;
    match way {
        Way::Return => Ok(()),
        Way::Drop => {
            drop(section);
            ctx.create_timer(Duration::from_hours(1)).await;
            Ok(())
        }
        Way::Error => Err(Error::msg("so it ends")),
        Way::Panic => panic!("so it ends"),
        Way::ContinueAsNew => ctx.continue_as_new(ends(way, true)).await,
        Way::Forget => {
            std::mem::forget(section);
            Ok(())
        }
        Way::Wait => {
            ctx.create_timer(Duration::from_hours(24)).await;
            Ok(())
        }
    }
}

#[tokio::test]
async fn a_critical_section_ends_with_its_orchestrator() -> Result<()> {
    let hub = TestHub::open().await?;
    for way in [Way::Return, Way::Drop, Way::Error, Way::Panic, Way::ContinueAsNew, Way::Forget] {
        let run = hub.start(ends(way, false)).await?;
        hub.settle().await;
        assert_eq!(locked(&hub).await?, Vec::<String>::new(), "{way:?}");
        drop(run);
    }
    assert_eq!(hub.call_entity(Purse::at("e2").balance()).await?, 6);
    assert_eq!(stored_purses(&hub).await?, ["e2"], "what was only locked leaves no trace");
    Ok(hub.shutdown().await?)
}

async fn stored_purses(hub: &TestHub) -> Result<Vec<String>> {
    let query = EntityQuery::new().of::<Purse>().include_transient();
    let entities = hub.query(&query).await?.items;
    Ok(entities.iter().map(|entity| entity.entity_id.key().to_owned()).collect())
}

#[tokio::test]
async fn locks_survive_crashes_and_end_with_a_termination() -> Result<()> {
    let mut hub = TestHub::open().await?;
    for kind in ["live", "suspended", "replaced", "crashed"] {
        hub.start(ends(Way::Wait, false).instance_id("waits")).await?;
        hub.settle().await;
        assert_eq!(locked(&hub).await?.len(), 3, "{kind}");
        hub = hub.crash().await?;
        hub.settle().await;
        assert_eq!(locked(&hub).await?.len(), 3, "{kind}");
        let run = hub.instance("waits")?;
        match kind {
            "suspended" => {
                run.suspend("a while").await?;
                run.terminate("enough").await?;
            }
            "replaced" => {
                let other = ends(Way::Return, true).instance_id("waits");
                hub.start(other.replace_if([RuntimeStatus::Running])).await?.result().await?;
            }
            "crashed" => {
                run.terminate("enough").await?;
                hub = hub.crash().await?;
            }
            _ => run.terminate("enough").await?,
        }
        hub.settle().await;
        assert_eq!(locked(&hub).await?, Vec::<String>::new(), "{kind}");
        hub.instance("waits")?.purge().await?;
    }
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn tries_for_a_minute(ctx: &OrchestrationContext) -> Result<bool> {
    let lock = ctx.lock_entities((Purse::at("e0"), Purse::at("e2"), Purse::at("e4")));
    let minute = ctx.create_timer(Duration::from_mins(1));
    match durable::race((lock, minute)).await {
        durable::task::Race2::First(section) => {
            drop(section?);
            Ok(true)
        }
        durable::task::Race2::Second(()) => Ok(false),
    }
}

#[tokio::test]
async fn a_lock_request_can_be_abandoned() -> Result<()> {
    let hub = TestHub::open().await?;
    let holder = hub.start(ends(Way::Wait, false)).await?;
    hub.settle().await;
    let tries = hub.start(tries_for_a_minute()).await?;
    assert!(!tries.result().await?);
    hub.settle().await;
    assert_eq!(locked(&hub).await?, ["@purse@e1", "@purse@e2", "@purse@e3"]);
    holder.terminate("enough").await?;
    hub.settle().await;
    assert_eq!(locked(&hub).await?, Vec::<String>::new());
    assert!(hub.start(tries_for_a_minute()).await?.result().await?);
    hub.settle().await;
    assert_eq!(locked(&hub).await?, Vec::<String>::new());
    Ok(hub.shutdown().await?)
}

#[durable::helper]
async fn locks_inside(ctx: &OrchestrationContext) -> Result<()> {
    drop(ctx.lock_entities(Purse::at("r2")).await?);
    Ok(())
}

#[durable::helper]
async fn calls(purse: String) -> Result<i64> {
    Ok(Purse::at(purse).balance().await?)
}

#[orchestrator]
async fn plain_child(ctx: &OrchestrationContext) -> Result<()> {
    Ok(())
}

#[durable::helper]
async fn calls_child() -> Result<()> {
    Ok(plain_child().await?)
}

#[durable::helper]
async fn calls_twice() -> Result<()> {
    durable::try_join((Purse::at("r1").balance(), Purse::at("r1").balance())).await?;
    Ok(())
}

#[orchestrator]
async fn breaks_rules(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let mut said = Vec::new();
    let no_purse: Vec<durable::entity::DynamicHandle> = Vec::new();
    said.push(ctx.lock_entities(no_purse).await.unwrap_err().to_string());
    let both = durable::join((ctx.lock_entities(Purse::at("r1")), calls("r1".into()))).await;
    said.push(both.1.unwrap_err().to_string());
    drop(both.0);
    let section = ctx.lock_entities([Purse::at("r1"), Purse::at("r1")]).await?;
    assert_eq!(ctx.locked_entities().map(|locked| locked.len()), Some(1));
    said.push(locks_inside(ctx).await.unwrap_err().to_string());
    said.push(calls_child().await.unwrap_err().to_string());
    said.push(calls("r9".into()).await.unwrap_err().to_string());
    said.push(calls_twice().await.unwrap_err().to_string());
    said.push(Purse::at("r1").deposit(1).signal().unwrap_err().to_string());
    Purse::at("r9").deposit(1).signal()?;
    ctx.start(plain_child())?;
    calls("r1".into()).await?;
    drop(section);
    assert!(ctx.locked_entities().is_none());
    calls_child().await?;
    calls("r9".into()).await?;
    locks_inside(ctx).await?;
    Ok(said)
}

#[tokio::test]
async fn broken_rules_of_critical_sections_are_reported() -> Result<()> {
    let hub = TestHub::open().await?;
    let said = hub.start(breaks_rules()).await?.result().await?;
    let rules: Vec<_> = said.iter().map(|said| said.split_once(": ")).collect();
    for (said, rule) in said.iter().zip([7, 6, 1, 2, 3, 4, 5]) {
        assert!(said.contains(&format!("rule {rule}: ")), "{said}");
    }
    assert_eq!(rules.len(), 7);
    hub.settle().await;
    assert_eq!(locked(&hub).await?, Vec::<String>::new());
    Ok(hub.shutdown().await?)
}

/// Abandons a lock request when it is told to, and continues.
#[orchestrator]
async fn gives_up_when_told(ctx: &OrchestrationContext) -> Result<()> {
    let lock = ctx.lock_entities(Purse::at("e2"));
    let stop = ctx.wait_for_external_event::<()>("stop");
    if let durable::task::Race2::First(section) = durable::race((lock, stop)).await {
        drop(section?);
    }
    ctx.wait_for_external_event::<()>("end").await?;
    Ok(())
}

#[tokio::test]
async fn a_lock_request_can_be_abandoned_while_the_instance_is_suspended() -> Result<()> {
    let mut hub = TestHub::open().await?;
    for crashes in [false, true] {
        let id = format!("told-{crashes}");
        hub.start(ends(Way::Wait, false).instance_id("holder")).await?;
        hub.settle().await;
        hub.start(gives_up_when_told().instance_id(&id)).await?;
        hub.settle().await;
        let told = hub.instance(&id)?;
        told.suspend("a while").await?;
        told.raise_event("stop", &()).await?;
        if crashes {
            hub = hub.crash().await?;
        }
        let told = hub.instance(&id)?;
        told.resume("go on").await?;
        hub.instance("holder")?.terminate("enough").await?;
        hub.settle().await;
        assert_eq!(locked(&hub).await?, Vec::<String>::new());
        hub = hub.crash().await?;
        hub.settle().await;
        hub.instance(&id)?.raise_event("end", &()).await?;
        hub.settle().await;
        assert_eq!(locked(&hub).await?, Vec::<String>::new());
        hub.instance("holder")?.purge().await?;
    }
    Ok(hub.shutdown().await?)
}

#[orchestrator]
async fn asks_behind_its_section(ctx: &OrchestrationContext) -> Result<i64> {
    let mut section = ctx.lock_entities(Purse::at("behind")).await?;
    section.deposit(1).await?;
    drop(section);
    Purse::at("behind").deposit(10).signal()?;
    Ok(Purse::at("behind").balance().await?)
}

#[tokio::test]
async fn operations_wait_until_a_critical_section_ends() -> Result<()> {
    let hub = TestHub::open().await?;
    for round in 1..20 {
        let balance = hub.start(asks_behind_its_section()).await?.result().await?;
        assert_eq!(balance, 11 * round);
    }
    Ok(hub.shutdown().await?)
}

mod before {
    use super::*;

    #[orchestrator(name = "locks_something")]
    pub(super) async fn locks(ctx: &OrchestrationContext) -> Result<()> {
        let _section = ctx.lock_entities((Purse::at("x"), Purse::at("y"))).await?;
        ctx.create_timer(Duration::from_hours(1)).await;
        Ok(())
    }
}

mod after {
    use super::*;

    #[orchestrator(name = "locks_something", version = "changed")]
    pub(super) async fn locks(ctx: &OrchestrationContext) -> Result<()> {
        let _section = ctx.lock_entities((Purse::at("x"), Purse::at("z"))).await?;
        ctx.create_timer(Duration::from_hours(1)).await;
        Ok(())
    }
}

#[tokio::test]
async fn a_changed_set_of_locks_is_reported_in_a_replay() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(before::locks()).await?;
    hub.settle().await;
    let history = durable::testing::RecordedHistory::of(&run).await?;
    durable::testing::verify_replay_with::<before::locks>(&history)?;
    let changed = durable::testing::verify_replay_with::<after::locks>(&history).unwrap_err();
    assert!(changed.report().contains("`@purse@z`"), "{}", changed.report());
    Ok(hub.shutdown().await?)
}

#[activity]
async fn is_refused() -> Result<()> {
    Err(Error::msg("no"))
}

#[orchestrator]
async fn fails_inside(ctx: &OrchestrationContext) -> Result<()> {
    let _section = ctx.lock_entities(Purse::at("rewound")).await?;
    is_refused().await?;
    Ok(())
}

#[orchestrator]
async fn is_short_of_money(ctx: &OrchestrationContext) -> Result<i64> {
    Ok(Purse::at("short").withdraw(5).await?)
}

#[tokio::test]
async fn rewind_repeats_a_failed_operation_but_enters_no_critical_section_again() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(fails_inside()).await?;
    run.result().await.unwrap_err();
    let refused = run.rewind("try again").await.unwrap_err();
    assert!(refused.to_string().contains("it failed in a critical section"), "{refused}");

    let run = hub.start(is_short_of_money()).await?;
    run.result().await.unwrap_err();
    hub.call_entity(Purse::at("short").deposit(7)).await?;
    run.rewind("there is money").await?;
    assert_eq!(run.result().await?, 2);
    assert_eq!(hub.call_entity(Purse::at("short").balance()).await?, 2);
    Ok(hub.shutdown().await?)
}
