//! Names and numbers in histories: those of Durable Task.

use std::collections::BTreeSet;
use std::time::Duration;

use durable::RuntimeStatus;
use durable::client::InstanceQuery;
use durable::prelude::*;
use durable::protocol::HistoryEvent;
use durable::testing::TestHub;

use super::children::{sleeper, tells_the_time};
use super::failures::{parses, passes_on};
use super::retries::waits_longer_each_time;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn statuses_have_the_numbers_of_durable_task() {
    let numbers = [
        (RuntimeStatus::Running, 0),
        (RuntimeStatus::Completed, 1),
        (RuntimeStatus::Failed, 3),
        (RuntimeStatus::Terminated, 5),
        (RuntimeStatus::Pending, 6),
        (RuntimeStatus::Suspended, 7),
    ];
    for (status, number) in numbers {
        assert_eq!(status as i32, number, "{status}");
    }
}

#[orchestrator]
async fn everything(ctx: &OrchestrationContext) -> Result<()> {
    ctx.patched("a-patch");
    ctx.send_event("nobody", "number", &1)?;
    parses("x").retry(RetryPolicy::new(2, SECOND)).await.unwrap_err();
    parses("1").await?;
    tells_the_time().start_at(SECOND).await?;
    passes_on().await.unwrap_err();
    ctx.create_timer(SECOND).await;
    ctx.wait_for_external_event::<u32>("number").await?;
    Ok(())
}

#[tokio::test]
async fn history_events_have_the_names_of_durable_task() -> Result<()> {
    let hub = TestHub::open().await?;
    let all = hub.start(everything()).await?;
    hub.advance(HOUR).await;
    all.suspend("").await?;
    all.resume("").await?;
    all.raise_event("number", &1).await?;
    all.result().await?;
    let again = hub.start(passes_on()).await?;
    again.result().await.unwrap_err();
    again.rewind("").await?;
    again.result().await.unwrap_err();
    let ended = hub.start(sleeper()).await?;
    ended.terminate("").await?;

    let mut events = all.history().await?;
    events.extend(again.history().await?);
    events.extend(ended.history().await?);
    let kinds: BTreeSet<_> = events.iter().map(|event| event.kind.type_name()).collect();
    let expected = "EventRaised EventSent ExecutionCompleted ExecutionResumed ExecutionRewound \
        ExecutionStarted ExecutionSuspended ExecutionTerminated GenericEvent \
        OrchestratorCompleted OrchestratorStarted SubOrchestrationInstanceCompleted \
        SubOrchestrationInstanceCreated SubOrchestrationInstanceFailed TaskAttemptFailed \
        TaskCompleted TaskFailed TaskScheduled TimerCreated TimerFired";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), expected);
    Ok(())
}

#[tokio::test]
async fn histories_can_be_written_as_json_and_read_back() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(waits_longer_each_time()).await?.result().await?;
    let ended = InstanceQuery::new().status(RuntimeStatus::Completed);
    let found = hub.query(&ended).await?.items;
    assert_eq!(found.len(), 1);
    for record in found {
        let history = hub.instance(record.instance_id.as_str())?.history().await?;
        let lines: Vec<_> = history.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
        let read = lines.iter().map(|line| serde_json::from_str(line));
        assert_eq!(read.collect::<Result<Vec<HistoryEvent>, _>>()?, history);
    }
    Ok(())
}
