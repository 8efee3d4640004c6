//! Processes that share a hub and are harmed under load: killed, stopped for longer than their
//! lease, cut off from the database, which ends and starts again. In the end nothing acknowledged
//! is lost, no result has changed, messages have arrived once and in causal order, sums are exact,
//! no lock is left, and no instance is stuck.
//!
//! Each test prints its seed, from which the schedule of the harm follows; `DURABLE_SEED` repeats it,
//! `DURABLE_LONG=1` makes it ten times as long, and `DURABLE_MINUTES` as long as it says.

mod audit;
mod clock;
#[path = "../cluster/mod.rs"]
mod cluster;
mod hub;
mod process;
#[path = "../faults/proxy.rs"]
#[allow(dead_code, reason = "this program counts no bytes")]
mod proxy;
mod schedule;
#[path = "../../../tests/support/seed.rs"]
mod seed;
mod work;
mod worker;

use std::time::Duration;

use self::hub::Hub;
use self::process::Environment;
use self::schedule::{Kind, schedule, summary};

/// How long processes are harmed.
fn time(seconds: u64) -> Duration {
    let minutes = std::env::var("DURABLE_MINUTES").ok().and_then(|minutes| minutes.parse().ok());
    match minutes.filter(|_| seed::is_long()) {
        Some(minutes) => Duration::from_mins(minutes),
        None if seed::is_long() => Duration::from_secs(10 * seconds),
        None => Duration::from_secs(seconds),
    }
}

/// Harms three processes, and audits what is left.
fn survive(kinds: &[Kind], seconds: u64) {
    survive_with(vec![Vec::new(); 3], kinds, seconds);
}

/// As [`survive`], with the environments of the processes.
fn survive_with(environments: Vec<Environment>, kinds: &[Kind], seconds: u64) -> Hub {
    let seed = seed::seed();
    let steps = schedule(seed, kinds, environments.len() as u64, time(seconds));
    let mut hub = Hub::start(environments);
    hub.harm(&steps);
    let jobs = audit::audit(&mut hub);
    println!("{}; {jobs} jobs", summary(&steps));
    assert!(jobs > 20, "{jobs} jobs");
    hub
}

/// Run by the tests as another process: see `worker.rs`.
#[test]
fn worker_process() {
    worker::run();
}

#[test]
fn processes_that_are_killed_lose_and_repeat_nothing() {
    survive(&[Kind::Kill], 15);
}

#[test]
fn processes_that_are_stopped_for_longer_than_their_lease_are_fenced() {
    survive(&[Kind::Stop], 20);
}

/// Timers that one process has created fire in another at the right time.
#[test]
fn processes_whose_wall_clocks_are_wrong_by_an_hour_share_their_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let ahead = |seconds| clock::ahead(folder.path(), seconds);
    let environments = vec![ahead(3_600), Vec::new(), ahead(-3_600)];
    let hub = survive_with(environments, &[Kind::Kill, Kind::Leave], 15);
    let clocks: Vec<_> = hub.heard.all().ready.values().copied().collect();
    let (first, last) = (clocks.iter().min().expect("a clock"), clocks.iter().max().expect("one"));
    assert!(last - first >= 7_000, "the clocks were right: {clocks:?}");
}

#[test]
fn processes_survive_all_kinds_of_harm_at_once() {
    use Kind::{Cut, Kill, Leave, Limit, Restart, Stop};
    survive(&[Kill, Kill, Stop, Stop, Cut, Cut, Cut, Restart, Leave, Limit], 45);
}

#[test]
fn a_seed_repeats_its_schedule() {
    let all = [Kind::Kill, Kind::Stop, Kind::Cut, Kind::Restart, Kind::Leave, Kind::Limit];
    let make = |seed| schedule(seed, &all, 3, Duration::from_mins(1));
    assert_eq!(make(7), make(7));
    assert_ne!(make(7), make(8));
}
