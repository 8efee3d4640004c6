//! Sub-orchestrations: started under ids that replays reproduce, awaited or detached.

use std::time::Duration;

use expect_test::expect;

use super::{after, at, check, check_events, check_verified, history, replayed};
use crate::engine::Action;
use crate::protocol::{EventKind, ExecutionId, FailureDetails, HistoryEvent, RuntimeStatus};
use crate::task::Race2;
use crate::{OrchestrationContext, Result, RetryPolicy, activity, orchestrator};

#[activity(crate = crate)]
async fn weigh(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator(crate = crate)]
async fn parcel(ctx: &OrchestrationContext, n: u32) -> Result<u32> {
    Ok(weigh(n).await?)
}

#[orchestrator(crate = crate)]
async fn order(ctx: &OrchestrationContext) -> Result<u32> {
    let first = parcel(1).await?;
    Ok(first + parcel(2).instance_id("second").await?)
}

const FIRST: &str = "00000000-0000-0000-0000-000000000007:0";

#[test]
fn a_childs_instance_id_derives_from_its_parent() {
    let new = || history![ExecutionStarted("order", "null");];
    check::<order>(
        history![],
        new(),
        expect![[r#"
        start parcel (1) as 00000000000000000000000000000007:0
        waiting"#]],
    );
    check_events::<order>(
        history![],
        new(),
        expect![[r#"
        ExecutionStarted
        0 orchestration parcel(1) as 00000000000000000000000000000007:0"#]],
    );
}

#[test]
fn a_childs_result_starts_the_next_child() {
    check::<order>(
        history![ExecutionStarted("order", "null"); ChildCreated(0, "parcel", FIRST);],
        history![ChildCompleted(0, "1");],
        expect![[r#"
            start parcel (2) as second
            waiting"#]],
    );
}

#[test]
fn a_recorded_child_is_not_started_again() {
    check::<order>(
        history![
            ExecutionStarted("order", "null");
            ChildCreated(0, "parcel", FIRST);
            ChildCompleted(0, "1");
            ChildCreated(1, "parcel", "second");
        ],
        history![],
        expect!["nothing happens"],
    );
}

#[test]
fn a_failed_child_is_an_error_with_its_name() {
    check::<order>(
        history![ExecutionStarted("order", "null"); ChildCreated(0, "parcel", FIRST);],
        history![ChildFailed(0, "too heavy");],
        expect!["failed orchestration `parcel` failed: too heavy"],
    );
}

#[test]
fn a_child_instead_of_a_recorded_activity_suspends() {
    check::<order>(
        history![ExecutionStarted("order", "null"); TaskScheduled(0, "parcel");],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `order` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     activity `parcel`, requested at src/shop.rs:17
              this replay          requests orchestration `parcel`
              requested at         durable/src/engine/tests/children.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_activity_instead_of_a_recorded_child_suspends() {
    check::<parcel>(
        history![ExecutionStarted("parcel", "5"); ChildCreated(0, "weigh", FIRST);],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `parcel` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     orchestration `weigh`, requested at src/shop.rs:17
              this replay          requests activity `weigh`
              requested at         durable/src/engine/tests/children.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_child_other_than_the_recorded_one_suspends() {
    check::<order>(
        history![ExecutionStarted("order", "null"); ChildCreated(0, "letter", FIRST);],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `order` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     orchestration `letter`, requested at src/shop.rs:17
              this replay          requests orchestration `parcel`
              requested at         durable/src/engine/tests/children.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn an_awaited_child_instead_of_a_detached_one_suspends() {
    check::<order>(
        history![ExecutionStarted("order", "null"); DetachedCreated(0, "parcel", FIRST);],
        history![],
        expect![[r#"
            DURABLE0101: orchestration `order` (instance `order-17`) no longer does what its history recorded
              event 2 recorded     orchestration `parcel`, detached, requested at src/shop.rs:17
              this replay          requests orchestration `parcel`
              requested at         durable/src/engine/tests/children.rs:N
            the orchestrator was changed while this instance was running, or its code is not deterministic
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[test]
fn a_replay_uses_the_recorded_id_of_a_child() {
    let past = history![
        ExecutionStarted("order", "null");
        ChildCreated(0, "parcel", "another");
    ];
    let children = replayed::<order>(&past).unwrap().open_children();
    assert_eq!(children, [(0, crate::InstanceId::new("another").unwrap())]);
}

#[test]
fn strict_mode_compares_ids_and_inputs_of_children() {
    let history = |second, input| {
        history![
            ExecutionStarted("order", "null");
            ChildCreatedWith(0, "parcel", FIRST, "1");
            ChildCompleted(0, "1");
            ChildCreatedWith(1, "parcel", second, input);
        ]
    };
    check_verified::<order>(&history("second", "2"), expect!["the same"]);
    check_verified::<order>(
        &history("third", "2"),
        expect![[r#"
            DURABLE0104: orchestration `order` (instance `order-17`) behaves differently when it is replayed
              event 4 recorded     orchestration `parcel` with 2 as `third`, requested at src/shop.rs:17
              this replay          requests orchestration `parcel` with 2 as `second`
              requested at         durable/src/engine/tests/children.rs:N
            it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
    check_verified::<order>(
        &history("second", "3"),
        expect![[r#"
            DURABLE0104: orchestration `order` (instance `order-17`) behaves differently when it is replayed
              event 4 recorded     orchestration `parcel` with 3 as `second`, requested at src/shop.rs:17
              this replay          requests orchestration `parcel` with 2 as `second`
              requested at         durable/src/engine/tests/children.rs:N
            it was run twice on the same events and behaved differently, so it, or something that it calls, is not deterministic: a clock, a random number, the order of a `HashMap`, shared state
            the instance is suspended and keeps its history; it resumes when the code fits again"#]],
    );
}

#[orchestrator(crate = crate)]
async fn impatient(ctx: &OrchestrationContext) -> Result<u32> {
    match crate::race((parcel(1), weigh(2))).await {
        Race2::First(weight) | Race2::Second(weight) => Ok(weight?),
    }
}

#[test]
fn a_child_that_loses_a_race_is_terminated() {
    check::<impatient>(
        history![
            ExecutionStarted("impatient", "null");
            ChildCreated(0, "parcel", "child");
            TaskScheduled(1, "weigh");
        ],
        history![TaskCompleted(1, "2");],
        expect![[r#"
            terminate 0 child
            completed 2"#]],
    );
}

#[orchestrator(crate = crate)]
async fn then_waits(ctx: &OrchestrationContext) -> Result<u32> {
    drop(parcel(1).spawn());
    let lost = crate::race((parcel(1), weigh(2))).await;
    assert!(matches!(lost, Race2::Second(_)), "the activity is done first");
    Ok(weigh(3).await?)
}

#[test]
fn a_late_result_of_a_cancelled_child_is_ignored() {
    let past = history![
        ExecutionStarted("then_waits", "null");
        ChildCreated(1, "parcel", "child");
        TaskScheduled(2, "weigh");
        TaskCompleted(2, "2");
        TaskScheduled(3, "weigh");
    ];
    check::<then_waits>(
        past.clone(),
        history![ChildCompleted(1, "1");],
        expect!["nothing happens"],
    );
    check::<then_waits>(past, history![ChildFailed(1, "no");], expect!["nothing happens"]);
}

#[orchestrator(crate = crate)]
async fn tries_again(ctx: &OrchestrationContext) -> Result<u32> {
    let policy = RetryPolicy::new(3, Duration::from_secs(10));
    Ok(parcel(1).retry(policy).await?)
}

#[test]
fn a_retry_recorded_while_suspended_is_sent_out_on_resume() {
    let set_aside = |before: Vec<HistoryEvent>, event: Vec<HistoryEvent>| {
        let frame = history![ExecutionSuspended(); OrchestratorCompleted();];
        [before, history![OrchestratorStarted();], event, frame].concat()
    };
    check::<tries_again>(
        set_aside(
            history![ExecutionStarted("tries_again", "null"); ChildCreated(0, "parcel", FIRST);],
            history![TaskAttemptFailed(0, 1, 12);],
        ),
        history![ExecutionResumed();],
        expect![[r#"
            start parcel (1) as 00000000-0000-0000-0000-000000000007:0
            waiting"#]],
    );
    let lost = set_aside(
        history![
            ExecutionStarted("impatient", "null");
            ChildCreated(0, "parcel", "child");
            TaskScheduled(1, "weigh");
        ],
        history![TaskCompleted(1, "2");],
    );
    let terminated = expect![[r#"
        terminate 0 child
        completed 2"#]];
    check::<impatient>(lost, history![ExecutionResumed();], terminated);

    let failure = FailureDetails::new(FailureDetails::TIMEOUT, "it took too long");
    let timed_out = HistoryEvent::new(at(2), EventKind::child_result(0, Err(failure)));
    let late = set_aside(
        history![ExecutionStarted("order", "null"); ChildCreated(0, "parcel", FIRST);],
        vec![timed_out],
    );
    check::<order>(
        late,
        history![ExecutionResumed();],
        expect![[r#"
            terminate 0 00000000-0000-0000-0000-000000000007:0
            failed orchestration `parcel` failed: it took too long"#]],
    );
}

#[test]
fn a_duplicate_result_of_a_child_is_ignored() {
    check::<order>(
        history![
            ExecutionStarted("order", "null");
            ChildCreated(0, "parcel", FIRST);
            ChildCompleted(0, "1");
            ChildCreated(1, "parcel", "second");
        ],
        history![ChildCompleted(0, "7"); ChildCompleted(1, "2");],
        expect!["completed 3"],
    );
}

#[orchestrator(crate = crate)]
async fn starts(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let first = ctx.start(parcel(1))?;
    let second = ctx.start(parcel(2).instance_id("later").start_at(Duration::from_mins(1)))?;
    Ok(vec![first.to_string(), second.to_string()])
}

#[test]
fn a_detached_child_has_no_parent_and_is_not_awaited() {
    let new = || history![ExecutionStarted("starts", "null");];
    check::<starts>(
        history![],
        new(),
        expect![[r#"
        start parcel (1) as 00000000000000000000000000000007:0
        start parcel (2) as later
        completed ["00000000000000000000000000000007:0","later"]"#]],
    );
    check_events::<starts>(
        history![],
        new(),
        expect![[r#"
        ExecutionStarted
        0 orchestration parcel(1) as 00000000000000000000000000000007:0, detached
        1 orchestration parcel(2) as later, detached
        completed ["00000000000000000000000000000007:0","later"]"#]],
    );
    let episode = after::<starts>(history![], new()).unwrap().unwrap();
    for action in episode.actions {
        let Action::StartOrchestration { started, instance_id } = action else {
            panic!("{action:?}");
        };
        assert_eq!(started.parent, None);
        let later = instance_id.as_str() == "later";
        assert_eq!(started.scheduled_start.is_some(), later);
    }
}

#[test]
fn a_child_knows_its_parent() {
    let new = history![ExecutionStarted("order", "null");];
    let episode = after::<order>(history![], new).unwrap().unwrap();
    let [Action::StartOrchestration { started, .. }] = &episode.actions[..] else {
        panic!("{:?}", episode.actions);
    };
    let parent = started.parent.as_ref().unwrap();
    assert_eq!(parent.instance_id.as_str(), "order-17");
    assert_eq!((parent.name.as_str(), parent.task_scheduled_id), ("order", 0));
    assert_eq!(parent.execution_id, ExecutionId::from_u128(7));
    assert_eq!(started.execution_id, ExecutionId::of_child(ExecutionId::from_u128(7), 0, 1));
}

/// Returns a failure as an error-chain printer prints it.
#[orchestrator(crate = crate)]
async fn prints(ctx: &OrchestrationContext) -> Result<Vec<String>> {
    let failed = weigh(1).await.unwrap_err();
    let (mut texts, mut next) = (Vec::new(), Some(&failed as &dyn std::error::Error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    Ok(texts)
}

#[test]
fn replay_version_0_gives_the_failure_itself_as_source_of_a_failed_call() {
    for (version, expected) in [
        (0, expect![[r#"completed ["activity `weigh` failed: broken","broken"]"#]]),
        (1, expect![[r#"completed ["activity `weigh` failed: broken"]"#]]),
    ] {
        check::<prints>(
            history![ExecutionStartedUnder(version, "prints", "null"); TaskScheduled(0, "weigh");],
            history![TaskFailed(0, "broken");],
            expected,
        );
    }
}

/// Awaits a child with an option that applies to clients' starts only.
#[orchestrator(crate = crate)]
async fn replaces(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(parcel(1).replace_if([RuntimeStatus::Failed]).await?)
}

#[test]
fn replay_version_0_ignores_an_option_without_effect() {
    check::<replaces>(
        history![],
        history![ExecutionStartedUnder(0, "replaces", "null");],
        expect![[r#"
            start parcel (1) as 00000000000000000000000000000007:0
            waiting"#]],
    );
}
