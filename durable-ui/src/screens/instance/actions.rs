//! What can be done to an instance, and why not.

use durable::RuntimeStatus;

use super::model::Details;
use super::why::Waits;
use crate::call::View;
use crate::parts::{Action, Field, Input};
use crate::query::encode;

/// The actions that the reader may take.
#[derive(Debug, Default)]
pub(super) struct Actions {
    /// Buttons.
    pub(super) main: Vec<Action>,
    /// Entries of the menu; an entry that is refused now has the reason.
    pub(super) more: Vec<(Action, Option<&'static str>)>,
}

pub(super) fn of(view: &View, details: &Details, waits: &Waits) -> Actions {
    let mut actions = Actions::default();
    if !view.access.may_operate() {
        return actions;
    }
    let status = details.runtime_status;
    let is_open = !status.is_finished();
    let rewind = rewind(view, details);
    match status {
        RuntimeStatus::Suspended => actions.main.push(resume(view, details)),
        RuntimeStatus::Failed => actions.main.push(rewind.clone()),
        _ => {}
    }
    if is_open {
        actions.main.push(raise(view, details, waits));
    }
    if matches!(status, RuntimeStatus::Running | RuntimeStatus::Pending) {
        actions.main.push(suspend(view, details));
    }
    if status != RuntimeStatus::Failed {
        actions.more.push((rewind, Some("only what failed")));
    }
    actions.more.push((restart(view, details), None));
    let has_ended = (!is_open).then_some("it has ended");
    actions.more.push((terminate(view, details), has_ended));
    if view.access.may_delete() {
        let refused = is_open.then_some("only what has ended");
        actions.more.push((purge(view, details), refused));
    }
    actions
}

fn url(view: &View, details: &Details, action: &str) -> String {
    view.links.api(format_args!("instances/{}:{action}", encode(&details.instance_id)))
}

fn suspend(view: &View, details: &Details) -> Action {
    let question = format!("Suspend {}?", details.instance_id);
    Action::post("suspend", "Suspend", url(view, details, "suspend"))
        .asks(question, "It takes no further step until it is resumed. Activities that run go on, and events that arrive are kept.")
        .keeps("Keep it running")
        .reason()
}

fn resume(view: &View, details: &Details) -> Action {
    let question = format!("Resume {}?", details.instance_id);
    Action::post("resume", "Resume", url(view, details, "resume"))
        .asks(question, "It continues where it was suspended.")
        .keeps("Keep it suspended")
        .reason()
}

fn rewind(view: &View, details: &Details) -> Action {
    let question = format!("Rewind {}?", details.instance_id);
    Action::post("rewind", "Rewind", url(view, details, "rewind"))
        .asks(question, "Its failures are removed from the history, and the failed tasks run again. What succeeded stays.")
        .keeps("Leave it failed")
        .reason()
}

fn raise(view: &View, details: &Details, waits: &Waits) -> Action {
    let mut awaited = waits.awaited_events().to_vec();
    awaited.dedup();
    let effect = match &*awaited {
        [] => "It waits for no event now. The event is kept until it does.".to_owned(),
        names => format!("It waits for {}.", names.join(", ")),
    };
    let name = Field::new("{event}", "Event", Input::Suggested(awaited.clone()));
    let name = name.value(awaited.first().cloned().unwrap_or_default()).required();
    Action::post("raise", "Raise event", url(view, details, "raise/{event}"))
        .asks(format!("Raise an event to {}?", details.instance_id), effect)
        .field(name)
        .field(Field::new("", "Payload, as JSON", Input::Json))
}

fn restart(view: &View, details: &Details) -> Action {
    let question = format!("Restart {}?", details.instance_id);
    Action::post("restart", "Restart", url(view, details, "restart"))
        .asks(question, "It starts again with the same input: under a new id, or in its place, which ends it and removes its history.")
        .keeps("Do not restart")
        .field(Field::new("newInstance", "Under a new id", Input::Check).value("true"))
        .field(Field::new("id", "The new id; generated if empty", Input::Text))
        .then(view.links.instance("{instanceId}").replace("%7BinstanceId%7D", "{instanceId}"))
}

fn terminate(view: &View, details: &Details) -> Action {
    let question = format!("Terminate {}?", details.instance_id);
    Action::post("terminate", "Terminate", url(view, details, "terminate"))
        .asks(question, "It ends now, without running any code of its own. This cannot be undone.")
        .keeps("Keep it running")
        .reason()
        .field(Field::new("recursive", "Also the children that it waits for", Input::Check))
        .destructive()
}

fn purge(view: &View, details: &Details) -> Action {
    let question = format!("Purge {}?", details.instance_id);
    Action::post("purge", "Purge", url(view, details, "purge"))
        .asks(question, "Its record, history, input and output are removed. This cannot be undone.")
        .keeps("Keep it")
        .field(Field::new("recursive", "Also its children that have ended", Input::Check))
        .destructive()
        .then(view.links.to("instances"))
}
