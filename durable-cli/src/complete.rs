//! What a shell completes: ids, names and events of the hub, within 200 ms.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use durable::RuntimeStatus;
use durable_http::client::{Client, ClientError, InstanceFilter};

use crate::args::Cli;
use crate::connect::{DEFAULT_HUB, socket};

/// How long a shell waits for candidates.
const BUDGET: Duration = Duration::from_millis(200);
const CANDIDATES_MAX: usize = 50;

/// Answers a request of a shell and ends the process, if this is one.
pub(crate) fn answer_the_shell() {
    CompleteEnv::with_factory(Cli::command).complete();
}

/// The statuses of the instances on which the command of a line can act; all if there are none.
fn statuses(words: &[String]) -> &'static [RuntimeStatus] {
    use RuntimeStatus::{Completed, Failed, Pending, Running, Suspended, Terminated};

    let known = |word: &String| -> Option<&'static [RuntimeStatus]> {
        Some(match &**word {
            "pending" | "raise" | "terminate" | "wait" => &[Running, Suspended, Pending],
            "suspend" => &[Running, Pending],
            "resume" => &[Suspended],
            "rewind" => &[Failed],
            "purge" => &[Completed, Failed, Terminated],
            _ => return None,
        })
    };
    words.iter().find_map(known).unwrap_or_default()
}

/// Statuses of instances.
pub(crate) fn status(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let all = ["pending", "running", "suspended", "completed", "failed", "terminated"];
    let fits = all.into_iter().filter(|status| status.starts_with(current));
    fits.map(CompletionCandidate::new).collect()
}

/// Ids of the instances on which the command can act.
pub(crate) fn ids(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let words: Vec<_> = std::env::args().collect();
    let mut filter = InstanceFilter::new().id_prefix(current);
    filter.status = statuses(&words).to_vec();
    asked(async |client| {
        let page = client.list_instances(&filter).limit(CANDIDATES_MAX).await?;
        let candidate = |it: durable_http::client::InstanceStatus| {
            let help = format!("{} {}", it.name, it.runtime_status);
            CompletionCandidate::new(it.instance_id).help(Some(help.into()))
        };
        Ok(page.items.into_iter().map(candidate).collect())
    })
}

/// Names of orchestrations.
pub(crate) fn names(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    asked(async |client| {
        let registered = client.list_registered().await?;
        let mut names: Vec<_> = registered.orchestrators.into_iter().map(|it| it.name).collect();
        names.retain(|name| name.starts_with(current));
        names.dedup();
        Ok(names.into_iter().map(CompletionCandidate::new).collect())
    })
}

/// Names of the events that the instance before it on the line waits for.
pub(crate) fn events(current: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<_> = std::env::args().collect();
    let raise = words.iter().position(|word| word == "raise");
    let Some(id) = raise.and_then(|index| words.get(index + 1)) else { return Vec::new() };
    let Some(current) = current.to_str() else { return Vec::new() };
    asked(async |client| {
        let pending = client.get_pending(id).await?;
        let names = pending.awaited_events.into_iter();
        Ok(names.filter(|it| it.starts_with(current)).map(CompletionCandidate::new).collect())
    })
}

/// What the hub answers in time; otherwise nothing, because a shell has no place for an error.
fn asked(
    ask: impl AsyncFnOnce(Client) -> Result<Vec<CompletionCandidate>, ClientError>,
) -> Vec<CompletionCandidate> {
    let Some(client) = client() else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let answer = async { tokio::time::timeout(BUDGET, ask(client)).await };
    runtime.block_on(answer).ok().and_then(Result::ok).unwrap_or_default()
}

/// The hub of the line that is being completed. A folder is not opened for it.
fn client() -> Option<Client> {
    let words: Vec<_> = std::env::args().collect();
    let option = |name: &str| {
        let index = words.iter().position(|word| word == name)?;
        words.get(index + 1).cloned()
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let in_folder = option("--path").and_then(|path| socket(Path::new(&path)));
    let place = in_folder.or_else(|| option("--hub")).or_else(|| variable("DURABLE_HUB"));
    let client = Client::connect(&place.unwrap_or_else(|| DEFAULT_HUB.to_owned())).ok()?;
    match variable("DURABLE_KEY") {
        Some(key) => client.with_key(&key).ok(),
        None => Some(client),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_instances_on_which_the_command_can_act_are_completed() {
        let of = |line: &str| statuses(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(of("durable -- durable resume o"), [RuntimeStatus::Suspended]);
        assert_eq!(of("durable -- durable --hub http://a rewind "), [RuntimeStatus::Failed]);
        assert!(!of("durable -- durable pending ").contains(&RuntimeStatus::Completed));
        assert_eq!(of("durable -- durable get "), []);
    }

    #[test]
    fn a_status_is_completed() {
        let found = status(OsStr::new("s"));
        assert_eq!(
            found.iter().map(CompletionCandidate::get_value).collect::<Vec<_>>(),
            ["suspended"]
        );
    }
}
