//! The route of callback links: `GET` asks, `POST` raises the event.

use axum::http::{Method, StatusCode};
use axum::response::Response;
use durable::client::{HubError, StartError};

use super::{CallbackUrl, pages, raise_once};
use crate::access::Role;
use crate::answer::{About, Failure, with_retry_after};
use crate::call::Call;
use crate::json::with_header;
use crate::problem::{Code, Problem};
use crate::route::{Route, Table, handler};

pub(crate) const BASE: &str = "/callbacks";

pub(crate) static TABLE: Table<Page> =
    Table { routes: &[ROUTES], ignores_case: false, is_open: true };

const ROUTES: &[Route<Page>] = &[
    Route::new(Method::GET, "{token}", Role::Read, handler!(ask)),
    Route::new(Method::POST, "{token}", Role::Operate, handler!(raise)),
];

/// The page that says why a link has no effect.
#[derive(Debug)]
pub(crate) enum Page {
    Invalid,
    Expired,
    Used,
    Ended,
    Refused(Problem),
}

impl From<Problem> for Page {
    fn from(problem: Problem) -> Self {
        match problem.code {
            // A link that was cut off at a `/` or that has one too many.
            Code::NoSuchRoute => Self::Invalid,
            _ => Self::Refused(problem),
        }
    }
}

impl Failure for Page {
    const TELLS_METHODS: bool = true;

    fn answer(self, about: &About<'_>) -> Response {
        let (status, heading, sentence) = match &self {
            Self::Invalid => (
                StatusCode::NOT_FOUND,
                "This link is not valid",
                "It may have been cut off. Open the complete link from the message.",
            ),
            Self::Expired => (StatusCode::GONE, "This link has expired", "Nothing was changed."),
            Self::Used => (
                StatusCode::GONE,
                "This link was already used",
                "Each link works once. Nothing was changed now.",
            ),
            Self::Ended => (
                StatusCode::GONE,
                "An answer is no longer needed",
                "What you were asked about has moved on. Nothing was changed.",
            ),
            Self::Refused(problem) => {
                let request_id = about.request_id;
                let sentence = format!("Please try again later. (Request {request_id})");
                let page = pages::message(problem.status(), "This did not work", &sentence);
                let page = match &problem.allow {
                    Some(methods) => with_header(page, "allow", methods),
                    None => page,
                };
                return with_retry_after(page, problem.code);
            }
        };
        pages::message(status, heading, sentence)
    }
}

async fn ask(call: Call) -> Result<Response, Page> {
    let callback = usable(&call).await?;
    let used = call.hub().instance(callback.used_by()).map_err(|_| Page::Invalid)?;
    match used.status().await {
        Err(HubError::NoSuchInstance(_)) => {}
        Ok(_) => return Err(Page::Used),
        Err(error) => return Err(Problem::from(error).into()),
    }
    let question = match &callback.prompt {
        Some(prompt) => prompt.clone(),
        None => format!("Send \u{201c}{}\u{201d}?", callback.event),
    };
    let expires = callback.expires_at.format("%Y-%m-%d %H:%M UTC");
    Ok(pages::confirmation(&question, &format!("The link is valid once, until {expires}.")))
}

async fn raise(call: Call) -> Result<Response, Page> {
    let callback = usable(&call).await?;
    let id = callback.used_by();
    match call.hub().start(raise_once(callback).instance_id(id)).await {
        Ok(_) => Ok(pages::message(StatusCode::OK, "Thank you", "Your answer was recorded.")),
        Err(StartError::AlreadyExists { .. }) => Err(Page::Used),
        Err(error) => Err(Problem::from(error).into()),
    }
}

/// The effect of the request's link, if it is signed and the execution is still running.
async fn usable(call: &Call) -> Result<CallbackUrl, Page> {
    let keys = call.options().callbacks.as_ref();
    let callback = keys.and_then(|keys| keys.verify(call.params.get("token")));
    let callback = callback.ok_or(Page::Invalid)?;
    if callback.expires_at <= call.hub().current_utc_datetime() {
        return Err(Page::Expired);
    }
    let instance = call.hub().instance(&callback.instance_id).map_err(|_| Page::Invalid)?;
    match instance.status().await {
        Ok(status)
            if status.execution_id == callback.execution_id
                && !status.runtime_status.is_finished() =>
        {
            Ok(callback)
        }
        Ok(_) | Err(HubError::NoSuchInstance(_)) => Err(Page::Ended),
        Err(error) => Err(Problem::from(error).into()),
    }
}
