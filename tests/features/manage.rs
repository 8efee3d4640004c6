//! Operations of clients on an instance: suspend, resume, terminate, rewind, restart, purge.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use durable::client::{HubError, InstanceQuery, ManageError, ResultError, Retention, StartError};
use durable::prelude::*;
use durable::protocol::EventKind;
use durable::testing::TestHub;
use durable::{OrchestrationHandle, RuntimeStatus};

use super::children::tells_the_time;

const HOUR: Duration = Duration::from_hours(1);

/// A service that is down at first, one for each test.
static UP: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

fn mend(service: &'static str) {
    UP.lock().unwrap().insert(service);
}

#[activity]
async fn ask(service: &str, what: &str) -> Result<String> {
    if what == "shaky" && !UP.lock().unwrap().contains(service) {
        return Err(Error::msg("the service is down"));
    }
    Ok(format!("{what} done"))
}

#[orchestrator]
pub(super) async fn steps(ctx: &OrchestrationContext, service: String) -> Result<Vec<String>> {
    let mut done = Vec::new();
    for what in ["first", "shaky", "last"] {
        done.push(ask(&service, what).await?);
    }
    Ok(done)
}

#[orchestrator]
async fn all_at_once(ctx: &OrchestrationContext, service: String) -> Result<Vec<String>> {
    let all = durable::join_all(["a", "shaky", "b", "shaky"].map(|it| ask(&service, it))).await;
    Ok(all.into_iter().collect::<Result<_, _>>()?)
}

#[orchestrator]
async fn parent(ctx: &OrchestrationContext, service: String) -> Result<Vec<String>> {
    Ok(steps(service).instance_id("the-child").await?)
}

#[orchestrator]
async fn compensates(ctx: &OrchestrationContext, service: String) -> Result<()> {
    if let Err(failed) = ask(&service, "shaky").await {
        ask(&service, "compensation").await?;
        return Err(failed.into());
    }
    Ok(())
}

#[orchestrator]
pub(super) async fn waits_an_hour(ctx: &OrchestrationContext) -> Result<u32> {
    let hour = ctx.create_timer(HOUR);
    let number = ctx.wait_for_external_event::<u32>("number");
    match durable::race((number, hour)).await {
        durable::task::Race2::First(number) => Ok(number?),
        durable::task::Race2::Second(()) => Ok(0),
    }
}

async fn status<O: durable::Orchestrator>(run: &OrchestrationHandle<O>) -> Result<RuntimeStatus> {
    Ok(run.status().await?.runtime_status)
}

#[tokio::test]
async fn events_and_results_of_a_suspended_instance_wait_for_resume() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(waits_an_hour()).await?;
    run.suspend("lunch").await?;
    assert_eq!(status(&run).await?, RuntimeStatus::Suspended);
    run.suspend("again").await?;
    run.raise_event("number", &5).await?;
    hub.advance(2 * HOUR).await;
    assert_eq!(status(&run).await?, RuntimeStatus::Suspended);
    run.resume("back").await?;
    assert_eq!(run.result().await?, 5, "the event came before the timer");

    let kinds = run.history().await?;
    let kinds: Vec<_> = kinds.iter().map(|event| event.kind.type_name()).collect();
    assert!(kinds.contains(&"ExecutionSuspended") && kinds.contains(&"ExecutionResumed"));
    Ok(())
}

#[tokio::test]
async fn a_timer_that_became_due_during_a_suspension_fires_at_resume() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(waits_an_hour()).await?;
    run.suspend("").await?;
    hub.advance(2 * HOUR).await;
    run.resume("").await?;
    assert_eq!(run.result().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_terminated_instance_has_ended_with_the_reason() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(waits_an_hour()).await?;
    run.terminate("not wanted any more").await?;
    assert!(matches!(run.result().await, Err(ResultError::Terminated(_))));
    let details = run.details().await?;
    assert_eq!(details.status.next_due, None);
    assert_eq!(details.failure.unwrap().message, "it was terminated: not wanted any more");
    let again = run.terminate("").await;
    assert!(matches!(again, Err(ManageError::Finished { .. })), "{again:?}");
    Ok(())
}

#[tokio::test]
async fn rewind_repeats_only_what_had_failed() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(steps("one".into())).await?;
    run.result().await.unwrap_err();
    mend("one");
    run.rewind("the service is up").await?;
    assert_eq!(run.result().await?, ["first done", "shaky done", "last done"]);
    let scheduled = |kind: &EventKind| matches!(kind, EventKind::TaskScheduled { .. });
    let history = run.history().await?;
    assert_eq!(history.iter().filter(|event| scheduled(&event.kind)).count(), 3);
    assert!(matches!(run.rewind("").await, Err(ManageError::NotFailed { .. })));
    Ok(())
}

#[tokio::test]
async fn rewind_repeats_several_failures_and_can_be_repeated() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(all_at_once("several".into())).await?;
    run.result().await.unwrap_err();
    run.rewind("too early").await?;
    run.result().await.unwrap_err();
    mend("several");
    run.rewind("now").await?;
    assert_eq!(run.result().await?.len(), 4);
    Ok(())
}

#[tokio::test]
async fn rewind_descends_to_the_failed_child() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(parent("child".into())).await?;
    run.result().await.unwrap_err();
    mend("child");
    run.rewind("").await?;
    assert_eq!(run.result().await?.len(), 3);
    let child = hub.find_instance::<steps>("the-child").await?.unwrap();
    assert_eq!(child.result().await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn rewind_is_rejected_if_the_orchestrator_continued_after_the_failure() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(compensates("compensated".into())).await?;
    run.result().await.unwrap_err();
    mend("compensated");
    let refused = run.rewind("").await.unwrap_err();
    assert!(matches!(refused, ManageError::CannotRewind { .. }), "{refused}");
    assert_eq!(status(&run).await?, RuntimeStatus::Failed);
    Ok(())
}

#[tokio::test]
async fn restart_keeps_the_id_or_takes_another() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(steps("restarted".into()).instance_id("s").tag("team", "a")).await?;
    run.result().await.unwrap_err();
    mend("restarted");
    run.restart().await?;
    assert_eq!(run.result().await?.len(), 3);
    assert_eq!(run.status().await?.tags["team"], "a");
    let beside = run.restart_as("t").await?;
    beside.wait_for_completion().await?;
    let taken = run.restart_as("t").await.unwrap_err();
    assert!(taken.to_string().contains("instance `t` exists already"), "{taken}");

    let waiting = hub.start(waits_an_hour()).await?;
    let refused = waiting.restart().await.unwrap_err();
    assert!(refused.to_string().contains("exists already and is Running"), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_start_may_replace_an_instance_in_a_permitted_status() -> Result<()> {
    let hub = TestHub::open().await?;
    let first = hub.start(waits_an_hour().instance_id("w")).await?;
    let taken = hub.start(waits_an_hour().instance_id("w")).await.unwrap_err();
    assert!(matches!(taken, StartError::AlreadyExists { .. }));
    let same = hub.start_if_absent(waits_an_hour().instance_id("w")).await?;
    same.raise_event("number", &1).await?;
    assert_eq!(first.result().await?, 1);
    let done = [RuntimeStatus::Completed];
    let again = hub.start(waits_an_hour().instance_id("w").replace_if(done)).await?;
    assert_eq!(status(&again).await?, RuntimeStatus::Running);
    // A running instance is ended and replaced, if the start requests it.
    let running = [RuntimeStatus::Running];
    let third = hub.start(waits_an_hour().instance_id("w").replace_if(running)).await?;
    third.raise_event("number", &3).await?;
    assert_eq!(third.result().await?, 3);
    Ok(())
}

#[tokio::test]
async fn a_purged_instance_is_gone_and_its_id_is_free() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(waits_an_hour().instance_id("w")).await?;
    let running = run.purge().await.unwrap_err();
    assert!(matches!(running, ManageError::NotFinished { .. }), "{running}");
    run.terminate("").await?;
    run.purge().await?;
    assert!(hub.find_instance::<waits_an_hour>("w").await?.is_none());
    assert!(matches!(run.purge().await, Err(ManageError::Hub(HubError::NoSuchInstance(_)))));
    hub.start(waits_an_hour().instance_id("w")).await?;
    Ok(())
}

#[tokio::test]
async fn purge_recursively_removes_the_children() -> Result<()> {
    let hub = TestHub::open().await?;
    mend("purged");
    let run = hub.start(parent("purged".into())).await?;
    run.result().await?;
    assert_eq!(run.purge_recursively().await?, 2);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0);
    Ok(())
}

/// Calls a sub-orchestration under each of these ids, and returns the number of failed calls.
#[orchestrator]
async fn claims(ctx: &OrchestrationContext, ids: Vec<String>) -> Result<usize> {
    let calls = ids.into_iter().map(|id| claims(Vec::new()).instance_id(id));
    let results = durable::join_all(calls).await;
    Ok(results.iter().filter(|result| result.is_err()).count())
}

#[tokio::test]
async fn a_recursive_purge_spares_an_instance_that_only_has_the_id_of_a_child() -> Result<()> {
    let hub = TestHub::open().await?;
    let stranger = hub.start(waits_an_hour().instance_id("stranger")).await?;
    let ids = vec!["stranger".into(), "child".into(), "reused".into()];
    let run = hub.start(claims(ids).instance_id("first")).await?;
    assert_eq!(run.result().await?, 1, "the id of the stranger is taken");
    stranger.raise_event("number", &1).await?;
    stranger.result().await?;
    // Its own child with this id has ended, so another parent may reuse the id.
    let second = hub.start(claims(vec!["reused".into()]).instance_id("second")).await?;
    assert_eq!(second.result().await?, 0);

    assert_eq!(run.purge_recursively().await?, 2);
    for left in ["stranger", "reused", "second"] {
        let status = hub.instance(left)?.status().await?;
        assert_eq!(status.runtime_status, RuntimeStatus::Completed, "{left}");
    }
    assert_eq!(second.purge_recursively().await?, 2);
    Ok(())
}

#[tokio::test]
async fn a_recursive_purge_ends_if_an_instance_called_its_own_id() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(claims(vec!["own".into(), "own".into()]).instance_id("own")).await?;
    assert_eq!(run.result().await?, 2);
    assert_eq!(run.purge_recursively().await?, 1);
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 0);
    Ok(())
}

#[tokio::test]
async fn finished_instances_are_kept_as_long_as_retention_says() -> Result<()> {
    let retention = Retention::forever().completed(2 * HOUR);
    let hub = TestHub::builder().configure(|hub| hub.retention(retention)).open().await?;
    let run = hub.start(waits_an_hour()).await?;
    let failed = hub.start(steps("down".into())).await?;
    run.raise_event("number", &1).await?;
    run.result().await?;
    failed.result().await.unwrap_err();
    hub.advance(HOUR).await;
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 2);
    hub.advance(HOUR).await;
    assert_eq!(hub.count(&InstanceQuery::new()).await?, 1, "only what has failed is left");
    assert!(hub.find_instance::<waits_an_hour>(run.instance_id().as_str()).await?.is_none());
    Ok(())
}

#[tokio::test]
async fn a_wait_for_completion_is_answered_even_if_the_instance_is_purged_at_once() -> Result<()> {
    let retention = Retention::forever().completed(Duration::ZERO);
    // In a test hub, virtual time would pass, and with it the hour, while nothing else is running.
    let hub = TaskHub::builder().in_memory().retention(retention).open().await?;
    for n in 0..50 {
        let run = hub.start(waits_an_hour().instance_id(format!("gone-{n}"))).await?;
        let waiting = run.wait_for_completion();
        let (record, raised) = tokio::join!(waiting, run.raise_event("number", &n));
        raised?;
        assert_eq!(record?.runtime_status, RuntimeStatus::Completed);
    }
    Ok(())
}

#[tokio::test]
async fn a_pending_instance_can_be_suspended_and_terminated() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(tells_the_time().start_at(HOUR)).await?;
    assert_eq!(status(&run).await?, RuntimeStatus::Pending);
    run.suspend("not today").await?;
    hub.advance(2 * HOUR).await;
    assert_eq!(status(&run).await?, RuntimeStatus::Suspended);
    run.resume("today").await?;
    assert_eq!(run.result().await?, hub.now());
    let never = hub.start(tells_the_time().start_at(HOUR)).await?;
    never.terminate("not at all").await?;
    assert!(matches!(never.result().await, Err(ResultError::Terminated(_))));
    Ok(())
}

#[tokio::test]
async fn every_operation_on_a_missing_instance_reports_it() -> Result<()> {
    let hub = TestHub::open().await?;
    let nobody = hub.instance("nobody")?;
    for refused in [
        nobody.suspend("").await,
        nobody.resume("").await,
        nobody.terminate("").await,
        nobody.rewind("").await,
        nobody.restart().await,
        nobody.purge().await,
    ] {
        assert_eq!(refused.unwrap_err().to_string(), "there is no instance `nobody`");
    }
    for refused in [nobody.wait_for_start().await, nobody.wait_for_completion().await.map(drop)] {
        assert_eq!(refused.unwrap_err().to_string(), "there is no instance `nobody`");
    }
    let refused = hub.instance("no/body").unwrap_err().to_string();
    assert!(refused.starts_with("`no/body` cannot be an instance id: "), "{refused}");
    Ok(())
}
