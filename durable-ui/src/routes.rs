//! From a request to a page, an asset, or an answer of the API.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Response, StatusCode};

use crate::api::{Failure, forward, problem};
use crate::app::App;
use crate::assets;
use crate::call::{Asked, Call, KEY_COOKIE, View};
use crate::frame::{self, Page};
use crate::query::{Query, encode};
use crate::screens;

/// Allows scripts, styles and connections only from the same origin, and nothing inline.
const POLICY: &str = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; \
                      frame-ancestors 'none'";
/// The maximum size of the form that takes a key, in bytes.
const FORM_MAX: usize = 16 * 1024;

pub(crate) async fn answer(app: App, request: Request) -> Response<Body> {
    let path = request.uri().path().to_owned();
    let (parts, body) = request.into_parts();
    if let Some((version, name)) = path.strip_prefix("/assets/").and_then(|it| it.split_once('/')) {
        let asset = assets::answer(version, name, &parts.headers);
        return asset.unwrap_or_else(|| empty(StatusCode::NOT_FOUND));
    }
    let asked = Asked::new(app, &parts);
    if path.starts_with("/api/v1/") {
        return api(&asked, parts, body).await;
    }
    match (&parts.method, path.as_str()) {
        (&Method::POST, "/key") => return keep_key(&asked, body).await,
        (&Method::GET | &Method::HEAD, _) => {}
        _ => return empty(StatusCode::METHOD_NOT_ALLOWED),
    }
    page(asked).await
}

async fn page(asked: Asked) -> Response<Body> {
    let call = match asked.admitted().await {
        Ok(call) => call,
        Err((view, failure)) => return failed(&view, &failure),
    };
    if call.path == ["instances.export"] {
        return match screens::instances::export(&call).await {
            Ok(mut file) => {
                guard(&mut file);
                file
            }
            Err(failure) => failed(&call.view, &failure),
        };
    }
    match screen(&call).await {
        Ok(page) if call.fragment().is_some() => html(StatusCode::OK, page.body.into_string()),
        Ok(page) => html(StatusCode::OK, frame::document(&call.view, &page)),
        Err(failure) => failed(&call.view, &failure),
    }
}

fn failed(view: &View, failure: &Failure) -> Response<Body> {
    tracing::debug!(code = failure.code, detail = failure.detail, "page failed");
    let page = screens::failed::page(view, failure);
    html(failure.status, frame::document(view, &page))
}

/// The table of pages.
async fn screen(call: &Call) -> Result<Page, Failure> {
    let path: Vec<_> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        [] => screens::overview::answer(call).await,
        ["instances"] => screens::instances::answer(call).await,
        ["instances", _] | ["instances", _, _] => screens::instance::answer(call).await,
        ["activities"] => screens::activities::answer(call).await,
        ["entities"] | ["entities", _, _] => screens::entities::answer(call).await,
        ["locks"] => screens::locks::answer(call).await,
        ["schedules"] | ["schedules", _] => screens::schedules::answer(call).await,
        ["batches"] | ["batches", _] => screens::batches::answer(call).await,
        ["grid"] => screens::grid::answer(call).await,
        ["compare"] => screens::compare::answer(call).await,
        ["hub"] => screens::hub::answer(call).await,
        ["start"] => screens::start::answer(call).await,
        ["live"] => screens::live::answer(call).await,
        _ => Err(Failure::not_found("The address names no page.")),
    }
}

/// A call that a script of a page makes, or a link to data.
async fn api(asked: &Asked, parts: Parts, body: Body) -> Response<Body> {
    let is_change = !matches!(parts.method, Method::GET | Method::HEAD);
    if is_change && asked.app.options().is_read_only {
        return problem(StatusCode::FORBIDDEN, "Read only", "this dashboard only shows");
    }
    let key = asked.key.as_deref();
    let mut answer = forward(&asked.app.api(), Request::from_parts(parts, body), key).await;
    // A payload of a user is data, even if its address is opened in a browser.
    guard(&mut answer);
    answer
}

/// Takes the key of the form, and keeps it in a cookie of the browser.
async fn keep_key(asked: &Asked, body: Body) -> Response<Body> {
    let form = to_bytes(body, FORM_MAX).await.unwrap_or_default();
    let form = Query::parse(Some(&String::from_utf8_lossy(&form)));
    let key = form.get("key").map(str::trim).unwrap_or_default();
    let path = if asked.links.base().is_empty() { "/" } else { asked.links.base() };
    let age = if key.is_empty() { "; Max-Age=0" } else { "" };
    let cookie =
        format!("{KEY_COOKIE}={}; Path={path}; HttpOnly; SameSite=Strict{age}", encode(key));
    // Only an address of this dashboard, because the form may come from anywhere.
    let (home, below) = (asked.links.home(), asked.links.to(""));
    let is_own = |to: &&str| to.starts_with(&below) && !to.starts_with("//") && !to.contains('\\');
    let to = form.get("to").filter(is_own).unwrap_or(&home);
    let mut answer = empty(StatusCode::SEE_OTHER);
    for (name, value) in [(SET_COOKIE, cookie.as_str()), (LOCATION, to)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            answer.headers_mut().insert(name, value);
        }
    }
    answer
}

fn html(status: StatusCode, text: String) -> Response<Body> {
    let mut answer = Response::new(Body::from(text));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(&mut answer);
    answer
}

fn guard(answer: &mut Response<Body>) {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}
