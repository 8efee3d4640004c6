//! Schedules.

use durable_http::client::{Recurrence, Schedule, ScheduleFilter, ScheduleRequest, StartRequest};

use super::{input, paged, parsed};
use crate::args::{ScheduleCommand, ScheduleSpec};
use crate::error::CliError;
use crate::session::Session;

pub(super) async fn run(
    command: &ScheduleCommand,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let client = session.client.clone();
    let text = match command {
        ScheduleCommand::List { status, prefix, page } => {
            let mut request = client.list_schedules(&ScheduleFilter::new());
            for status in status {
                request = request.query("status", capitalized(status));
            }
            if let Some(prefix) = prefix {
                request = request.query("prefix", prefix);
            }
            let (items, _) = paged(request, page).await?;
            return session.show_list::<Schedule>(&items);
        }
        ScheduleCommand::Get { id } => client.get_schedule(id).text().await?,
        ScheduleCommand::Create(spec) => {
            client.create_schedule(&spec.id, &request(spec, session)?).text().await?
        }
        ScheduleCommand::Update(spec) => {
            client.update_schedule(&spec.id, &request(spec, session)?).text().await?
        }
        ScheduleCommand::Pause { id } => client.pause_schedule(id).text().await?,
        ScheduleCommand::Resume { id } => client.resume_schedule(id).text().await?,
        ScheduleCommand::Trigger { id } => return trigger(id, session).await,
        ScheduleCommand::Delete { id } => {
            session.confirm(&format!("remove the schedule `{id}`"))?;
            client.delete_schedule(id).await?;
            return Ok(());
        }
    };
    session.show_one::<Schedule>(&parsed(text)?)
}

/// The name of a status as the API writes it.
fn capitalized(status: &str) -> String {
    let mut status = status.to_lowercase();
    if let Some(first) = status.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    status
}

fn request(spec: &ScheduleSpec, session: &mut Session<'_>) -> Result<ScheduleRequest, CliError> {
    let recurrence = match (&spec.cron, spec.every) {
        (Some(pattern), _) => Recurrence::Cron(pattern.clone()),
        (None, every) => Recurrence::EverySeconds(every.unwrap_or_default().as_secs_f64()),
    };
    let mut request = ScheduleRequest::new(&*spec.name, recurrence);
    request.input = input(spec.input.as_ref(), session)?;
    request.version.clone_from(&spec.version);
    request.tags = spec.tag.iter().cloned().collect();
    Ok(request)
}

/// Starts an instance as the schedule does at its ticks; the schedule does not count this run.
async fn trigger(id: &str, session: &mut Session<'_>) -> Result<(), CliError> {
    let schedule = session.client.get_schedule(id).await?;
    let mut start = StartRequest::new(schedule.orchestration);
    start.version = schedule.version;
    start.input = schedule.input;
    start.tags = schedule.tags;
    let started = session.client.start_instance(&start).await?;
    session.io.write(&format!("{}\n", started.instance_id));
    Ok(())
}
