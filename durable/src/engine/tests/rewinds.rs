//! The replay of a rewound history: what an orchestrator did after a failure must be what it does
//! without the failure.

use expect_test::expect;

use super::{history, new_execution, without_lines};
use crate::definition::Definition;
use crate::engine::{Rewound, without_failures};
use crate::limits::Limits;
use crate::protocol::{HistoryEvent, Suspension};
use crate::{OrchestrationContext, Result, activity, orchestrator};

#[activity(crate = crate)]
async fn step(n: u32) -> Result<u32> {
    Ok(n)
}

/// Runs another step after each of two: which one depends on whether it failed.
#[orchestrator(crate = crate)]
async fn in_any_order(ctx: &OrchestrationContext) -> Result<()> {
    let mut results = crate::as_completed((0..2).map(step));
    while let Some((index, result)) = results.next().await {
        let is_failed = result.is_err();
        step(u32::try_from(index)? + if is_failed { 20 } else { 10 }).await?;
    }
    Err(crate::Error::msg("it has failed"))
}

/// Runs a step beside two that follow each other.
#[orchestrator(crate = crate)]
async fn side_by_side(ctx: &OrchestrationContext) -> Result<()> {
    let two = async { step(step(1).await? + 10).await };
    let (one, two) = crate::join((step(0), two)).await;
    one.and(two)?;
    Ok(())
}

fn rewound<O: Definition>(past: Vec<HistoryEvent>) -> Result<Vec<i32>, Suspension> {
    let Rewound { past, before, failed, .. } = without_failures(past);
    let mut execution = new_execution::<O>(Limits::default());
    execution.replay_rewound(&past, before).map(|()| failed)
}

/// After the rewind, the second step is the first to end, and the step after it must not get the
/// result of the step after the failed one.
#[test]
fn a_call_after_the_failure_must_have_the_same_input() {
    let past = history![
        OrchestratorStarted; ExecutionStarted("in_any_order", "null");
        TaskScheduledWith(0, "step", "0"); TaskScheduledWith(1, "step", "1");
        OrchestratorCompleted; OrchestratorStarted; TaskFailed(0, "broken"); TaskCompleted(1, "1");
        TaskScheduledWith(2, "step", "20"); OrchestratorCompleted;
        OrchestratorStarted; TaskCompleted(2, "20"); TaskScheduledWith(3, "step", "11");
        OrchestratorCompleted;
    ];
    let refused = rewound::<in_any_order>(past).unwrap_err();
    expect![[r#"
        DURABLE0101: orchestration `in_any_order` (instance `order-17`) no longer does what its history recorded
          event 8 recorded     activity `step`, requested at src/shop.rs:17
          this replay          requests activity `step`, with another input
          requested at         durable/src/engine/tests/rewinds.rs:N
        the orchestrator was changed while this instance was running, or its code is not deterministic
        the instance is suspended and keeps its history; it resumes when the code fits again"#]]
    .assert_eq(&without_lines(&refused.reason));
}

#[test]
fn calls_that_do_not_depend_on_the_failure_keep_their_results() {
    let past = history![
        OrchestratorStarted; ExecutionStarted("side_by_side", "null");
        TaskScheduledWith(0, "step", "0"); TaskScheduledWith(1, "step", "1");
        OrchestratorCompleted; OrchestratorStarted; TaskFailed(0, "broken"); TaskCompleted(1, "1");
        TaskScheduledWith(2, "step", "11"); OrchestratorCompleted;
        OrchestratorStarted; TaskCompleted(2, "11"); OrchestratorCompleted;
    ];
    assert_eq!(rewound::<side_by_side>(past).unwrap(), [0]);
}
