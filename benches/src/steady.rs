//! A steady load for some minutes, to show that memory and disk usage stay constant.
//!
//! Hello sequences, 64 outstanding, on a hub that purges instances ten seconds after they complete.
//! Every 30 seconds it prints memory, disk and throughput; at the end, their growth in the second
//! half.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use durable::prelude::TaskHub;
use durable::{Error, Result};
use tokio::task::JoinSet;

use crate::clock::now;
use crate::ours::{self, hello_sequence};
use crate::plan::Plan;
use crate::stats::slope;
use crate::system::{disk_bytes, memory_mb};

const OUTSTANDING: usize = 64;
const KEPT: Duration = Duration::from_secs(10);
const EVERY: Duration = Duration::from_secs(30);
/// A value that grows by less than this in the second half counts as constant.
const FLAT_PERCENT: f64 = 5.0;

#[derive(Clone, Copy)]
struct Sample {
    seconds: f64,
    memory_mb: f64,
    disk_mb: f64,
}

pub(crate) async fn run(plan: &Plan, minutes: f64) -> Result<()> {
    let folder = plan.fresh()?;
    let (hub, _) = ours::open_forgetful(folder.path(), KEPT).await?;
    let (ended, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut loops = JoinSet::new();
    for _ in 0..OUTSTANDING {
        loops.spawn(work(hub.clone(), Arc::clone(&ended), Arc::clone(&stop)));
    }
    let samples = watch(folder.path(), &ended, Duration::from_secs_f64(minutes * 60.0)).await;
    stop.store(true, Ordering::Relaxed);
    while let Some(done) = loops.join_next().await {
        done??;
    }
    hub.shutdown().await?;
    verdict(&samples);
    Ok(())
}

async fn work(hub: TaskHub, ended: Arc<AtomicU64>, stop: Arc<AtomicBool>) -> Result<()> {
    while !stop.load(Ordering::Relaxed) {
        hub.start(hello_sequence()).await?.result().await?;
        ended.fetch_add(1, Ordering::Relaxed);
    }
    Ok::<_, Error>(())
}

async fn watch(folder: &Path, ended: &AtomicU64, time: Duration) -> Vec<Sample> {
    let began = now();
    let every = EVERY.min(time / 8);
    let mut ticks = tokio::time::interval(every);
    ticks.tick().await;
    let (mut samples, mut before) = (Vec::new(), 0);
    while began.elapsed() < time {
        ticks.tick().await;
        let disk_mb = disk_bytes(folder) / 1e6;
        let seconds = began.elapsed().as_secs_f64();
        let sample = Sample { seconds, memory_mb: memory_mb(), disk_mb };
        let total = ended.load(Ordering::Relaxed);
        let rate = (total - before) as f64 / every.as_secs_f64();
        let Sample { seconds, memory_mb, disk_mb } = sample;
        println!("{seconds:6.0} s  memory {memory_mb:8.1} MB  disk {disk_mb:8.1} MB  {rate:8.0}/s");
        before = total;
        samples.push(sample);
    }
    samples
}

fn verdict(samples: &[Sample]) {
    let half = &samples[samples.len() / 2..];
    let grown = |name: &str, value: fn(&Sample) -> f64| {
        let points: Vec<_> = half.iter().map(|sample| (sample.seconds, value(sample))).collect();
        let time = points.last().map_or(0.0, |last| last.0) - points.first().map_or(0.0, |p| p.0);
        let mean = points.iter().map(|(_, y)| y).sum::<f64>() / points.len().max(1) as f64;
        let percent = slope(&points) * time / mean * 100.0;
        let word = if percent < FLAT_PERCENT { "flat" } else { "it grows" };
        println!("{name}: {percent:+.1} % over the second half, of {mean:.1} MB: {word}");
    };
    grown("memory", |sample| sample.memory_mb);
    grown("disk", |sample| sample.disk_mb);
}
