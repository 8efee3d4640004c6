//! A number of outstanding calls: for a time, or up to a total count.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use durable::Result;
use tokio::task::JoinSet;

use crate::clock::now;
use crate::stats::percentile;

/// The result of a load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throughput {
    /// How many there were in a second.
    pub(crate) per_second: f64,
    /// How long half of them took at most, in milliseconds.
    pub(crate) p50_ms: f64,
    /// How long all but a hundredth of them took at most, in milliseconds.
    pub(crate) p99_ms: f64,
}

/// For how long a load lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Before anything counts.
    pub(crate) warm_up: Duration,
    /// While what ends counts.
    pub(crate) counted: Duration,
}

/// Keeps `outstanding` calls of `one` in flight. Each counts by the fraction of its time within the
/// window. Counting the calls that end in the window would depend on the phase of the waves,
/// because calls that share commits end together.
pub(crate) async fn over<F, Fut>(outstanding: usize, window: Window, one: F) -> Result<Throughput>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let from = now() + window.warm_up;
    let until = from + window.counted;
    let mut loops = JoinSet::new();
    for _ in 0..outstanding {
        let one = one.clone();
        loops.spawn(async move {
            let mut ended = Vec::new();
            while now() < until {
                let began = now();
                one().await?;
                ended.push((began, now()));
            }
            Ok::<_, durable::Error>(ended)
        });
    }
    let (mut counted, mut calls) = (Vec::new(), 0.0);
    while let Some(ended) = loops.join_next().await {
        for (began, end) in ended?? {
            let within = end.min(until).saturating_duration_since(began.max(from)).as_secs_f64();
            if within > 0.0 {
                calls += within / (end - began).as_secs_f64();
                counted.push((began, end));
            }
        }
    }
    Ok(throughput(&counted, calls, window.counted))
}

/// Makes `count` calls of `one`, at most `outstanding` at a time.
pub(crate) async fn times<F, Fut>(outstanding: usize, count: usize, one: F) -> Result<Throughput>
where
    F: Fn() -> Fut + Clone + Send + 'static,
    Fut: Future<Output = Result<()>> + Send,
{
    let left = Arc::new(AtomicUsize::new(count));
    let began = now();
    let mut loops = JoinSet::new();
    for _ in 0..outstanding.min(count) {
        let (one, left) = (one.clone(), Arc::clone(&left));
        loops.spawn(async move {
            let mut ended = Vec::new();
            let take = |left: usize| left.checked_sub(1);
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() {
                let began = now();
                one().await?;
                ended.push((began, now()));
            }
            Ok::<_, durable::Error>(ended)
        });
    }
    let mut counted = Vec::new();
    while let Some(ended) = loops.join_next().await {
        counted.extend(ended??);
    }
    Ok(throughput(&counted, counted.len() as f64, began.elapsed()))
}

fn throughput(counted: &[(Instant, Instant)], calls: f64, time: Duration) -> Throughput {
    let latencies = counted.iter().map(|(began, end)| (*end - *began).as_secs_f64() * 1e3);
    let latencies: Vec<_> = latencies.collect();
    Throughput {
        per_second: calls / time.as_secs_f64(),
        p50_ms: percentile(&latencies, 50.0),
        p99_ms: percentile(&latencies, 99.0),
    }
}
