//! Following the history of an instance, and reading it by page.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use durable::client::{FollowedEvent, HistoryPosition, HistoryStream, HubError};
use durable::prelude::*;
use durable::protocol::EventKind;
use durable::testing::TestHub;
use durable::{InstanceHandle, RuntimeStatus};

const MINUTE: Duration = Duration::from_mins(1);

#[activity]
async fn followed_step(n: u32) -> Result<u32> {
    Ok(n)
}

#[orchestrator]
async fn followed_steps(ctx: &OrchestrationContext, count: u32) -> Result<u32> {
    let mut sum = 0;
    for n in 0..count {
        sum += followed_step(n).await?;
    }
    Ok(sum)
}

/// Takes numbers until it gets 0.
#[orchestrator]
async fn followed_numbers(ctx: &OrchestrationContext) -> Result<u32> {
    let mut sum = 0;
    loop {
        match ctx.wait_for_external_event::<u32>("number").await? {
            0 => return Ok(sum),
            number => sum += number,
        }
    }
}

#[orchestrator]
async fn followed_ticks(ctx: &OrchestrationContext, count: u32) -> Result<()> {
    for _ in 0..count {
        ctx.create_timer(MINUTE).await;
    }
    Ok(())
}

#[orchestrator]
async fn followed_anew(ctx: &OrchestrationContext, left: u32) -> Result<()> {
    ctx.create_timer(MINUTE).await;
    if left == 0 {
        return Ok(());
    }
    ctx.continue_as_new(followed_anew(left - 1)).await
}

/// The services that are available, one for each test.
static MENDED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

#[activity]
async fn followed_service(service: &str) -> Result<u32> {
    if MENDED.lock().unwrap().contains(service) { Ok(7) } else { Err(Error::msg("broken")) }
}

#[orchestrator]
async fn followed_uses(ctx: &OrchestrationContext, service: String) -> Result<u32> {
    followed_step(1).await?;
    let (used, stepped) = durable::join((followed_service(&service), followed_step(2))).await;
    Ok(used? + stepped?)
}

/// The events are those of the current history of the instance, each once and in order.
#[track_caller]
fn is_whole(events: &[FollowedEvent], history: &[durable::protocol::HistoryEvent]) {
    let indices: Vec<u64> = events.iter().map(|followed| followed.index).collect();
    assert_eq!(indices, (0..history.len() as u64).collect::<Vec<_>>());
    for (followed, event) in events.iter().zip(history) {
        assert_eq!(followed.event, *event);
    }
}

/// The next events, up to and including the first that meets a condition.
async fn until(
    stream: &mut HistoryStream,
    is_wanted: impl Fn(&EventKind) -> bool,
) -> Result<Vec<FollowedEvent>> {
    let mut events = Vec::new();
    while let Some(followed) = stream.try_next().await? {
        events.push(followed.clone());
        if is_wanted(&followed.event.kind) {
            break;
        }
    }
    Ok(events)
}

fn is_number(kind: &EventKind) -> bool {
    matches!(kind, EventKind::EventRaised { name, .. } if name == "number")
}

#[tokio::test]
async fn a_follower_gets_what_is_recorded_then_what_is_committed_until_the_end() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers()).await?;
    run.raise_event("number", &1).await?;
    let mut stream = run.follow_history(0);
    let mut events = until(&mut stream, is_number).await?;
    assert_eq!(stream.last_status().unwrap().runtime_status, RuntimeStatus::Running);
    run.raise_event("number", &2).await?;
    events.extend(until(&mut stream, is_number).await?);
    run.raise_event("number", &0).await?;
    while let Some(followed) = stream.try_next().await? {
        events.push(followed);
    }
    is_whole(&events, &run.history().await?);
    assert_eq!(stream.try_next().await?, None, "it stays at its end");
    assert_eq!(stream.last_status(), Some(&run.status().await?));
    let all = run.follow_history(0).try_collect().await?;
    assert_eq!(all, events, "an instance that has ended is followed to its end");
    Ok(())
}

#[tokio::test]
async fn time_passes_while_a_follower_waits() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_ticks(5)).await?;
    let events = run.follow_history(0).try_collect().await?;
    is_whole(&events, &run.history().await?);
    Ok(())
}

#[tokio::test]
async fn following_continues_from_a_position() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_steps(5)).await?;
    let all = run.follow_history(0).try_collect().await?;
    for (index, followed) in all.iter().enumerate() {
        let rest = run.follow_history(index as u64).try_collect().await?;
        assert_eq!(rest, all[index..]);
        let position: HistoryPosition = followed.position().to_string().parse()?;
        assert_eq!(position.index(), index as u64 + 1);
        let rest = run.follow_history(position).try_collect().await?;
        assert_eq!(rest, all[index + 1..]);
    }
    let beyond = run.follow_history(all.len() as u64 + 9).try_collect().await?;
    assert_eq!(beyond, []);
    Ok(())
}

#[tokio::test]
async fn a_long_history_is_read_part_by_part() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_steps(400)).await?;
    run.result().await?;
    let history = run.history().await?;
    assert!(history.len() > 800, "{}", history.len());
    is_whole(&run.follow_history(0).try_collect().await?, &history);

    let (mut from, mut pages) = (0, Vec::new());
    loop {
        let page = run.history_page(from, 97).await?;
        assert_eq!((page.from, page.status.history_len), (from, history.len() as u64));
        pages.extend(page.events);
        let Some(next) = page.next else { break };
        assert_eq!(next, pages.len() as u64);
        from = next;
    }
    assert_eq!(pages, history);
    let beyond = run.history_page(u64::MAX, 97).await?;
    assert_eq!((beyond.events, beyond.next), (Vec::new(), None));
    assert_eq!(run.history_page(5, 0).await?.events, history[5..6]);

    let (mut until, mut pages) = (u64::MAX, Vec::new());
    while until > 0 {
        let page = run.history_page_before(until, 97).await?;
        assert!(page.events.len() <= 97);
        until = page.from;
        pages.push(page.events);
    }
    pages.reverse();
    assert_eq!(pages.concat(), history, "backwards");
    assert_eq!(run.history_page_before(0, 97).await?.events, []);
    assert_eq!(run.history_page_before(6, 0).await?.events, history[5..6]);
    Ok(())
}

#[tokio::test]
async fn a_pending_instance_is_followed_from_its_start() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_steps(2).start_at(hub.now() + MINUTE)).await?;
    let mut stream = run.follow_history(0);
    let first = stream.try_next().await?.unwrap();
    assert_eq!(stream.last_status().unwrap().runtime_status, RuntimeStatus::Pending);
    let mut events = vec![first];
    events.extend(stream.try_collect().await?);
    is_whole(&events, &run.history().await?);
    Ok(())
}

#[tokio::test]
async fn following_continues_through_a_suspension_and_a_crash() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers().instance_id("numbers")).await?;
    let mut stream = run.follow_history(0);
    run.suspend("the shop is closed").await?;
    let is_suspended = |kind: &EventKind| matches!(kind, EventKind::ExecutionSuspended { .. });
    let mut events = until(&mut stream, is_suspended).await?;

    let hub = hub.crash().await?;
    let error = loop {
        match stream.try_next().await {
            Ok(Some(followed)) => events.push(followed),
            Ok(None) => panic!("it has not ended"),
            Err(error) => break error,
        }
    };
    let position = events.last().unwrap().position();
    assert!(matches!(error, HubError::ShutDown), "{error}");
    assert_eq!(stream.try_next().await?, None, "a stream ends after an error");

    let run = hub.instance("numbers")?;
    let mut stream = run.follow_history(position);
    run.resume("the shop is open").await?;
    run.raise_event("number", &0).await?;
    while let Some(followed) = stream.try_next().await? {
        events.push(followed);
    }
    is_whole(&events, &run.history().await?);
    Ok(())
}

#[tokio::test]
async fn each_execution_begins_with_the_index_0() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_anew(3)).await?;
    let events = run.follow_history(0).try_collect().await?;
    let begins: Vec<_> = events.iter().filter(|it| it.index == 0).collect();
    assert_eq!(begins.len(), 4);
    let executions: BTreeSet<_> = begins.iter().map(|it| it.execution_id).collect();
    assert_eq!(executions.len(), 4);
    for pair in events.windows(2) {
        assert!(pair[1].index == 0 || pair[1].index == pair[0].index + 1);
    }
    let last = events.iter().rposition(|it| it.index == 0).unwrap();
    is_whole(&events[last..], &run.history().await?);
    Ok(())
}

#[tokio::test]
async fn a_position_in_an_earlier_execution_is_the_beginning_of_the_current_one() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers().instance_id("numbers")).await?;
    let mut stream = run.follow_history(0);
    let position = stream.try_next().await?.unwrap().position();
    run.terminate("once more").await?;
    run.restart().await?;
    run.raise_event("number", &0).await?;
    let events = run.follow_history(position).try_collect().await?;
    is_whole(&events, &run.history().await?);
    Ok(())
}

#[tokio::test]
async fn an_instance_that_takes_the_id_is_followed_next() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers().instance_id("numbers")).await?;
    let mut stream = run.follow_history(0);
    until(&mut stream, |kind| matches!(kind, EventKind::ExecutionStarted(_))).await?;
    let another = followed_steps(3).instance_id("numbers").replace_if([RuntimeStatus::Running]);
    let another = hub.start(another).await?;
    another.result().await?;
    let mut events = stream.try_collect().await?;
    let begins = events.iter().rposition(|it| it.index == 0).unwrap();
    is_whole(&events.split_off(begins), &another.history().await?);
    Ok(())
}

#[tokio::test]
async fn a_rewound_history_is_returned_again_if_a_returned_event_was_removed() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_uses("rewound".to_owned())).await?;
    run.wait_for_completion().await?;
    let failed = run.follow_history(0).try_collect().await?;
    let is_failure = |it: &FollowedEvent| matches!(it.event.kind, EventKind::TaskFailed { .. });
    let failure = failed.iter().position(is_failure).unwrap();
    MENDED.lock().unwrap().insert("rewound".to_owned());
    run.rewind("the service works").await?;
    run.result().await?;
    let history = run.history().await?;

    let before = run.follow_history(failed[failure - 1].position()).try_collect().await?;
    is_whole(&[&failed[..failure], &before].concat(), &history);
    for behind in &failed[failure..] {
        is_whole(&run.follow_history(behind.position()).try_collect().await?, &history);
    }
    Ok(())
}

#[tokio::test]
async fn a_follower_is_notified_when_its_instance_is_purged() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers()).await?;
    let mut stream = run.follow_history(0);
    stream.try_next().await?;
    run.terminate("it is late").await?;
    run.purge().await?;
    let error = stream.try_collect().await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchInstance(_)), "{error}");
    let error = hub.instance("nobody")?.follow_history(0).try_next().await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchInstance(_)), "{error}");
    let error = hub.instance("nobody")?.history_page(0, 1).await.unwrap_err();
    assert!(matches!(error, HubError::NoSuchInstance(_)), "{error}");
    Ok(())
}

#[tokio::test]
async fn a_waiting_follower_is_notified_when_the_hub_stops() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(followed_numbers()).await?;
    let mut stream = run.follow_history(run.status().await?.history_len);
    let waiting = tokio::spawn(async move { stream.try_next().await });
    hub.settle().await;
    hub.shutdown().await?;
    let error = waiting.await?.unwrap_err();
    assert!(matches!(error, HubError::ShutDown), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_evicted_instance_is_followed() -> Result<()> {
    let hub =
        TestHub::builder().configure(|hub| hub.partitions(1).live_instances(0)).open().await?;
    let run = hub.start(followed_numbers()).await?;
    let mut stream = run.follow_history(0);
    stream.try_next().await?;
    for _ in 0..20 {
        hub.start(followed_steps(1)).await?.result().await?;
    }
    run.raise_event("number", &0).await?;
    let rest = stream.try_collect().await?;
    assert_eq!(rest.last().unwrap().index + 1, run.status().await?.history_len);
    Ok(())
}

/// Numbers that look random and are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit.max(1)
    }
}

/// Follows from the beginning, and occasionally continues at the last position with a new stream.
async fn follows_with_breaks(run: InstanceHandle, seed: u64) -> Result<Vec<FollowedEvent>> {
    let mut numbers = Numbers(seed * 2 + 1);
    let mut events: Vec<FollowedEvent> = Vec::new();
    let mut stream = run.follow_history(0);
    loop {
        for _ in 0..numbers.below(4) {
            tokio::task::yield_now().await;
        }
        if numbers.below(5) == 0 {
            let last = events.last().map(FollowedEvent::position);
            stream = run.follow_history(last.unwrap_or_default());
        }
        match stream.try_next().await? {
            Some(followed) => events.push(followed),
            None => return Ok(events),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_that_come_between_two_commits_miss_and_repeat_nothing() -> Result<()> {
    for seed in 0..12 {
        let mut numbers = Numbers(seed * 2 + 1);
        let hub = TestHub::open().await?;
        let run = hub.start(followed_numbers()).await?;
        let mut followers = Vec::new();
        for number in (0..40).rev() {
            if numbers.below(3) == 0 {
                let run = (*run).clone();
                followers.push(tokio::spawn(follows_with_breaks(run, seed * 100 + number)));
            }
            for _ in 0..numbers.below(3) {
                tokio::task::yield_now().await;
            }
            run.raise_event("number", &number).await?;
        }
        let history = {
            run.result().await?;
            run.history().await?
        };
        for follower in followers {
            is_whole(&follower.await??, &history);
        }
    }
    Ok(())
}
