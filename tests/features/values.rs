//! Values that JSON cannot represent are an error where they are created; all others survive a
//! round trip.

use std::error::Error as _;
use std::time::Duration;

use durable::client::{EntityError, ManageError, ResultError, StartError};
use durable::prelude::*;
use durable::protocol::FailureDetails;
use durable::testing::TestHub;
use serde::{Deserialize, Deserializer, Serialize};

#[activity]
async fn ratio(dividend: f64, divisor: f64) -> f64 {
    dividend / divisor
}

/// A list of boxes.
#[derive(Serialize, Deserialize)]
struct List {
    next: Option<Box<List>>,
}

fn list(length: u32) -> List {
    (1..length).fold(List { next: None }, |next, _| List { next: Some(Box::new(next)) })
}

#[activity]
fn lists(length: u32) -> List {
    list(length)
}

/// It cannot read what it has written.
#[derive(Serialize)]
struct OneWay(u32);

impl<'de> Deserialize<'de> for OneWay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

#[activity(retry(max_number_of_attempts = 5, first_retry_interval = "1h"))]
async fn one_way() -> OneWay {
    OneWay(5)
}

#[orchestrator]
async fn returns_nan(ctx: &OrchestrationContext) -> Result<f64> {
    Ok(f64::NAN)
}

fn kind<T>(result: Result<T, TaskFailed>) -> String {
    result.err().map(|failed| failed.details().error_type.clone()).unwrap_or_default()
}

#[orchestrator]
async fn calls_all(ctx: &OrchestrationContext) -> Result<(Vec<String>, i64)> {
    let began = ctx.current_utc_datetime();
    let kinds = vec![
        kind(ratio(1.0, 2.0).await),
        kind(lists(60).await),
        kind(ratio(0.0, 0.0).await),
        kind(ratio(1.0, 0.0).await),
        kind(lists(500).await),
        kind(one_way().await),
        kind(returns_nan().await),
        kind(Mean::at("called").reset().await),
        kind(ratio(f64::NAN, 1.0).await),
    ];
    Ok((kinds, (ctx.current_utc_datetime() - began).num_seconds()))
}

#[tokio::test]
async fn an_output_that_does_not_survive_a_round_trip_fails_its_call() -> Result<()> {
    let hub = TestHub::open().await?;
    let (kinds, seconds) = hub.start(calls_all()).await?.result().await?;
    let mut expected = vec![String::new(); 2];
    expected.resize(8, FailureDetails::INVALID_OUTPUT.to_owned());
    expected.push(FailureDetails::INVALID_INPUT.to_owned());
    assert_eq!(kinds, expected);
    assert_eq!(seconds, 0, "it is not tried again");
    let failed = hub.start(returns_nan()).await?.result().await;
    let Err(ResultError::Failed(failed)) = failed else { panic!("{failed:?}") };
    let said = failed.details().message.clone();
    let expected = "the output was written as JSON that cannot be read as `f64` again: ";
    assert!(said.starts_with(expected), "{said}");
    Ok(())
}

#[derive(Default, Serialize, Deserialize)]
struct Mean {
    sum: f64,
    count: u32,
    ratio: f64,
}

#[entity]
impl Mean {
    fn add(&mut self, number: f64) {
        self.sum += number;
        self.count += 1;
        self.ratio = self.sum / f64::from(self.count);
    }

    fn reset(&mut self) {
        *self = Self::default();
        self.ratio = self.sum / f64::from(self.count);
    }

    fn permille(&self) -> f64 {
        (self.ratio * 1000.0).round()
    }
}

#[tokio::test]
async fn a_state_that_does_not_survive_a_round_trip_fails_the_operation() -> Result<()> {
    let hub = TestHub::open().await?;
    hub.call_entity(Mean::at("a").add(1.0)).await?;
    let failed = hub.call_entity(Mean::at("a").reset()).await.unwrap_err().to_string();
    assert!(failed.contains("the state was written as JSON that cannot be read as"), "{failed}");
    hub.signal_entity(Mean::at("a").reset()).await?;
    hub.signal_entity(Mean::at("a").add(2.0)).await?;
    assert_eq!(hub.call_entity(Mean::at("a").permille()).await?.to_string(), "1500");
    Ok(())
}

#[orchestrator]
async fn mean(ctx: &OrchestrationContext, number: f64, list: Option<List>) -> Result<f64> {
    drop(list);
    let event = ctx.wait_for_external_event::<f64>("number").await?;
    Ok(number.midpoint(event))
}

#[durable::event]
#[derive(Serialize, Deserialize)]
struct Reading {
    volts: f64,
}

#[tokio::test]
async fn a_client_value_that_does_not_survive_a_round_trip_is_rejected() -> Result<()> {
    let hub = TestHub::open().await?;
    for call in [mean(f64::INFINITY, None), mean(1.0, Some(list(200)))] {
        let refused = hub.start(call).await.unwrap_err();
        assert!(matches!(refused, StartError::InvalidInput { .. }), "{refused:?}");
        let reason = refused.source().expect("why it cannot be stored").to_string();
        assert!(reason.contains("again; JSON has no NaN"), "{reason}");
    }
    let run = hub.start(mean(1.0, Some(list(40)))).await?;
    let refused = run.raise(&Reading { volts: f64::NAN }).await.unwrap_err();
    assert!(matches!(refused, ManageError::InvalidEvent(_)), "{refused:?}");
    let refused = run.raise_event("number", &list(200)).await.unwrap_err();
    assert!(refused.to_string().contains("the event is nested 200 levels deep"), "{refused}");
    for refused in [
        hub.signal_entity(Mean::at("a").add(f64::NAN)).await.map(drop),
        hub.call_entity(Mean::at("a").add(f64::NAN)).await.map(drop),
    ] {
        let refused = refused.unwrap_err();
        assert!(matches!(refused, EntityError::InvalidOperation(_)), "{refused:?}");
    }
    run.raise_event("number", &2.0).await?;
    assert_eq!(run.result().await?.to_string(), "1.5");
    Ok(())
}

#[orchestrator]
async fn goes_on_with(ctx: &OrchestrationContext, number: f64) -> Result<String> {
    if number < 1.0 {
        ctx.create_timer(Duration::from_secs(1)).await;
        return ctx.continue_as_new(goes_on_with(1.0 / number)).await;
    }
    let deep = ctx.set_custom_status(&list(200)).unwrap_err();
    let sent = ctx.send_event("nobody", "deep", &list(200)).unwrap_err();
    Ok(format!("{deep}; {sent}"))
}

#[tokio::test]
async fn an_orchestrator_value_that_does_not_survive_a_round_trip_is_an_error() -> Result<()> {
    let hub = TestHub::open().await?;
    let failed = hub.start(goes_on_with(0.0)).await?.result().await.unwrap_err().to_string();
    assert!(failed.contains("parameter `number` cannot be read: "), "{failed}");
    let said = hub.start(goes_on_with(0.5)).await?.result().await?;
    assert_eq!(
        said,
        "the custom status is nested 200 levels deep; JSON can be read up to 127 levels deep; \
         the event is nested 200 levels deep; JSON can be read up to 127 levels deep"
    );
    Ok(())
}

#[activity]
async fn echo(numbers: Vec<f64>) -> Vec<f64> {
    numbers
}

/// How many of many random floats change in a round trip.
#[orchestrator]
async fn echoes(ctx: &OrchestrationContext) -> Result<usize> {
    let random = |_| {
        (ctx.random_f64() - 0.5)
            * 10_f64.powi(i32::try_from(ctx.random_u64() % 600).unwrap_or(0) - 300)
    };
    let numbers: Vec<f64> = (0..2_000).map(random).collect();
    let echoed = echo(numbers.clone()).await?;
    Ok(numbers.iter().zip(&echoed).filter(|(a, b)| a.to_bits() != b.to_bits()).count())
}

#[derive(Default, Serialize, Deserialize)]
struct Gauge(f64);

#[entity]
impl Gauge {
    fn set(&mut self, number: f64) {
        self.0 = number;
    }

    fn touch(&mut self) {}

    fn bits(&self) -> u64 {
        self.0.to_bits()
    }
}

#[tokio::test]
async fn floats_survive_storage_bit_for_bit() -> Result<()> {
    let hub = TestHub::open().await?;
    assert_eq!(hub.start(echoes()).await?.result().await?, 0);
    let mut number = 0.123_456_789_f64;
    for index in 0..100 {
        number = (number * 3.99 * (1.0 - number)).abs();
        let gauge = || Gauge::at(format!("gauge-{index}"));
        hub.call_entity(gauge().set(number * 1e-7)).await?;
        for _ in 0..3 {
            hub.call_entity(gauge().touch()).await?;
        }
        assert_eq!(hub.call_entity(gauge().bits()).await?, (number * 1e-7).to_bits());
    }
    Ok(())
}
