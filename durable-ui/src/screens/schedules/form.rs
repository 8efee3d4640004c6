//! The forms that create and change a schedule.

use super::{Recurrence, Schedule};
use crate::call::View;
use crate::format;
use crate::parts::{Action, Field, Input};
use crate::query::encode;

pub(super) fn create(view: &View, names: &[String]) -> Action {
    let id = Field::new("id", "Id", Input::Text).required();
    let action = Action::post("create", "Create a schedule", view.links.api("schedules"))
        .asks("Create a schedule", "It starts an instance at each of its ticks, which are in UTC.")
        .field(id);
    with_fields(action, None, names.to_vec()).then(view.links.to("schedules/{id}"))
}

/// Replaces what the schedule starts and when.
pub(super) fn edit(view: &View, schedule: &Schedule) -> Action {
    let url = view.links.api(format_args!("schedules/{}", encode(&schedule.id)));
    let action = Action::post("edit", "Edit", url)
        .method("PUT")
        .asks(
            format!("Edit {}", format::cut(&schedule.id, 80)),
            "From its next tick on. Instances that it has started stay as they are.",
        )
        .keeps("Leave it as it is");
    with_fields(action, Some(schedule), Vec::new())
}

fn with_fields(action: Action, of: Option<&Schedule>, names: Vec<String>) -> Action {
    let cron = of.and_then(|it| match &it.recurrence {
        Recurrence::Cron(pattern) => Some(pattern.clone()),
        Recurrence::EverySeconds(_) => None,
    });
    let every = of.and_then(|it| match &it.recurrence {
        Recurrence::EverySeconds(seconds) => Some(seconds.to_string()),
        Recurrence::Cron(_) => None,
    });
    let time = |at: Option<chrono::DateTime<chrono::Utc>>| at.map(format::rfc3339);
    let tags = of.map(|it| serde_json::to_string(&it.tags).unwrap_or_default());
    let field = |name, label, input, value: Option<String>| {
        Field::new(name, label, input).value(value.unwrap_or_default())
    };
    let name = of.map(|it| it.orchestration.clone());
    let late = of.is_some_and(|it| it.start_immediately_if_late).then(|| "true".to_owned());
    action
        .field(field("name", "Orchestration", Input::Suggested(names), name).required())
        .field(field(
            "version",
            "Version; the newest if it is empty",
            Input::Text,
            of.and_then(|it| it.version.clone()),
        ))
        .field(field("cron", "Cron pattern, in UTC, such as 0 7 * * *", Input::Text, cron))
        .field(field("everySeconds", "Or an interval in seconds", Input::Number, every))
        .field(field(
            "input",
            "Input, as JSON",
            Input::Json,
            of.map(|it| it.input.as_str().to_owned()),
        ))
        .field(field("tags", "Tags, as JSON", Input::Json, tags.filter(|it| it != "{}")))
        .field(field(
            "startAt",
            "Not before, such as 2026-01-02T03:04:05Z",
            Input::Text,
            time(of.and_then(|it| it.start_at)),
        ))
        .field(field("endAt", "Not after", Input::Text, time(of.and_then(|it| it.end_at))))
        .field(field(
            "instanceIdPrefix",
            "Beginning of the ids; that of the schedule if it is empty",
            Input::Text,
            of.and_then(|it| it.instance_id_prefix.clone()),
        ))
        .field(field(
            "startImmediatelyIfLate",
            "Run the last missed tick at once",
            Input::Check,
            late,
        ))
}
