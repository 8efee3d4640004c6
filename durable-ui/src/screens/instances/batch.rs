//! Actions on the selected rows, or on all instances that match the filter.
//!
//! The script acts on selected rows one by one, and says in advance which will be refused. A batch
//! of the API acts on all matching instances; its dry run counts them.

use maud::{Markup, html};

use super::Model;
use crate::call::View;
use crate::parts::{Action, Field, Input, confirm};

/// A verb, its button, whether it ends or deletes something, and the statuses that it acts on.
type Verb = (&'static str, &'static str, bool, &'static str);

const VERBS: [Verb; 6] = [
    ("rewind", "Rewind", false, "Failed"),
    ("restart", "Restart", false, "Completed Failed Terminated"),
    ("suspend", "Suspend", false, "Pending Running"),
    ("resume", "Resume", false, "Suspended"),
    ("terminate", "Terminate", true, "Pending Running Suspended"),
    ("purge", "Purge", true, "Completed Failed Terminated"),
];

fn verbs(view: &View) -> impl Iterator<Item = Verb> {
    let may_delete = view.access.may_delete();
    VERBS.into_iter().filter(move |(verb, ..)| *verb != "purge" || may_delete)
}

/// Shown by the script as soon as a row is selected.
pub(super) fn bar(view: &View, model: &Model) -> Markup {
    // The body of a batch, without its action.
    let filter = model.filter.batch().to_string();
    html! {
        div.bar #batch role="region" aria-label="Actions on the selected" hidden data-script="list"
            data-filter=(filter) data-api=(view.links.api("")) {
            span.nw { b #picked { "0" } " selected" }
            button.b.s.g type="button" data-do="pick-matching" aria-pressed="false" {
                "Select all that match"
            }
            button.b.s.g type="button" data-do="clear" { "Clear" }
            span.sp {}
            div.row.scr {
                @for (verb, label, is_destructive, from) in verbs(view) {
                    button class=(if is_destructive { "b s d" } else { "b s" }) type="button"
                        data-do="batch" data-verb=(verb) data-from=(from) { (label) }
                }
            }
            p.dry #dry role="status" hidden {}
        }
    }
}

/// One confirmation for each verb. The script fills in the number of instances.
pub(super) fn dialogs(view: &View, _: &Model) -> Markup {
    html! {
        @for (verb, label, is_destructive, _) in verbs(view) {
            @let action = Action::post(&format!("batch-{verb}"), label, "");
            @let action = action.asks(format!("{label} the selected instances?"), " ").keeps("Leave them");
            @let action = match verb {
                "restart" | "purge" => action,
                _ => action.reason(),
            };
            @let action = match verb {
                "terminate" | "purge" => {
                    action.field(Field::new("recursive", "Their children, too", Input::Check))
                }
                _ => action,
            };
            @let action = if is_destructive { action.destructive() } else { action };
            (confirm(&action))
        }
    }
}
