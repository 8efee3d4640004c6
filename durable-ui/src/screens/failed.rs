//! Pages for what could not be shown, and the form that asks for a key.

use maud::{Markup, html};

use crate::api::Failure;
use crate::call::View;
use crate::frame::{Page, Place};
use crate::parts::text;

pub(crate) fn page(view: &View, failure: &Failure) -> Page {
    if failure.needs_key() {
        return Page::new("Key", Place::Nowhere, key(view, failure));
    }
    Page::new(failure.title.clone(), Place::Nowhere, reason(failure))
}

/// What could not be done, what to do, and the details for a report.
fn reason(failure: &Failure) -> Markup {
    let title = if failure.title.is_empty() { "Something failed" } else { &failure.title };
    html! {
        div.head { h1 { (text(title)) } }
        div.note.bad role="alert" {
            p { (text(&failure.detail)) }
            p.q2.m {
                (failure.status.as_u16())
                @if !failure.code.is_empty() { " " (failure.code) }
                @if !failure.request_id.is_empty() { ", request " (failure.request_id) }
            }
            @if failure.retryable {
                div.row.acts { button.b.s type="button" data-do="refresh" { "Try again" } }
            }
        }
    }
}

fn key(view: &View, failure: &Failure) -> Markup {
    html! {
        div.head { h1 { "This hub asks for a key" } }
        @if view.has_key { div.note.bad role="alert" { p { (text(&failure.detail)) } } }
        form.row.flt method="post" action=(view.links.to("key")) {
            label for="key" { "Key" }
            input.in #key name="key" type="password" required autocomplete="current-password";
            button.b.p type="submit" { "Open" }
        }
        p.q2.pad2 { "It stays in a cookie of this browser, which scripts cannot read." }
    }
}
