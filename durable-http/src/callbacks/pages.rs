//! The pages that a callback link shows. They need no script and load no resources.

use std::fmt::Write;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

use crate::json::with_header;

/// Forbids browsers to run scripts in these pages, load resources, show them in a frame, cache
/// them, or send their address, which contains the token, to other sites.
const HEADERS: [(&str, &str); 6] = [
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
         frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("x-robots-tag", "noindex"),
];

const STYLE: &str = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;\
                     padding:0 1rem}button{font:inherit;padding:.5rem 2rem}";

/// A page with a heading and a sentence, which are texts.
pub(super) fn message(status: StatusCode, heading: &str, sentence: &str) -> Response {
    page(status, heading, &format!("<p>{}</p>", escaped(sentence)))
}

/// A page with a button that sends the request again as `POST`.
pub(super) fn confirmation(question: &str, sentence: &str) -> Response {
    let sentence = escaped(sentence);
    let form = "<form method=\"post\"><button type=\"submit\">Confirm</button></form>";
    page(StatusCode::OK, question, &format!("<p>{sentence}</p>{form}"))
}

fn page(status: StatusCode, heading: &str, content: &str) -> Response {
    let heading = escaped(heading);
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{heading}</title>\
         <style>{STYLE}</style></head><body><h1>{heading}</h1>{content}</body></html>\n"
    );
    let mut answer = Response::new(Body::from(page));
    *answer.status_mut() = status;
    HEADERS.into_iter().fold(answer, |answer, (name, value)| with_header(answer, name, value))
}

/// A text as HTML.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' | '<' | '>' | '"' | '\'' => {
                // Writing to a `String` cannot fail.
                let _ = write!(html, "&#{};", u32::from(character));
            }
            _ => html.push(character),
        }
    }
    html
}
