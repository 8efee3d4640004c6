//! A replay compares the target of a request, in executions that began with release 0.2 or later.

use expect_test::{Expect, expect};

use super::{event, history, json, replayed, without_lines};
use crate::definition::Definition;
use crate::engine::Action;
use crate::protocol::{EntityId, EventKind, HistoryEvent};
use crate::{OrchestrationContext, Result, orchestrator};

#[orchestrator(crate = crate)]
async fn child(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(1)
}

#[orchestrator(crate = crate)]
async fn calls_child(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(child().instance_id("ours").await?)
}

#[orchestrator(crate = crate)]
async fn sends(ctx: &OrchestrationContext) -> Result<u32> {
    ctx.send_event("ours", "go", &())?;
    Ok(child().await?)
}

#[orchestrator(crate = crate)]
async fn calls_entity(ctx: &OrchestrationContext) -> Result<u32> {
    Ok(EntityId::new("counter", "ours")?.handle().operation("get", &()).await?)
}

fn entity_called(key: &str) -> (i32, EventKind) {
    let kind = EventKind::EntityOperationCalled {
        entity_id: EntityId::new("counter", key).unwrap(),
        operation: "get".to_owned(),
        input: json("null"),
        source: None,
        critical_section: None,
    };
    (0, kind)
}

/// A history in which the orchestrator has made this request.
fn asked<O: Definition>(requested: (i32, EventKind), replay_version: u8) -> Vec<HistoryEvent> {
    let mut past = history![ExecutionStarted(O::ENTRY.name, "null");];
    if let EventKind::ExecutionStarted(started) = &mut past[0].kind {
        started.replay_version = replay_version;
    }
    past.extend(super::numbered(vec![requested]));
    past
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "so that it can be written in place")]
fn check<O: Definition>(ours: (i32, EventKind), other: (i32, EventKind), expected: Expect) {
    replayed::<O>(&asked::<O>(ours, 1)).unwrap();
    replayed::<O>(&asked::<O>(other.clone(), 0)).expect("release 0.1 did not compare targets");
    let report = replayed::<O>(&asked::<O>(other, 1)).err().expect("it does not fit").reason;
    let differs: Vec<_> = report.lines().skip(1).take(2).map(str::trim_start).collect();
    expected.assert_eq(&without_lines(&differs.join("\n")));
}

#[test]
fn a_replay_compares_the_explicit_id_of_a_child() {
    check::<calls_child>(
        event::ChildCreated(0, "child", "ours"),
        event::ChildCreated(0, "child", "another"),
        expect![[r#"
              event 2 recorded     orchestration `child` as `another`, requested at src/shop.rs:17
              this replay          requests orchestration `child` as `ours`"#]],
    );
}

#[test]
fn a_replay_compares_the_recipient_of_an_event() {
    check::<sends>(
        event::EventSent(0, "ours", "go", "null"),
        event::EventSent(0, "another", "go", "null"),
        expect![[r#"
              event 2 recorded     event `go` to `another`, requested at src/shop.rs:17
              this replay          requests event `go` to `ours`"#]],
    );
}

#[test]
fn a_replay_compares_the_entity_of_a_call() {
    check::<calls_entity>(
        entity_called("ours"),
        entity_called("another"),
        expect![[r#"
          event 2 recorded     a call of `get` of entity `@counter@another`
          this replay          requests a call of `get` of entity `@counter@ours`"#]],
    );
}

#[test]
fn a_call_that_is_sent_again_goes_to_the_recorded_entity() {
    let execution = replayed::<calls_entity>(&asked::<calls_entity>(entity_called("old"), 0));
    let calls = execution.unwrap().open_calls();
    let [Action::CallEntity { asked, .. }] = &calls[..] else { panic!("{calls:?}") };
    assert_eq!(asked.entity_id, EntityId::new("counter", "old").unwrap());
}
