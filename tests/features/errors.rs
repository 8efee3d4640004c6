//! Errors of users, on their way through retries, histories and other libraries.

use std::error::Error as StdError;
use std::time::Duration;

use durable::client::{EntityError, ResultError};
use durable::error::NonRetriable;
use durable::prelude::*;
use durable::protocol::{EventKind, FailureDetails, HistoryEvent};
use durable::testing::TestHub;
use serde::{Deserialize, Serialize};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
enum PaymentError {
    #[error("declined: {0}")]
    Declined(String),
    #[error("the bank does not answer")]
    Unavailable,
}

impl NonRetriable for PaymentError {
    fn is_non_retriable(&self) -> bool {
        matches!(self, Self::Declined(_))
    }
}

/// Never retried, whatever its value is.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("sold out")]
struct SoldOut;

impl NonRetriable for SoldOut {}

/// Does not implement `NonRetriable`.
#[derive(Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("out of order: {part}")]
struct OutOfOrder {
    part: String,
}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "1s"))]
async fn pay_by_card(card: &str) -> Result<(), PaymentError> {
    match card {
        "stolen" => Err(PaymentError::Declined("stolen".to_owned())),
        _ => Err(PaymentError::Unavailable),
    }
}

#[activity(retry(max_number_of_attempts = 3, first_retry_interval = "1s"))]
fn reserve() -> Result<(), SoldOut> {
    Err(SoldOut)
}

#[activity]
async fn print(part: String) -> Result<(), OutOfOrder> {
    Err(OutOfOrder { part })
}

#[orchestrator]
async fn pay(ctx: &OrchestrationContext, card: String) -> Result<(), PaymentError> {
    pay_by_card(&card).await.map_err(|failed| {
        failed.into_error_or_else(|details| PaymentError::Declined(details.message))
    })
}

#[orchestrator]
async fn pay_by_child(ctx: &OrchestrationContext, card: String) -> Result<()> {
    Ok(pay(card).instance_id("payment").retry(RetryPolicy::new(2, SECOND)).await?)
}

#[orchestrator]
async fn reserves(ctx: &OrchestrationContext) -> Result<()> {
    Ok(reserve().await?)
}

#[orchestrator]
async fn prints(ctx: &OrchestrationContext, part: String) -> Result<()> {
    Ok(print(part).await?)
}

/// Retries if the error behind that of the child is temporary.
#[orchestrator]
async fn prints_again(ctx: &OrchestrationContext, part: String) -> Result<()> {
    let policy = RetryPolicy::new(4, SECOND).handle(|retry| {
        let error: Option<OutOfOrder> = retry.error();
        assert!(retry.error::<PaymentError>().is_none(), "it is of another type");
        error.is_some_and(|error| error.part == "paper")
    });
    Ok(prints(part).instance_id("printer").retry(policy).await?)
}

#[derive(Default, Serialize, Deserialize)]
struct CardReader;

#[entity]
impl CardReader {
    fn pay(&mut self, card: &str) -> Result<(), PaymentError> {
        match card {
            "stolen" => Err(PaymentError::Declined("stolen".to_owned())),
            _ => Err(PaymentError::Unavailable),
        }
    }
}

#[orchestrator]
async fn is_hopeless(ctx: &OrchestrationContext, card: String) -> Result<bool> {
    let failed = CardReader::at("ada").pay(&card).await.unwrap_err();
    Ok(failed.details().non_retriable)
}

fn retries(history: &[HistoryEvent]) -> usize {
    let is_retry =
        |event: &&HistoryEvent| matches!(event.kind, EventKind::TaskAttemptFailed { .. });
    history.iter().filter(is_retry).count()
}

fn failure<T: std::fmt::Debug, E>(result: Result<T, ResultError<E>>) -> FailureDetails
where
    E: std::fmt::Debug,
{
    match result.unwrap_err() {
        ResultError::Failed(failed) => failed.details().clone(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_error_type_decides_which_of_its_values_are_not_retried() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(pay("stolen".into())).await?;
    let failed = failure(run.result().await);
    assert!(failed.non_retriable, "{failed:?}");
    assert_eq!(failed.error(), Some(PaymentError::Declined("stolen".into())));
    assert_eq!(retries(&run.history().await?), 0);

    let run = hub.start(pay("ok".into())).await?;
    let failed = failure(run.result().await);
    assert!(!failed.non_retriable, "{failed:?}");
    assert_eq!(retries(&run.history().await?), 2);
    Ok(())
}

#[tokio::test]
async fn an_error_type_that_is_non_retriable_as_a_whole_is_not_retried() -> Result<()> {
    let hub = TestHub::open().await?;
    let run = hub.start(reserves()).await?;
    run.result().await.unwrap_err();
    assert_eq!(retries(&run.history().await?), 0);
    Ok(())
}

#[tokio::test]
async fn the_error_of_a_child_decides_whether_the_child_is_retried() -> Result<()> {
    let hub = TestHub::open().await?;
    for (card, expected) in [("stolen", 0), ("ok", 1)] {
        let run = hub.start(pay_by_child(card.into())).await?;
        run.result().await.unwrap_err();
        assert_eq!(retries(&run.history().await?), expected, "{card}");
    }
    Ok(())
}

#[tokio::test]
async fn non_retriability_is_recorded_with_the_error() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.start(pay("stolen".into()).instance_id("order")).await?.result().await.unwrap_err();
    let hub = hub.crash().await?;
    let run = hub.find_instance::<pay>("order").await?.expect("it is kept");
    let history = run.history().await?;
    let recorded = history.iter().find_map(|event| match &event.kind {
        EventKind::TaskFailed { failure, .. } => Some(failure),
        _ => None,
    });
    assert!(recorded.is_some_and(|failure| failure.non_retriable), "{history:?}");
    assert!(failure(run.result().await).non_retriable);
    Ok(())
}

#[tokio::test]
async fn a_mock_may_fail_with_a_non_retriable_error() -> Result<()> {
    let hub = TestHub::builder()
        .mock::<pay_by_card>(|card| Err(PaymentError::Declined(card)))
        .open()
        .await?;
    let run = hub.start(pay("any".into())).await?;
    run.result().await.unwrap_err();
    assert_eq!(hub.calls::<pay_by_card>(), ["any"]);
    Ok(())
}

#[tokio::test]
async fn the_error_of_an_operation_tells_whether_it_is_retriable() -> Result<()> {
    let hub = TestHub::open().await?;
    assert!(hub.start(is_hopeless("stolen".into())).await?.result().await?);
    assert!(!hub.start(is_hopeless("ok".into())).await?.result().await?);
    let called = hub.call_entity(CardReader::at("bob").pay("stolen")).await;
    let Err(EntityError::Failed(failed)) = called else { panic!("it fails") };
    assert!(failed.details().non_retriable);
    assert_eq!(failed.error(), Some(&PaymentError::Declined("stolen".into())));
    Ok(())
}

#[tokio::test]
async fn a_retry_decision_sees_the_error_behind_that_of_a_child() -> Result<()> {
    let hub = TestHub::open().await?;
    for (part, expected) in [("paper", 3), ("engine", 0)] {
        let run = hub.start(prints_again(part.into())).await?;
        let failed = failure(run.result().await);
        assert_eq!(failed.error(), Some(OutOfOrder { part: part.into() }));
        assert!(failed.is_caused_by::<OutOfOrder>());
        assert_eq!(retries(&run.history().await?), expected, "{part}");
    }
    Ok(())
}

#[tokio::test]
async fn recorded_types_of_errors_have_their_public_names() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = failure(hub.start(prints("ink".into())).await?.result().await);
    let types: Vec<_> = failed.chain().map(|failure| failure.error_type.as_str()).collect();
    let own = std::any::type_name::<OutOfOrder>();
    assert_eq!(types, [format!("durable::TaskFailed<{own}>").as_str(), own]);
    Ok(())
}

// ---- Other libraries of errors.

#[orchestrator]
async fn progress(ctx: &OrchestrationContext) -> Result<u32> {
    ctx.set_custom_status(&"half")?;
    Ok(7)
}

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error(transparent)]
    Durable(#[from] durable::Error),
    #[error("no progress")]
    NoProgress,
}

/// The operations of a client; every `?` converts.
macro_rules! client {
    ($hub:expr) => {{
        let hub = $hub;
        let run = hub.start(progress().instance_id("run")).await?;
        assert_eq!(run.result().await?, 7);
        assert_eq!(run.custom_status::<String>().await?.as_deref(), Some("half"));
        hub.instance("run")?.purge().await?;
        hub.signal_entity(CardReader::at("ada").pay("ok")).await?;
        assert!(hub.entity_state::<CardReader>("bob").await?.is_none());
        assert!(
            hub.stream(durable::schedule::ScheduleQuery::new()).try_collect().await?.is_empty()
        );
        hub.shutdown().await?;
    }};
}

#[tokio::test]
async fn every_error_of_a_client_fits_into_anyhow() -> anyhow::Result<()> {
    client!(TaskHub::builder().in_memory().open().await?);
    Ok(())
}

#[tokio::test]
async fn every_error_of_a_client_fits_into_eyre() -> eyre::Result<()> {
    client!(TaskHub::builder().in_memory().open().await?);
    Ok(())
}

#[tokio::test]
async fn every_error_of_a_client_fits_into_a_box() -> Result<(), Box<dyn StdError>> {
    client!(TaskHub::builder().in_memory().open().await?);
    Ok(())
}

#[tokio::test]
async fn every_error_of_a_client_fits_into_an_error_of_durable() -> Result<()> {
    client!(TaskHub::builder().in_memory().open().await?);
    Ok(())
}

#[tokio::test]
async fn an_error_of_durable_is_a_source_of_ones_own() -> Result<(), AppError> {
    async fn looks(hub: &TaskHub) -> Result<(), AppError> {
        let run = hub.start(progress()).await.map_err(Error::from)?;
        run.result().await.map_err(Error::from)?;
        Err(AppError::NoProgress)
    }
    let hub = TaskHub::builder().in_memory().open().await.map_err(Error::from)?;
    assert!(matches!(looks(&hub).await, Err(AppError::NoProgress)));
    hub.shutdown().await.map_err(Error::from)?;
    Ok(())
}

#[test]
fn an_error_of_another_library_keeps_its_causes() {
    let io = std::io::Error::other("the disk is gone");
    let report = anyhow::Error::from(io).context("cannot save").context("cannot sell");
    let error = Error::from_boxed(report);
    let messages: Vec<_> = error.details().chain().map(|cause| cause.message.as_str()).collect();
    assert_eq!(messages, ["cannot sell", "cannot save", "the disk is gone"]);
    assert_eq!(error.details().error_type, "anyhow::Error");

    let report = eyre::Report::msg("the disk is gone").wrap_err("cannot save");
    let error = Error::from_boxed(report);
    assert_eq!(format!("{error:?}"), "cannot save\n  caused by: the disk is gone");
    assert_eq!(Error::from_boxed("only text").to_string(), "only text");
}

#[test]
fn an_error_goes_through_a_box_and_comes_back_as_it_was() {
    let error = Error::msg("never").non_retriable();
    let boxed: Box<dyn StdError + Send + Sync> = error.clone().into();
    assert_eq!(Error::from_boxed(boxed), error);
    let boxed: Box<dyn StdError + Send + Sync> = Box::new(error.details().clone());
    assert_eq!(Error::from_boxed(boxed), error);
}

#[test]
fn anyhow_shows_each_cause_of_an_error_once() {
    let error = Error::from_boxed(anyhow::anyhow!("the disk is gone").context("cannot save"));
    let shown = format!("{:#}", anyhow::Error::from(error));
    assert_eq!(shown, "cannot save: the disk is gone");
}

#[activity]
async fn calls_another_library() -> Result<()> {
    let failed: anyhow::Result<()> = Err(anyhow::anyhow!("gone").context("cannot save"));
    failed.map_err(Error::from_boxed)?;
    Ok(())
}

#[orchestrator]
async fn saves(ctx: &OrchestrationContext) -> Result<()> {
    Ok(calls_another_library().await?)
}

#[tokio::test]
async fn an_activity_fails_with_an_error_of_another_library() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = failure(hub.start(saves()).await?.result().await);
    let messages: Vec<_> = failed.chain().map(|cause| cause.message.as_str()).collect();
    let expected = ["activity `calls_another_library` failed: cannot save", "cannot save", "gone"];
    assert_eq!(messages, expected);
    Ok(())
}

#[activity]
async fn declines(text: &str) -> Result<(), PaymentError> {
    Err(PaymentError::Declined(text.to_owned()))
}

#[orchestrator]
async fn levels(ctx: &OrchestrationContext, more: u32, text: String) -> Result<()> {
    match more {
        0 => declines(&text).await?,
        1 => calls_another_library().await?,
        _ => levels(more - 2, text).await?,
    }
    Ok(())
}

/// The texts of an error and of its sources.
fn texts(error: &dyn StdError) -> Vec<String> {
    let (mut texts, mut next) = (Vec::new(), Some(error));
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    texts
}

#[tokio::test]
async fn a_chain_of_errors_repeats_no_text() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = hub.start(levels(4, "no card".into())).await?.result().await.unwrap_err();
    let twice = "orchestration `levels` failed: orchestration `levels` failed";
    let text = format!(
        "orchestration `levels` failed: {twice}: activity `declines` failed: declined: no card"
    );
    assert_eq!(texts(&failed), [text.as_str()]);
    let ResultError::Failed(task) = &failed else { panic!("{failed}") };
    let declined = task.details().error::<PaymentError>();
    assert_eq!(declined, Some(PaymentError::Declined("no card".into())));
    assert_eq!(task.details().chain().count(), 4, "every link is recorded");
    assert_eq!(format!("{:#}", anyhow::Error::from(failed)), text);

    let failed = hub.start(levels(3, String::new())).await?.result().await.unwrap_err();
    let text = format!("{twice}: activity `calls_another_library` failed: cannot save");
    assert_eq!(texts(&failed), [text.as_str(), "gone"]);
    let recorded = Error::from_boxed(anyhow::Error::from(failed).context("no order"));
    assert_eq!(texts(&recorded), ["no order", text.as_str(), "gone"]);
    let messages: Vec<_> = recorded.details().chain().map(|link| &*link.message).collect();
    assert_eq!(messages.len(), 6, "{messages:?}");
    Ok(())
}

#[tokio::test]
async fn a_chain_of_errors_has_the_whole_text_of_a_long_failure() -> Result<()> {
    let hub = TestHub::open().await?;
    for depth in [0, 2, 20, 60] {
        let long = format!("{}middle{}", "a".repeat(1000), "z".repeat(1000));
        let failed = hub.start(levels(depth, long.clone())).await?.result().await.unwrap_err();
        let texts = texts(&failed);
        assert_eq!(texts.iter().filter(|text| text.contains(&long)).count(), 1, "{texts:?}");
        let pairs = texts.iter().zip(texts.iter().skip(1));
        for (text, cause) in pairs {
            assert!(!text.contains(cause), "`{text}` contains its source, `{cause}`");
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum OwnError {
    #[error(transparent)]
    Durable(#[from] Error),
}

fn fails_with_an_error_of_its_own() -> Result<(), OwnError> {
    Err(Error::msg("nothing works"))?;
    Ok(())
}

async fn main_with_anyhow() -> anyhow::Result<()> {
    let hub = TestHub::open().await?;
    hub.start(saves()).await?;
    hub.shutdown().await?;
    let hub = TaskHub::builder().in_memory().open().await?;
    hub.shutdown().await?;
    fails_with_an_error_of_its_own()?;
    Ok(())
}

#[tokio::test]
async fn errors_pass_through_an_error_of_the_users_and_through_anyhow() {
    let failed = main_with_anyhow().await.unwrap_err();
    assert_eq!(failed.to_string(), "nothing works");
    let Some(OwnError::Durable(failed)) = failed.downcast_ref() else { panic!("{failed:?}") };
    assert_eq!(failed, &Error::msg("nothing works"));
}
