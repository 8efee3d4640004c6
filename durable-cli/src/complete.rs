//! Completions for a shell: ids, names, events and operations of the hub, within 200 ms.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use durable::RuntimeStatus;
use durable_http::client::{
    Client, ClientError, Entity, EntityFilter, InstanceFilter, ScheduleFilter,
};

use crate::args::Cli;
use crate::config::{self, Profile};
use crate::connect::{DEFAULT_HUB, socket};
use crate::output::entity_name;
use crate::session::Io;

/// How long a shell waits for candidates.
const BUDGET: Duration = Duration::from_millis(200);
const CANDIDATES_MAX: usize = 50;

/// Answers a shell that asks for completions, and then ends the process.
pub(crate) fn answer_the_shell() {
    CompleteEnv::with_factory(Cli::command).complete();
}

/// The statuses of the instances on which the command on a line can act; all statuses if empty.
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

/// Names of the events that the instance named earlier on the line waits for.
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

/// Entities as `name/key`. If several types match, only their names, so that the entities of one
/// type do not hide the others.
pub(crate) fn entities(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let words: Vec<_> = std::env::args().collect();
    let is_set_aside = words
        .windows(2)
        .any(|pair| pair[0] == "entity" && (pair[1] == "resume" || pair[1] == "skip"));
    asked(async |client| {
        let mut filter = EntityFilter::new();
        filter.set_aside = is_set_aside;
        let name = match current.split_once('/') {
            Some((name, key)) => {
                filter.prefix = Some(key.to_owned());
                name.to_owned()
            }
            None => match &*entity_types(&client, current).await? {
                [name] => name.clone(),
                names => {
                    let names = names.iter().map(|name| format!("{name}/"));
                    return Ok(names.map(CompletionCandidate::new).collect());
                }
            },
        };
        filter.name = Some(name);
        let page = client.list_entities(&filter).limit(CANDIDATES_MAX).await?;
        let candidate = |it: Entity| CompletionCandidate::new(entity_name(&it.entity_id));
        Ok(page.items.into_iter().map(candidate).collect())
    })
}

/// The types of entities that begin with a text, as ids contain them.
async fn entity_types(client: &Client, beginning: &str) -> Result<Vec<String>, ClientError> {
    let registered = client.list_registered().await?.entities;
    let mut names: Vec<_> = registered.into_iter().map(|it| it.name.to_lowercase()).collect();
    names.retain(|name| name.starts_with(&beginning.to_lowercase()));
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

/// Operations of the entity named earlier on the line.
pub(crate) fn operations(current: &OsStr) -> Vec<CompletionCandidate> {
    let words: Vec<_> = std::env::args().collect();
    let verb = words.iter().position(|word| word == "signal" || word == "call");
    let entity = verb.and_then(|index| words.get(index + 1));
    let Some((name, _)) = entity.and_then(|id| id.split_once('/')) else { return Vec::new() };
    let Some(current) = current.to_str() else { return Vec::new() };
    asked(async |client| {
        let mut types = client.list_registered().await?.entities.into_iter();
        let found = types.find(|it| it.name.eq_ignore_ascii_case(name));
        let operations = found.map(|it| it.operations).unwrap_or_default();
        let names = operations.into_iter().map(|it| it.name);
        Ok(names.filter(|it| it.starts_with(current)).map(CompletionCandidate::new).collect())
    })
}

/// Ids of schedules.
pub(crate) fn schedules(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let mut filter = ScheduleFilter::new();
    filter.prefix = Some(current.to_owned());
    asked(async |client| {
        let page = client.list_schedules(&filter).limit(CANDIDATES_MAX).await?;
        Ok(page.items.into_iter().map(|it| CompletionCandidate::new(it.id)).collect())
    })
}

/// Ids of batches.
pub(crate) fn batches(current: &OsStr) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    asked(async |client| {
        let page = client.list_batches().limit(CANDIDATES_MAX).await?;
        let ids = page.items.into_iter().map(|it| it.id);
        Ok(ids.filter(|it| it.starts_with(current)).map(CompletionCandidate::new).collect())
    })
}

/// The hub's answer, if it comes in time; otherwise nothing, because a shell cannot show an error.
fn asked(
    ask: impl AsyncFnOnce(Client) -> Result<Vec<CompletionCandidate>, ClientError>,
) -> Vec<CompletionCandidate> {
    let Some(client) = client() else { return Vec::new() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let Ok(runtime) = runtime else { return Vec::new() };
    let answer = async { tokio::time::timeout(BUDGET, ask(client)).await };
    runtime.block_on(answer).ok().and_then(Result::ok).unwrap_or_default()
}

/// The hub of the line that is being completed, chosen as `connect` chooses it. Neither a folder
/// nor the hub of this program is opened for a completion.
fn client() -> Option<Client> {
    let words: Vec<_> = std::env::args().collect();
    let io = Io::of_process();
    let profile = |name: &str| {
        let Profile { hub, path, key } = config::profile(name, &io).ok()?;
        Some((hub.or_else(|| socket(Path::new(&path?)))?, key))
    };
    let (place, key) = if let Some(place) = option(&words, "--hub") {
        (place, None)
    } else if let Some(path) = option(&words, "--path") {
        (socket(Path::new(&path))?, None)
    } else if let Some(name) = option(&words, "--profile") {
        profile(&name)?
    } else if let Some(place) = io.variable("DURABLE_HUB") {
        (place.to_owned(), None)
    } else if let Some(name) = io.variable("DURABLE_PROFILE") {
        profile(name)?
    } else {
        (DEFAULT_HUB.to_owned(), None)
    };
    let client = Client::connect(&place).ok()?;
    match key.as_deref().or_else(|| io.variable("DURABLE_KEY")) {
        Some(key) => client.with_key(key).ok(),
        None => Some(client),
    }
}

/// The value of an option of a line, which is written `--name value` or `--name=value`.
fn option(words: &[String], name: &str) -> Option<String> {
    words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix(name)? {
        "" => words.get(index + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_found_in_both_notations() {
        let of =
            |line: &str| option(&line.split(' ').map(str::to_owned).collect::<Vec<_>>(), "--hub");
        assert_eq!(of("durable --hub a list"), Some("a".to_owned()));
        assert_eq!(of("durable list --hub=b"), Some("b".to_owned()));
        assert_eq!(of("durable --hubs c list --hub"), None);
    }

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
