//! Random programs: a seed generates a program and the events that affect it. The program is run in
//! several ways, and an oracle checks the results.
//!
//! `DURABLE_SEED=n` repeats one seed, `DURABLE_SEEDS=a..b` tries a range, `DURABLE_LONG=1` tries
//! many, each in all ways. The first failing seed of each kind is made smaller and printed.
//!
//! Read in this order: `program.rs` (the grammar), `generate.rs` (from a seed to a case),
//! `interpret.rs` (the orchestrator that runs it), `model.rs` (the expected behavior), `run.rs`
//! (the ways to run it), `check.rs` (the oracle), `shrink.rs`.

mod chance;
mod check;
mod crowd;
mod generate;
mod interpret;
mod model;
mod model_world;
mod program;
mod run;
#[path = "../support/seed.rs"]
#[expect(dead_code, reason = "the seeds are those of `chance.rs`")]
mod seed;
mod show;
mod shrink;

use std::collections::BTreeMap;

use chance::{Chance, seeds};
use check::check;
use run::Way;
use seed::is_long;

/// The ways in which a seed is run: all of them, or the usual one and two others.
fn ways(seed: u64, all: bool) -> Vec<Way> {
    let mut ways = Way::all();
    let mut chance = Chance::new(seed, "ways");
    while !all && ways.len() > 3 {
        ways.remove(1 + chance.index(ways.len() - 1));
    }
    ways
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_to_run_a_random_program_reaches_the_predicted_end() {
    interpret::keep_wanted_panics_quiet();
    let seeds = seeds();
    let all = is_long() || seeds.end - seeds.start == 1;
    let mut reports = BTreeMap::new();
    for seed in seeds {
        let case = generate::case(seed);
        let Err((way, found)) = check(&case, &ways(seed, all), seed).await else { continue };
        println!("seed {seed}, {:?}: {} in {way:?}", case.profile, found.kind);
        // The first failure of each kind suffices.
        if !reports.contains_key(found.kind) {
            let (case, found) = shrink::shrink(case, way, seed, found).await;
            let report = format!(
                "{} in {way:?}\n{}\nprogram\n{}\nagain: \
                 DURABLE_SEED={seed} cargo test -p tests --test random\n",
                found.kind,
                found.text,
                show::show(&case)
            );
            reports.insert(found.kind, report);
        }
    }
    let reports: Vec<_> = reports.into_values().collect();
    assert!(reports.is_empty(), "\n{}", reports.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_timer_fires_late_in_a_crowded_partition() -> durable::Result<()> {
    let seeds = seeds();
    let some = if is_long() { 5 } else { 1 };
    for seed in seeds.take(some) {
        crowd::sleep(seed).await?;
    }
    Ok(())
}
