//! A process that is killed at random moments while its orchestrations run: everything acknowledged
//! is kept, and nothing recorded is repeated.
//!
//! The test runs this program again as a child, which works on a hub and writes to a journal, line
//! by line, what the hub has acknowledged and what its activities do. The child is killed after a
//! random number of acknowledgements, and then the next child continues.
//!
//! With `DURABLE_LONG=1` there are more rounds, and so many instances run at once that the store is
//! always busy.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use durable::OrchestrationHandle;
use durable::client::{StartError, TaskHubBuilder};
use durable::prelude::*;
use durable::protocol::EventKind;

use crate::seed::{self, Random};

const STEPS: u32 = 6;
/// The length of the input of each step, so that histories have a realistic size.
const INPUT_LEN: usize = 1500;
/// The environment variable with the folder of the test.
const FOLDER: &str = "DURABLE_CRASH_TEST_FOLDER";
const ROUND: &str = "DURABLE_CRASH_TEST_ROUND";
/// The environment variable with the first round whose instances may not have ended.
const FIRST: &str = "DURABLE_CRASH_TEST_FIRST";

fn rounds() -> u32 {
    if seed::is_long() { 200 } else { 60 }
}

/// The number of instances that each child starts.
fn starts() -> u32 {
    if seed::is_long() { 40 } else { 8 }
}

/// A file to which lines are appended, each with one write, so that a kill neither loses nor splits
/// a line.
struct Journal(File);

impl Journal {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    fn note(&self, line: &str) -> Result<()> {
        Ok((&self.0).write_all(format!("{line}\n").as_bytes())?)
    }
}

#[activity]
async fn work(
    ctx: &ActivityContext,
    journal: State<Journal>,
    n: u32,
    _input: String,
) -> Result<u32> {
    journal.note(&format!("{} {n}", ctx.instance_id()))?;
    Ok(n)
}

#[activity]
fn work_blocking(
    ctx: &ActivityContext,
    journal: State<Journal>,
    n: u32,
    _input: String,
) -> Result<u32> {
    journal.note(&format!("{} {n}", ctx.instance_id()))?;
    Ok(n)
}

/// Half of the steps one after another, half at once.
#[orchestrator]
async fn job(ctx: &OrchestrationContext, steps: u32) -> Result<u32> {
    let mut sum = 0;
    for n in 0..steps {
        sum += work(n, "x".repeat(INPUT_LEN)).await?;
    }
    let more = (steps..2 * steps).map(|n| work_blocking(n, "x".repeat(INPUT_LEN)));
    Ok(sum + durable::try_join_all(more).await?.into_iter().sum::<u32>())
}

/// The child: starts instances and waits for them, until it is killed.
#[tokio::main]
async fn child(folder: &Path, first: u32, round: u32) -> Result<()> {
    let hub = open(folder).await?;
    let mut waiting = Vec::new();
    for number in 0..starts() {
        let id = format!("job-{round}-{number}");
        waiting.push(start(&hub, &id).await?);
        println!("started {id}");
    }
    for earlier in first..round {
        for number in 0..starts() {
            waiting.extend(hub.find_instance::<job>(&format!("job-{earlier}-{number}")).await?);
        }
    }
    for run in waiting {
        let result = run.result().await?;
        println!("ended {} {result}", run.instance_id());
    }
    println!("done");
    // The child is killed here, or earlier.
    std::future::pending().await
}

/// The hub in `folder`, with the journal that the activities of this file need.
pub(crate) fn builder(folder: &Path) -> Result<TaskHubBuilder> {
    let journal = Journal::open(&folder.join("journal"))?;
    Ok(TaskHub::builder().path(folder.join("hub")).state(journal))
}

async fn open(folder: &Path) -> Result<TaskHub> {
    Ok(builder(folder)?.open().await?)
}

async fn start(hub: &TaskHub, id: &str) -> Result<OrchestrationHandle<job>> {
    match hub.start(job(STEPS).instance_id(id)).await {
        Err(StartError::AlreadyExists { .. }) => {
            hub.find_instance(id).await?.ok_or_else(|| Error::msg("it exists, and does not"))
        }
        started => Ok(started?),
    }
}

/// The facts that the parent knows for certain.
#[derive(Default)]
struct Known {
    started: BTreeSet<String>,
    /// The instances that were found to have ended. They are checked again at the end of the test.
    settled: BTreeSet<String>,
    ended: BTreeMap<String, String>,
    /// How often each step had run when its recorded result was found.
    recorded: BTreeMap<(String, u32), usize>,
}

impl Known {
    /// Reads the acknowledgements of the child, and kills it after this many lines (or at the end).
    fn follow(&mut self, child: &mut Child, lines: u64) -> Result<()> {
        let output = child.stdout.take().expect("it is piped");
        for line in BufReader::new(output).lines().take(usize::try_from(lines)?) {
            let line = line?;
            match *line.split(' ').collect::<Vec<_>>() {
                [.., "started", id] => drop(self.started.insert(id.to_owned())),
                ["ended", id, result] => {
                    let before = self.ended.insert(id.to_owned(), result.to_owned());
                    assert!(before.is_none_or(|before| before == result), "{id} ended twice");
                }
                ["done"] => break,
                _ => {}
            }
        }
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// The first round with an instance that has not ended.
    fn first_unended(&self) -> u32 {
        let unended = self.started.iter().filter(|id| !self.ended.contains_key(*id));
        let round = |id: &String| id.split('-').nth(1).and_then(|round| round.parse().ok());
        unended.filter_map(round).min().unwrap_or(u32::MAX)
    }

    /// Opens the hub between two children and checks it against the known facts.
    #[tokio::main]
    async fn check(&mut self, folder: &Path, is_last: bool) -> Result<()> {
        let runs = runs(folder)?;
        for ((id, n), before) in &self.recorded {
            let now = runs.get(&(id.clone(), *n)).copied().unwrap_or_default();
            assert_eq!(now, *before, "step {n} of {id} was recorded and ran again");
        }
        let store = durable::store::SledStore::open(folder.join("hub"))?;
        for id in &self.started {
            if is_last || !self.settled.contains(id) {
                self.recorded.extend(recorded(&store, id, self.ended.get(id), &runs)?);
            }
        }
        self.settled = self.ended.keys().cloned().collect();
        Ok(())
    }
}

/// The steps of an instance whose results are recorded, each with how often it ran.
fn recorded(
    store: &impl durable::store::Store,
    id: &str,
    result: Option<&String>,
    runs: &BTreeMap<(String, u32), usize>,
) -> Result<Vec<((String, u32), usize)>> {
    let instance = durable::InstanceId::new(id)?;
    let record = store.instance(&instance)?;
    let record = record.unwrap_or_else(|| panic!("the start of {id} was acknowledged and is lost"));
    let history = store.history(&instance, record.execution_id, 0)?;
    assert_eq!(history.len() as u64, record.history_len, "{id}");
    let mut recorded = Vec::new();
    let mut end = None;
    for event in &history {
        match &event.kind {
            EventKind::TaskCompleted { result, .. } => {
                let n = result.as_str().parse()?;
                let times = runs.get(&(id.to_owned(), n)).copied().unwrap_or_default();
                assert!(times > 0, "step {n} of {id} is recorded and never ran");
                recorded.push(((id.to_owned(), n), times));
            }
            EventKind::ExecutionCompleted { result, .. } => end = result.as_ref(),
            _ => {}
        }
    }
    if let Some(result) = result {
        let end = end.map(ToString::to_string);
        assert_eq!(end.as_ref(), Some(result), "the end of {id} was acknowledged and is lost");
    }
    Ok(recorded)
}

/// How often each step ran.
fn runs(folder: &Path) -> Result<BTreeMap<(String, u32), usize>> {
    let mut runs = BTreeMap::new();
    for line in std::fs::read_to_string(folder.join("journal"))?.lines() {
        let (id, n) = line.split_once(' ').ok_or_else(|| Error::msg("a torn line"))?;
        *runs.entry((id.to_owned(), n.parse()?)).or_default() += 1;
    }
    Ok(runs)
}

#[test]
fn a_kill_loses_nothing_acknowledged_and_repeats_nothing_recorded() -> Result<()> {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let number = |name| -> Result<u32> { Ok(std::env::var(name)?.parse()?) };
        return child(Path::new(&folder), number(FIRST)?, number(ROUND)?);
    }
    let folder = tempfile::tempdir()?;
    let mut known = Known::default();
    let mut random = Random::new(seed::seed());
    for round in 0..rounds() {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["nothing_acknowledged", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .env(FIRST, known.first_unended().to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let is_last = round + 1 == rounds();
        let lines = 3 + random.below(5 * u64::from(starts()));
        let lines = if is_last { u64::MAX } else { lines };
        known.follow(&mut child, lines)?;
        known.check(folder.path(), is_last)?;
    }
    // An instance may have been started without an acknowledgement, if the child was killed in
    // between.
    let unended: Vec<_> =
        known.started.iter().filter(|id| !known.ended.contains_key(*id)).collect();
    assert!(unended.is_empty(), "started and never ended: {unended:?}");
    assert!(!known.started.is_empty());
    println!("{} instances started, all of them ended", known.started.len());
    assert!(known.ended.values().all(|result| *result == (0..2 * STEPS).sum::<u32>().to_string()));
    Ok(())
}
