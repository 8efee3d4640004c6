//! What is busy, slow and failing. `--watch` repeats it.

use std::collections::BTreeMap;

use durable::RuntimeStatus;
use durable_http::client::{GroupBy, InstanceFilter, RunningActivities, RunningActivity};

use crate::error::CliError;
use crate::output::Table;
use crate::session::Session;

/// The maximum number of names in each table.
const NAMES: usize = 10;

pub(super) async fn top(session: &mut Session<'_>) -> Result<(), CliError> {
    if !session.is_for_people() {
        return Err(CliError::Usage(
            "`top` has no such form; use `activity list` and `count --by` instead".to_owned(),
        ));
    }
    let by_status = groups(&InstanceFilter::new(), GroupBy::Status, session).await?;
    let statuses: Vec<_> =
        by_status.iter().map(|(status, count)| format!("{status} {count}")).collect();
    let activities = activities(&session.client.list_running().await?, session);
    let running = InstanceFilter::new().status(RuntimeStatus::Running);
    let failed = InstanceFilter::new().status(RuntimeStatus::Failed);
    let running = named("RUNNING", groups(&running, GroupBy::Name, session).await?);
    let failed = named("FAILED", groups(&failed, GroupBy::Name, session).await?);
    session.io.write(&format!("instances: {}\n", statuses.join(", ")));
    for table in [activities, running, failed].into_iter().flatten() {
        let text = table.text(session.is_colored());
        session.io.write(&format!("\n{text}"));
    }
    Ok(())
}

async fn groups(
    filter: &InstanceFilter,
    by: GroupBy,
    session: &Session<'_>,
) -> Result<BTreeMap<String, u64>, CliError> {
    let counted = session.client.count_instances(filter, Some(by)).await?;
    Ok(counted.groups.unwrap_or_default())
}

/// The names with the most instances; `None` if there are no instances.
fn named(heading: &str, groups: BTreeMap<String, u64>) -> Option<Table> {
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut table = Table::new(["ORCHESTRATION", heading].into_iter());
    for (name, count) in groups.iter().take(NAMES) {
        table.add(vec![name.clone(), count.to_string()]);
    }
    (!groups.is_empty()).then_some(table)
}

/// The busiest activities, each with the instance for which it has run longest.
fn activities(now: &RunningActivities, session: &Session<'_>) -> Option<Table> {
    let mut names = BTreeMap::<&str, (Vec<&RunningActivity>, u64)>::new();
    for activity in &now.items {
        names.entry(&activity.name).or_default().0.push(activity);
    }
    for (name, waiting) in &now.waiting {
        names.entry(name).or_default().1 = *waiting;
    }
    let mut names: Vec<_> = names.into_iter().collect();
    names.sort_by_key(|(_, (running, waiting))| std::cmp::Reverse((running.len(), *waiting)));
    let columns = ["ACTIVITY", "RUNNING", "WAITING", "LONGEST SINCE", "ATTEMPT", "OF"];
    let mut table = Table::new(columns.into_iter());
    for (name, (running, waiting)) in names.iter().take(NAMES) {
        let longest = running.iter().min_by_key(|it| it.since);
        let of_longest = |show: &dyn Fn(&RunningActivity) -> String| {
            longest.map(|it| show(it)).unwrap_or_default()
        };
        table.add(vec![
            (*name).to_owned(),
            running.len().to_string(),
            waiting.to_string(),
            of_longest(&|it| session.clock().show(it.since)),
            of_longest(&|it| it.attempt.to_string()),
            of_longest(&|it| it.instance_id.clone()),
        ]);
    }
    (!names.is_empty()).then_some(table)
}
