//! Operations on instances: by id, or as a batch on all instances of a filter.

use durable_http::client::{BatchAction, BatchRequest, Client, ClientError, InstanceStatus};

use super::{batches, input, parsed};
use crate::args::{Format, Purge, Raise, Restart, Selected, Steered, Terminate};
use crate::error::{CliError, chain};
use crate::output::Instance;
use crate::session::Session;

/// The operation on each instance.
#[derive(Clone)]
enum Act {
    Batchable(BatchAction),
    /// Under this id, or under a generated one.
    RestartAs(Option<String>),
}

pub(super) async fn raise(raise: &Raise, session: &mut Session<'_>) -> Result<(), CliError> {
    let payload = input(raise.input.as_ref(), session)?;
    let text = session.client.raise_event(&raise.id, &raise.event, &payload).text().await?;
    if session.is_for_people() || session.global.output == Format::Name {
        session.io.write(&format!("{}\n", raise.id));
        return Ok(());
    }
    session.show_one::<Instance>(&parsed(text)?)
}

pub(super) async fn suspend(steered: &Steered, session: &mut Session<'_>) -> Result<(), CliError> {
    let reason = session.reason(steered.reason.as_ref());
    let act = Act::Batchable(BatchAction::Suspend { reason });
    run(&steered.selected, act, "suspend", false, session).await
}

pub(super) async fn resume(steered: &Steered, session: &mut Session<'_>) -> Result<(), CliError> {
    let reason = session.reason(steered.reason.as_ref());
    let act = Act::Batchable(BatchAction::Resume { reason });
    run(&steered.selected, act, "resume", false, session).await
}

pub(super) async fn rewind(steered: &Steered, session: &mut Session<'_>) -> Result<(), CliError> {
    let reason = session.reason(steered.reason.as_ref());
    let act = Act::Batchable(BatchAction::Rewind { reason });
    run(&steered.selected, act, "rewind", false, session).await
}

pub(super) async fn terminate(
    terminate: &Terminate,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let reason = session.reason(terminate.steered.reason.as_ref());
    let recursive = terminate.recursive;
    let act = Act::Batchable(BatchAction::Terminate { reason, recursive });
    run(&terminate.steered.selected, act, "terminate", true, session).await
}

pub(super) async fn restart(restart: &Restart, session: &mut Session<'_>) -> Result<(), CliError> {
    let act = match &restart.new_id {
        None => Act::Batchable(BatchAction::Restart {}),
        Some(id) => Act::RestartAs(id.clone()),
    };
    // Under its own id, its history is replaced.
    let is_destructive = restart.new_id.is_none();
    run(&restart.selected, act, "restart", is_destructive, session).await
}

pub(super) async fn purge(purge: &Purge, session: &mut Session<'_>) -> Result<(), CliError> {
    let act = Act::Batchable(BatchAction::Purge { recursive: purge.recursive });
    run(&purge.selected, act, "purge", true, session).await
}

async fn run(
    selected: &Selected,
    act: Act,
    verb: &str,
    is_destructive: bool,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    match (selected.ids.is_empty(), selected.filter.is_empty()) {
        (true, true) => Err(CliError::Usage(format!(
            "nothing to {verb}; give ids, `-` to read them from stdin, or a filter such as \
             `--status failed`"
        ))),
        (false, false) => Err(CliError::Usage("give either ids or a filter, not both".to_owned())),
        (false, true) => on_ids(selected, &act, verb, is_destructive, session).await,
        (true, false) => {
            let Act::Batchable(action) = act else {
                let text = "a batch restarts instances under their own ids; leave out `--new-id`";
                return Err(CliError::Usage(text.to_owned()));
            };
            on_filter(selected, action, verb, session).await
        }
    }
}

/// Acts on each instance, even after a failure; the exit code is that of the first failure.
async fn on_ids(
    selected: &Selected,
    act: &Act,
    verb: &str,
    is_destructive: bool,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let ids = session.ids(&selected.ids)?;
    if selected.dry_run {
        for id in &ids {
            session.io.write(&format!("{id}\n"));
        }
        let count = ids.len();
        session.io.tell(&format!("dry run: would {verb} these {count} instances\n"));
        return Ok(());
    }
    if is_destructive && !ids.is_empty() {
        let question = match ids.as_slice() {
            [id] => format!("{verb} `{id}`"),
            ids => format!("{verb} {} instances", ids.len()),
        };
        session.confirm(&question)?;
    }
    let mut failed = None;
    for id in &ids {
        match once(&session.client, id, act).await {
            Ok(shown) => show(id, shown, session)?,
            Err(error) => {
                session.io.tell(&format!("error: {}\n", chain(&error)));
                failed.get_or_insert(CliError::from(error).exit());
            }
        }
    }
    failed.map_or(Ok(()), |exit| Err(CliError::Reported(exit)))
}

fn show(id: &str, text: String, session: &mut Session<'_>) -> Result<(), CliError> {
    if session.is_for_people() || session.global.output == Format::Name {
        // Another id, if it was restarted as a new instance.
        let status: Option<InstanceStatus> = serde_json::from_str(&text).ok();
        let id = status.map_or_else(|| id.to_owned(), |status| status.instance_id);
        session.io.write(&format!("{id}\n"));
        return Ok(());
    }
    session.show_json(parsed(text)?.get())
}

/// The answer of the API.
async fn once(client: &Client, id: &str, act: &Act) -> Result<String, ClientError> {
    match act {
        Act::RestartAs(new_id) => client.restart_instance_as(id, new_id.as_deref()).text().await,
        Act::Batchable(action) => match action {
            BatchAction::Suspend { reason } => client.suspend_instance(id, reason).text().await,
            BatchAction::Resume { reason } => client.resume_instance(id, reason).text().await,
            BatchAction::Rewind { reason } => client.rewind_instance(id, reason).text().await,
            BatchAction::Terminate { reason, recursive } => {
                client.terminate_instance(id, reason, *recursive).text().await
            }
            BatchAction::Purge { recursive } => client.purge_instance(id, *recursive).text().await,
            _ => client.restart_instance(id).text().await,
        },
    }
}

async fn on_filter(
    selected: &Selected,
    action: BatchAction,
    verb: &str,
    session: &mut Session<'_>,
) -> Result<(), CliError> {
    let filter = selected.filter.instances(session.io.now());
    let mut request = BatchRequest::new(filter.clone(), action);
    request.per_second = Some(selected.rps);
    if selected.dry_run {
        request = request.dry_run();
    } else {
        let count = session.client.count_instances(&filter, None).await?.count;
        session.confirm(&format!("{verb} {count} instances"))?;
    }
    batches::run_to_its_end(&request, session).await
}
