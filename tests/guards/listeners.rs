//! A `tracing` subscriber and a `metrics` recorder that panic.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use durable::prelude::*;
use durable::testing::TestHub;
use metrics::{Counter, CounterFn, Gauge, Histogram, Key, KeyName, Metadata, SharedString, Unit};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};

/// A line or metric that contains this name makes the listeners panic.
const ANNOYING: &str = "annoying";

static NEXT: AtomicU64 = AtomicU64::new(1);

#[derive(Debug, Default)]
struct Annoyed {
    spans: Mutex<Vec<u64>>,
}

struct Looks(bool);

impl Visit for Looks {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0 |= format!("{value:?}").contains(ANNOYING);
    }
}

impl Annoyed {
    fn check(&self, span: &Id) {
        let is_annoying = self.spans.lock().unwrap().contains(&span.into_u64());
        assert!(!is_annoying, "the subscriber is annoyed by a span");
    }
}

impl Subscriber for Annoyed {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target().starts_with("durable")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut looks = Looks(false);
        span.record(&mut looks);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        if looks.0 {
            assert!(!id.is_multiple_of(3), "the subscriber is annoyed by a new span");
            self.spans.lock().unwrap().push(id);
        }
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut looks = Looks(false);
        event.record(&mut looks);
        assert!(!looks.0, "the subscriber is annoyed by a line");
    }

    fn enter(&self, span: &Id) {
        if span.into_u64().is_multiple_of(2) {
            self.check(span);
        }
    }

    fn exit(&self, span: &Id) {
        self.check(span);
    }

    fn try_close(&self, span: Id) -> bool {
        self.check(&span);
        true
    }
}

#[derive(Debug)]
struct Miscounts;

impl CounterFn for Miscounts {
    fn increment(&self, _: u64) {
        panic!("the recorder cannot count");
    }

    fn absolute(&self, _: u64) {}
}

impl metrics::Recorder for Miscounts {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        panic!("the recorder wants no description");
    }

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(Arc::new(Self))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        assert!(!key.name().contains("resident"), "the recorder has no gauge");
        Gauge::noop()
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[activity]
async fn annoying_step(n: u32) -> Result<u32> {
    if n == 3 { Err(Error::msg("three")) } else { Ok(n) }
}

#[orchestrator]
async fn annoying_steps(ctx: &OrchestrationContext) -> Result<u32> {
    let mut sum = 0;
    for n in 0..10 {
        sum += annoying_step(n).await.unwrap_or(100);
    }
    Ok(sum)
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct AnnoyingCounter(u32);

#[entity]
impl AnnoyingCounter {
    fn add(&mut self, n: u32) -> Result<u32> {
        self.0 += n;
        if n == 0 { Err(Error::msg("nothing")) } else { Ok(self.0) }
    }
}

#[tokio::test]
async fn subscribers_and_recorders_that_panic_change_nothing() -> Result<()> {
    tracing::subscriber::set_global_default(Annoyed::default()).unwrap();
    metrics::set_global_recorder(Miscounts).unwrap();
    let hub = TestHub::builder().configure(|hub| hub.live_instances(0)).open().await?;
    let run = hub.start(annoying_steps().instance_id("annoying")).await?;
    assert_eq!(run.result().await?, 142);
    hub.call_entity(AnnoyingCounter::at("annoying").add(2)).await?;
    hub.signal_entity(AnnoyingCounter::at("annoying").add(0)).await?;
    assert_eq!(hub.call_entity(AnnoyingCounter::at("annoying").add(3)).await?, 5);
    Ok(hub.shutdown().await?)
}
