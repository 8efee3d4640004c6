//! The poll that follows a response with status 202: its URL and its header fields.

use reqwest::Url;

use super::request::HttpRequest;
use super::response::HttpResponse;

/// 202 Accepted.
const ACCEPTED: u16 = 202;

/// The poll that follows a response; `None` if the response is the result of the call. `is_poll`
/// says whether the request was itself a poll.
pub(super) fn next_poll(
    request: &HttpRequest,
    response: &HttpResponse,
    is_poll: bool,
) -> Option<HttpRequest> {
    if response.status() != ACCEPTED || !request.polling().is_on() {
        return None;
    }
    let from = Url::parse(request.url()).ok()?;
    let Some(location) = response.location() else {
        return is_poll.then(|| request.clone());
    };
    // A relative location is relative to the URL that gave it, behind all redirects.
    let base = Url::parse(response.url()).unwrap_or_else(|_| from.clone());
    let to = base.join(location).ok()?;
    let mut next = request.moved(&from, &to);
    if base.origin() != to.origin() {
        next = next.moved(&base, &to);
    }
    Some(next.into_get())
}
