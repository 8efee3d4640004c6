//! The point of the contract about the content of records, events and messages.

use super::StoreUnderTest;
use super::scene::{Group, Instance, Scene, instance_id, json, micros, text};
use crate::protocol::{
    EventKind, ExecutionId, ExecutionStarted, FailureDetails, HistoryEvent, Json, MessageId,
    ParentInstance, RuntimeStatus, Suspension, Tags, TaskMessage, Timestamp, TraceContext,
};
use crate::store::EpisodeWrite;

/// A text with characters that databases and encodings often get wrong.
const ODD: &str =
    "\0 \u{1} \n \u{7f} ' \" \\ % _ \u{e4} a\u{308} \u{202e} \u{fdfd} \u{1f980} \u{10ffff} ";

/// Point 12: ids, times, counts and all other values are read exactly as they were written.
///
/// # Panics
/// If the store violates the point.
pub fn the_store_makes_nothing_up(under_test: &dyn StoreUnderTest) {
    let scene = Scene::open(under_test);
    let owner = scene.claim(90);
    let instances = instances();
    let messages = messages();
    let group = instances
        .iter()
        .fold(Group::by(&[owner]), |group, (_, episode)| group.episode(episode.clone()));
    scene.commit(&messages.iter().fold(group, |group, message| group.send(90, message)));
    let unchanged = |scene: &Scene<'_>| {
        for (instance, _) in &instances {
            scene.holds(instance);
        }
        scene.holds_messages(90, &messages);
    };
    unchanged(&scene);
    let scene = scene.crash();
    unchanged(&scene);
    scene.claim(90);
    unchanged(&scene);
}

/// Times that a clock could return, to the microsecond, out of order.
fn times() -> [Timestamp; 6] {
    let first_of_year_1 = -62_135_596_800_000_000;
    let last_of_year_9999 = 253_402_300_799_999_999;
    [1, last_of_year_9999, 0, -1, first_of_year_1, 1_700_000_000_123_457].map(micros)
}

/// Instances with one episode each, whose records are as different as possible.
fn instances() -> Vec<(Instance, EpisodeWrite)> {
    let names = ["checkout", "", ODD, "a::b::c", "x", "7"];
    let versions = [None, Some(""), Some(ODD), Some("null"), Some("1.0"), Some("7")];
    let executions = [0, 1, u128::MAX, 1 << 127, 0x0123_4567_89ab_cdef, 1 << 64];
    let suspensions = [None, Some(""), Some(ODD), Some("null"), None, Some("DURABLE0101")];
    let later = times().into_iter().rev();
    let mut instances = Vec::new();
    for (index, (created_at, updated_at)) in times().into_iter().zip(later).enumerate() {
        let mut instance = Instance::new(90, &format!("{index} \u{e4}\u{1f980}"));
        let version = versions[index].map(str::to_owned);
        names[index].clone_into(&mut instance.record.name);
        instance.record.version = version;
        instance.record.execution_id = ExecutionId::from_u128(executions[index]);
        instance.record.created_at = created_at;
        instance.record.suspension = suspensions[index]
            .map(|reason| Suspension { code: Some(reason.to_owned()), reason: reason.to_owned() });
        instance.record.tags = tags();
        instance.record.parent = (index % 2 == 0).then(|| parent(executions[index]));
        instance.record.custom_status.clone_from(&values()[index]);
        instance.record.next_due = (index % 2 == 1).then_some(created_at);
        let status = instance.record.runtime_status;
        let mut episode = instance.episode(status, events(executions[index]));
        instance.record.last_updated_at = updated_at;
        episode.record.last_updated_at = updated_at;
        instances.push((instance, episode));
    }
    instances
}

/// Every kind of event, with the extremes of every range; times and ids neither grow nor differ.
fn events(execution: u128) -> Vec<HistoryEvent> {
    let mut kinds = vec![
        EventKind::OrchestratorStarted,
        EventKind::OrchestratorCompleted,
        EventKind::ExecutionSuspended { reason: String::new() },
        EventKind::ExecutionResumed { reason: ODD.to_owned() },
        EventKind::task_result(i32::MIN, Err(failure())),
        EventKind::task_ended(0, Err(failure()), Some((u32::MAX, micros(-1)))),
    ];
    for code_hash in [0, 1 << 53 | 1, 1 << 63, u64::MAX].map(Some).into_iter().chain([None]) {
        let (version, id) = (Some(ODD.to_owned()), ExecutionId::from_u128(execution));
        let mut started = ExecutionStarted::new(ODD, version, text(ODD), id);
        started.code_hash = code_hash;
        if code_hash.is_some_and(|hash| hash > 1) {
            started.parent = Some(parent(execution));
            started.scheduled_start = Some(micros(-1));
            started.tags = tags();
            let (traceparent, tracestate) = (ODD.to_owned(), Some(String::new()));
            started.trace_context = Some(TraceContext { traceparent, tracestate });
            started.properties = tags();
            started.generation = u64::MAX;
        }
        kinds.push(started.into());
    }
    kinds.extend(newer_kinds());
    for result in values() {
        for status in [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated] {
            let (result, failure) = (result.clone(), None);
            kinds.push(EventKind::ExecutionCompleted { status, result, failure });
        }
        let input = result.unwrap_or_else(Json::null);
        let result = input.clone();
        let (name, source) = (String::new(), Some("src/checkout.rs:41".to_owned()));
        let tags = if input == Json::null() { tags() } else { Tags::new() };
        kinds.push(EventKind::TaskScheduled { name, version: None, input, source, tags });
        kinds.push(EventKind::task_result(i32::MAX, Ok(result.clone())));
        kinds.push(EventKind::task_ended(0, Ok(result), Some((1, micros(0)))));
    }
    let ids = [i32::MIN, -2, -1, 0, 1, 127, 128, 255, 256, 65_535, 65_536, i32::MAX, 0];
    let places = ids.into_iter().cycle().zip(times().into_iter().cycle());
    let event = |(kind, (id, time))| HistoryEvent::action(id, time, kind);
    kinds.into_iter().zip(places).map(event).collect()
}

/// Kinds of events for timers, other instances, retries, and operations of clients.
fn newer_kinds() -> Vec<EventKind> {
    let (instance_id, name, reason) = (instance_id("\u{1f980}"), ODD.to_owned(), ODD.to_owned());
    let (fire_at, task_scheduled_id) = (micros(-62_135_596_800_000_000), i32::MIN);
    let (result, input, source) = (text(ODD), text(ODD), Some(ODD.to_owned()));
    let mut kinds = vec![
        EventKind::ExecutionTerminated { reason: reason.clone(), recurse: true },
        EventKind::ExecutionRewound { reason, start: None },
        EventKind::TaskAttemptFailed {
            task_scheduled_id,
            attempt: u32::MAX,
            failure: failure(),
            retry_at: micros(1),
            began: Some(micros(i64::from(u32::MAX))),
        },
        EventKind::SubOrchestrationInstanceCompleted { task_scheduled_id, result },
        EventKind::SubOrchestrationInstanceFailed { task_scheduled_id, failure: failure() },
        EventKind::TimerCreated { fire_at, source: source.clone() },
        EventKind::TimerFired { timer_id: -1, fire_at },
        EventKind::EventRaised { name: name.clone(), input: input.clone() },
        EventKind::EventSent {
            instance_id: instance_id.clone(),
            name: name.clone(),
            input: input.clone(),
            source: source.clone(),
        },
        EventKind::GenericEvent { data: name.clone() },
    ];
    kinds.extend([true, false].map(|detached| EventKind::SubOrchestrationInstanceCreated {
        instance_id: instance_id.clone(),
        name: name.clone(),
        version: detached.then(|| name.clone()),
        input: input.clone(),
        source: source.clone(),
        detached,
        tags: tags(),
    }));
    kinds
}

fn tags() -> Tags {
    let tags = [("", ODD), (ODD, ""), ("b", "1"), ("a", "2"), ("B", "null")];
    tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn parent(execution: u128) -> ParentInstance {
    ParentInstance {
        instance_id: instance_id("the parent"),
        execution_id: ExecutionId::from_u128(execution),
        name: ODD.to_owned(),
        version: Some(String::new()),
        task_scheduled_id: i32::MAX,
    }
}

/// Values that must not be normalized: order, repetition, spaces, digits and escapes.
fn values() -> Vec<Option<Json>> {
    let texts = [
        "null",
        "\"null\"",
        "\"\"",
        " [1 ,\n2]\t",
        r#"{"b":1,"a":2,"a":3}"#,
        "[1.0,1,1e0,-0,-0.0,1e400,123456789012345678901234567890]",
        r#""\u0000 \u00e4 \ud83e\udd80 \/""#,
    ];
    texts.into_iter().map(|text| Some(json(text))).chain([None, Some(text(ODD))]).collect()
}

/// A failure with a hundred causes below it.
fn failure() -> FailureDetails {
    (0..100).fold(FailureDetails::new("", ODD), |cause, depth| {
        let mut failure = FailureDetails::new(ODD, format!("{depth}")).caused_by(cause);
        failure.non_retriable = depth % 3 == 0;
        failure.value = (depth % 2 == 0).then(Json::null);
        failure
    })
}

/// Messages with extreme ids, to instances that may not exist.
fn messages() -> Vec<TaskMessage> {
    let ids = [5, u128::MAX, 0, 1 << 127, 1, (1 << 64) - 1];
    let kinds = events(7).into_iter().map(|event| event.kind);
    let odd = ["order-17", " ", "~!$%^&*()", "\u{10ffff}", "\u{e4}", "a\u{308}"].map(instance_id);
    let whom = odd.into_iter().cycle();
    let message = |(id, (instance_id, event))| TaskMessage {
        id: MessageId::from_u128(id),
        instance_id,
        execution_id: (id % 2 == 0).then(|| ExecutionId::from_u128(id)),
        from: (id % 3 == 0).then(|| Box::new(parent(id))),
        event,
    };
    ids.into_iter().zip(whom.zip(kinds.skip(4))).map(message).collect()
}
