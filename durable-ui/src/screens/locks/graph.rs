//! The graph of locks: holders, the entities that they hold, and the waiting instances, in three
//! columns.
//!
//! The table below the graph says the same in words, so the graph is a picture that consists of
//! links.

use maud::{Markup, html};

use super::{Locked, Part};
use crate::call::View;
use crate::format;
use crate::parts::entity_name;

/// The distance between rows, and the height of a box, in pixels.
const ROW: usize = 56;
const BOX: usize = 48;
const TOP: usize = 28;
/// The maximum number of waiters of an entity that are drawn.
const WAITERS: usize = 5;
/// The columns, and the lines between them, in percent.
const COLUMNS: [&str; 3] = ["0%", "37%", "74%"];
const WIDTH: &str = "26%";
const EDGES: [[&str; 3]; 2] = [["26%", "31.5%", "37%"], ["63%", "68.5%", "74%"]];
/// The number of characters of an id that fit.
const ROOM: usize = 34;

/// An entity and the rows that it takes up.
struct Placed<'a> {
    lock: &'a Locked,
    first: usize,
    rows: usize,
}

impl Placed<'_> {
    fn middle(&self) -> usize {
        middle(self.first, self.rows)
    }
}

/// The middle of some rows, in pixels.
fn middle(first: usize, rows: usize) -> usize {
    TOP + first * ROW + (rows * ROW - (ROW - BOX)) / 2
}

pub(super) fn draw(view: &View, locks: &[Locked]) -> Markup {
    let mut placed = Vec::new();
    let mut first = 0;
    for lock in locks {
        let more = usize::from(lock.waiters.len() > WAITERS);
        let rows = (lock.waiters.len().min(WAITERS) + more).max(1);
        placed.push(Placed { lock, first, rows });
        first += rows;
    }
    let holders: Vec<_> = placed
        .chunk_by(|a, b| a.lock.holder.instance == b.lock.holder.instance)
        .map(|of| (of, middle(of[0].first, of.iter().map(|it| it.rows).sum())))
        .collect();
    html! {
        svg.gr.deskonly height=(TOP + first * ROW) role="group"
            aria-label="Graph of locks: holder, entity, who waits" {
            @for (x, heading) in COLUMNS.into_iter().zip(["Holds", "Entity", "Waits, in order"]) {
                text.gh x=(x) y="14" { (heading) }
            }
            @for (of, at) in &holders {
                @for it in *of { (edge("hold", EDGES[0], *at, it.middle())) }
            }
            @for it in &placed {
                @for row in 0..it.rows.min(it.lock.waiters.len()) {
                    (edge("wait", EDGES[1], it.middle(), middle(it.first + row, 1)))
                }
            }
            @for (of, at) in &holders { (holder(view, &of[0].lock.holder, *at)) }
            @for it in &placed { (entity(view, it)) (waiters(view, it)) }
        }
    }
}

/// A line between two columns, with a step in the middle.
fn edge(class: &str, [x1, x2, x3]: [&str; 3], from: usize, to: usize) -> Markup {
    html! {
        line class=(class) x1=(x1) x2=(x2) y1=(from) y2=(from) {}
        @if from != to { line class=(class) x1=(x2) x2=(x2) y1=(from) y2=(to) {} }
        line class=(class) x1=(x2) x2=(x3) y1=(to) y2=(to) {}
    }
}

fn holder(view: &View, holder: &Part, at: usize) -> Markup {
    let held = match holder.since {
        Some(from) => format!("held for {}", format::duration(view.now - from)),
        None => "holds".to_owned(),
    };
    let link = view.links.instance(&holder.instance);
    node("", COLUMNS[0], at, &link, &holder.instance, &held)
}

fn entity(view: &View, placed: &Placed<'_>) -> Markup {
    let entity = &placed.lock.entity;
    let wait = match placed.lock.waiters.len() {
        0 => "nobody waits".to_owned(),
        1 => "1 waits".to_owned(),
        many => format!("{many} wait"),
    };
    let link = view.links.entity(entity);
    node("ent", COLUMNS[1], placed.middle(), &link, &entity_name(entity), &wait)
}

fn waiters(view: &View, placed: &Placed<'_>) -> Markup {
    let Placed { lock, first, .. } = placed;
    html! {
        @for (row, waiter) in lock.waiters.iter().take(WAITERS).enumerate() {
            @let time = waiter.since.map(|from| format!(", {}", format::duration(view.now - from)));
            @let words = format!("position {}{}", row + 1, time.unwrap_or_default());
            @let link = view.links.instance(&waiter.instance);
            (node("", COLUMNS[2], middle(first + row, 1), &link, &waiter.instance, &words))
        }
        @if let Some(more) = lock.waiters.len().checked_sub(WAITERS).filter(|more| *more > 0) {
            text.gs x=(COLUMNS[2]) y=(middle(first + WAITERS, 1)) {
                "and " (more) " more, see the table"
            }
        }
    }
}

fn node(class: &str, x: &str, at: usize, link: &str, name: &str, words: &str) -> Markup {
    html! {
        a class=(class) href=(link) {
            svg x=(x) y=(at - BOX / 2) width=(WIDTH) height=(BOX) {
                title { (name) ", " (words) }
                rect x="1" y="1" width="calc(100% - 2px)" height=(BOX - 2) rx="4" {}
                text x="12" y="21" { (format::cut(name, ROOM)) }
                text.gs x="12" y="38" { (words) }
            }
        }
    }
}
