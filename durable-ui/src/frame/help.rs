//! The dialogs of every page: keys, and search.

use maud::{Markup, html};

use crate::call::View;

/// Keys and what they do.
const KEYS: [(&[&str], &str); 14] = [
    (&["/"], "Filter"),
    (&["Ctrl K"], "Search, go to"),
    (&["j", "k"], "Next, previous row"),
    (&["Enter"], "Open the row"),
    (&["x"], "Select the row"),
    (&["[", "]"], "Previous, next page"),
    (
        &["g", "then", "o", "i", "a", "e", "l", "s", "b", "h", "v"],
        "Go to: overview, instances, activities, entities, locks, schedules, batches, hub, events",
    ),
    (&["t", "h", "n"], "Tabs of an instance: timeline, history, pending"),
    (&["r"], "Refresh"),
    (&["p"], "Pause live changes"),
    (&["c"], "CLI and API for this page"),
    (&["d"], "Dark or light"),
    (&["Esc"], "Close, leave the field"),
    (&["?"], "This list"),
];

pub(super) fn keys() -> Markup {
    html! {
        dialog #help aria-labelledby="help-h" {
            h2 #help-h { "Keys" }
            dl.keys {
                @for (keys, what) in KEYS {
                    dt {
                        @for key in keys {
                            @if *key == "then" { "then " } @else { kbd { (key) } " " }
                        }
                    }
                    dd { (what) }
                }
            }
            form method="dialog" { button.b type="submit" { "Close" } }
        }
    }
}

/// The search box. Without its script, a search filters the list of instances by id.
pub(super) fn search(view: &View) -> Markup {
    html! {
        dialog #search aria-labelledby="search-h" {
            h2.vh #search-h { "Search" }
            form.find action=(view.links.to("instances")) {
                label.vh for="search-q" { "Id, name, tag or command" }
                (crate::parts::icon("search"))
                input.in #search-q name="prefix" autocomplete="off" spellcheck="false"
                    placeholder="Id, name, key:value, or a page" role="combobox"
                    aria-expanded="true" aria-controls="search-l";
            }
            ul.found #search-l role="listbox" aria-label="Found" {}
        }
    }
}
