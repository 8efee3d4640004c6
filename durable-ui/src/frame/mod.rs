//! The frame around every page: top bar, navigation, drawer, and the dialogs that every page has.

mod drawer;
mod help;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::call::{Theme, View};
use crate::parts::icon;
pub(crate) use drawer::{Command, quoted};

/// The symbols of icons, and the pattern for waiting, which must be part of the document.
const SPRITE: PreEscaped<&str> = PreEscaped(include_str!("../../assets/sprite.svg"));

/// A page, without its frame.
#[derive(Debug)]
pub(crate) struct Page {
    /// The part of the title before the name of the hub.
    pub(crate) title: String,
    /// The entry of the navigation that is marked.
    pub(crate) place: Place,
    /// The content of `<main>`. A client that asks for a fragment gets only this.
    pub(crate) body: Markup,
    /// What the drawer shows.
    pub(crate) commands: Vec<Command>,
    /// The API route of server-sent events that tell the client to fetch fragments again.
    pub(crate) events: Option<String>,
    /// The shortest time between two fetches of fragments, in milliseconds.
    pub(crate) every: u32,
    /// Whether a fragment shows more than the page, so that it is fetched at once. Because such a
    /// fragment costs more, the script spends at most a tenth of the time on fetching fragments.
    pub(crate) is_partial: bool,
}

/// The entries of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Overview,
    Instances,
    Activities,
    Entities,
    Locks,
    Schedules,
    Batches,
    Hub,
    Live,
    Nowhere,
}

const NAVIGATION: [(Place, &str, &str); 9] = [
    (Place::Overview, "", "Overview"),
    (Place::Instances, "instances", "Instances"),
    (Place::Activities, "activities", "Activities"),
    (Place::Entities, "entities", "Entities"),
    (Place::Locks, "locks", "Locks"),
    (Place::Schedules, "schedules", "Schedules"),
    (Place::Batches, "batches", "Batches"),
    (Place::Hub, "hub", "Hub"),
    (Place::Live, "live", "Events"),
];

impl Page {
    pub(crate) fn new(title: impl Into<String>, place: Place, body: Markup) -> Self {
        Self {
            title: title.into(),
            place,
            body,
            commands: Vec::new(),
            events: None,
            every: 250,
            is_partial: false,
        }
    }

    pub(crate) fn commands(mut self, commands: impl IntoIterator<Item = Command>) -> Self {
        self.commands.extend(commands);
        self
    }

    /// Follows the lifecycle events of the hub that match this query, such as `?name=checkout`.
    pub(crate) fn follows_hub(mut self, query: &str) -> Self {
        self.events = Some(format!("events{query}"));
        self
    }

    /// Fetches fragments less often than four times a second, because they cost more.
    pub(crate) fn refreshes_every(mut self, millis: u32) -> Self {
        self.every = millis;
        self
    }

    pub(crate) fn partial(mut self, is_partial: bool) -> Self {
        self.is_partial = is_partial;
        self
    }

    /// Follows the history of an instance; the path is that of the API, such as
    /// `instances/order-17/events`.
    pub(crate) fn follows(mut self, path: impl Into<String>) -> Self {
        self.events = Some(path.into());
        self
    }
}

/// The whole document.
pub(crate) fn document(view: &View, page: &Page) -> String {
    let links = &view.links;
    let name = Some(view.name.as_str()).filter(|name| !name.is_empty());
    let title: Vec<_> =
        [Some(page.title.as_str()), name, Some("durable")].into_iter().flatten().collect();
    let markup = html! {
        (DOCTYPE)
        html lang="en" data-theme=[view.theme.map(Theme::name)] {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title.join(" \u{b7} ")) }
                link rel="icon" type="image/svg+xml" href=(links.asset("icon.svg"));
                link rel="stylesheet" href=(links.asset("style.css"));
                script type="module" src=(links.asset("ui.js")) {}
            }
            body data-base=(links.base()) data-now=(view.now.timestamp_millis()) {
                a.skip href="#main" { "Skip to content" }
                (SPRITE)
                (top(view, page))
                main #main tabindex="-1" data-events=[page.events.as_ref().map(|path| links.api(path))]
                    data-every=(page.every) data-partial[page.is_partial] {
                    (page.body)
                    (drawer::drawer(view, &page.commands))
                }
                div #say.vh role="status" {}
                (help::keys())
                (help::search(view))
            }
        }
    };
    markup.into_string()
}

fn top(view: &View, page: &Page) -> Markup {
    html! {
        header.top {
            a.brand href=(view.links.home()) { (icon("brand")) "durable" }
            span.hub { bdi { (view.name) } }
            nav.nav aria-label="Main" {
                @for (place, path, label) in NAVIGATION {
                    @let link = if path.is_empty() { view.links.home() } else { view.links.to(path) };
                    a href=(link) aria-current=[(place == page.place).then_some("page")] {
                        (label)
                    }
                }
            }
            span.sp.mobonly {}
            @if page.events.is_some() {
                button.b.s.g.live #live type="button" data-do="pause" data-s="on"
                    title="Pause live changes (p)" { "Live" }
            }
            button.b.s.g.ico type="button" data-do="search" aria-label="Search (Ctrl+K)" {
                (icon("search"))
            }
            button.b.s.g.ico.deskonly type="button" data-do="help" aria-label="Keys" { kbd { "?" } }
            button.b.s.g.ico type="button" data-do="theme"
                aria-label="Switch between light and dark" { (icon("theme")) }
            @if view.has_key {
                form method="post" action=(view.links.to("key")) {
                    input type="hidden" name="key" value="";
                    button.b.s.g type="submit" { "Forget key" }
                }
            }
        }
    }
}
