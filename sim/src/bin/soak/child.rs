//! The process that is killed. It completes the work that earlier processes left, and starts more.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use durable::TaskHub;
use durable::client::{ManageError, Retention, StartError};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Result;
use crate::journal::{self, Job, Journal, Known, Step};
use crate::work::{Count, job};

/// The number of jobs that are started at once.
const AT_ONCE: u64 = 32;
/// Longer than it takes to start the next process, which repeats every request that was not
/// acknowledged.
const KEPT: Duration = Duration::from_mins(2);
/// How often the last process checks whether everything has ended.
const LOOK: Duration = Duration::from_millis(100);

/// Works until it is killed or, in the last round, until no work is left.
#[tokio::main]
pub(crate) async fn run(folder: &Path, round: u64, is_last: bool) -> Result<()> {
    let known = Known::read(folder)?;
    let journal = Arc::new(Journal::open(folder)?);
    let hub =
        TaskHub::builder().path(folder.join("hub")).retention(Retention::all(KEPT)).open().await?;
    let mut earlier = JoinSet::new();
    for job in known.without(Step::Raised) {
        earlier.spawn(begin(hub.clone(), Arc::clone(&journal), job));
    }
    while let Some(begun) = earlier.join_next().await {
        begun??;
    }
    if is_last {
        return drain(hub, folder, &known).await;
    }
    let mut workers: JoinSet<Result<()>> = JoinSet::new();
    for worker in 0..AT_ONCE {
        let (hub, journal) = (hub.clone(), Arc::clone(&journal));
        workers.spawn(async move {
            let mut n = worker;
            loop {
                journal.note(Step::Tried, (round, n))?;
                begin(hub.clone(), Arc::clone(&journal), (round, n)).await?;
                n += AT_ONCE;
                // Enough to keep the store busy, and few enough that the rest drains soon.
                sleep(Duration::from_millis(20)).await;
            }
        });
    }
    match workers.join_next().await {
        Some(ended) => ended?,
        None => Ok(()),
    }
}

/// Starts a job, unless it was started, and raises its event.
async fn begin(hub: TaskHub, journal: Arc<Journal>, (round, n): Job) -> Result<()> {
    let id = format!("{round}-{n}");
    match hub.start(job(round, n).instance_id(&id)).await {
        Ok(_) | Err(StartError::AlreadyExists { .. }) => journal.note(Step::Started, (round, n))?,
        Err(error) => return Err(error.into()),
    }
    match hub.instance(&id)?.raise_event("go", &n).await {
        Ok(()) | Err(ManageError::Finished { .. }) => journal.note(Step::Raised, (round, n)),
        Err(error) => Err(error.into()),
    }
}

/// Waits until every job has been counted, and then a little longer, so that duplicates are
/// noticed.
async fn drain(hub: TaskHub, folder: &Path, known: &Known) -> Result<()> {
    let mut is_settled = false;
    loop {
        let (mut counted, mut missing) = (BTreeMap::new(), 0);
        for (round, tried) in known.tried() {
            let count = hub.call_entity(Count::at(round.to_string()).get()).await?;
            missing += tried.saturating_sub(count);
            counted.insert(round, count);
        }
        journal::write_counted(folder, &counted)?;
        if missing == 0 && is_settled {
            return Ok(hub.shutdown().await?);
        }
        is_settled = missing == 0;
        sleep(LOOK).await;
    }
}
