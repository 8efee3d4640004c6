//! The report of a failure: what is wrong, how to repeat it, and the steps.

use std::fmt::{self, Display, Write as _};
use std::path::Path;
use std::time::Duration;

use durable::testing::sim::LogLine;

use crate::case::Case;
use crate::pretty::call;
use crate::run::run;

/// The maximum number of lines in the table of steps.
const LINES_MAX: usize = 80;

/// A failing case, made smaller.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    pub(crate) failure: &'a str,
    pub(crate) seed: u64,
    pub(crate) case: &'a Case,
    pub(crate) path: &'a Path,
    pub(crate) runs: u32,
    pub(crate) time: Duration,
}

impl Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failure, seed, case, path, runs, time } = self;
        let outcome = run(case, case.choices(), true);
        let operations: usize = case.clients.iter().map(Vec::len).sum();
        let (nodes, deviations) = (case.nodes(), case.deviations.len());
        writeln!(f, "FAILED {failure}")?;
        writeln!(
            f,
            "  seed {seed}, {} steps; shrunk to {nodes} nodes, {operations} operations of clients, \
             {deviations} deviations ({runs} runs, {:.1} s)",
            outcome.steps,
            time.as_secs_f64()
        )?;
        writeln!(f, "  again: cargo run --release -p sim -- --case {}", path.display())?;
        writeln!(f, "     or: cargo run --release -p sim -- --seed {seed}, at this commit")?;
        writeln!(f, "  options: {}, sizes: {:?}", call(&case.options), case.sizes)?;
        for (number, script) in case.clients.iter().enumerate() {
            writeln!(f, "  client {number}:")?;
            for op in script {
                writeln!(f, "    {}", call(op).replace('\n', "\n    "))?;
            }
        }
        let deviations = case.deviations.iter().map(|it| format!("{} {}: {}", it.0, it.1, it.2));
        let deviations: Vec<_> = deviations.take(20).collect();
        writeln!(f, "  deviations of the schedule: {}", deviations.join(", "))?;
        f.write_str(&table(&outcome.log))
    }
}

/// The steps that had an effect, with their actors and times.
pub(crate) fn table(log: &[LogLine]) -> String {
    let mut text = format!("  {:>6}  {:>12}  {:12}  what\n", "step", "time", "actor");
    let (mut actor, mut shown) = ("", 0);
    let began = log.first().map(|line| line.time).unwrap_or_default();
    // The last steps show what went wrong.
    let first = log.iter().rev().filter(|line| !line.what.is_empty()).nth(LINES_MAX - 1);
    let first = first.map_or(0, |line| line.step);
    for line in log {
        let mut what = line.what.as_str();
        if what.is_empty() {
            actor = &line.actor;
            what = match actor.split(' ').next() {
                Some("open") => "the process opens",
                Some("crash") => "the process ends without a shutdown",
                _ => continue,
            };
        }
        if line.step < first {
            continue;
        }
        shown += 1;
        let time = format!("{:?}", line.time.since(began));
        let (step, nested) = (line.step, "> ".repeat(line.depth as usize));
        let _ = writeln!(text, "  {step:6}  {time:>12}  {actor:12}  {nested}{what}");
        if shown > 2 * LINES_MAX {
            break;
        }
    }
    text
}
