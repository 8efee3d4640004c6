//! Schedules, and one of them.

use maud::html;

use crate::api::Failure;
use crate::call::Call;
use crate::frame::{Page, Place};

#[expect(clippy::unused_async, reason = "the table of pages awaits every screen")]
pub(crate) async fn answer(_: &Call) -> Result<Page, Failure> {
    let body = html! { div.head { h1 { "Schedules" } } };
    Ok(Page::new("Schedules", Place::Schedules, body))
}
