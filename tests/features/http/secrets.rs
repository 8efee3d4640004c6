//! Credentials: where they are sent, and that they are not stored.

use std::fs;
use std::path::Path;

use durable::TaskHub;
use durable::http::{HttpSend, Secret, TokenSource};

use super::*;

/// The header fields of a request to this URL that identify the sender.
fn credentials(seen: &Seen, url: &str) -> Vec<String> {
    let seen = seen.lock().unwrap();
    let request = seen.iter().find(|request| request.url() == url).expect("it was requested");
    let is_credential = |name: &&str| ["authorization", "cookie", "x-functions-key"].contains(name);
    request.headers().map(|it| it.0).filter(is_credential).map(str::to_owned).collect()
}

fn with_credentials(url: &str) -> HttpRequest {
    HttpRequest::post(url)
        .header("Authorization", "Basic eDp5")
        .header("Cookie", "session=1")
        .header("X-Functions-Key", "k")
        .header("Accept", "text/plain")
        .text("body")
}

#[tokio::test]
async fn credentials_stay_with_the_origin_of_the_request() {
    const ALL: [&str; 3] = ["authorization", "cookie", "x-functions-key"];
    for (to, kept) in [
        ("https://example.com/b", &ALL[..]),
        ("https://example.com:443/b", &ALL),
        ("https://example.com:444/b", &[]),
        ("http://example.com/b", &[]),
        ("https://api.example.com/b", &[]),
        ("https://evil.net/b", &[]),
    ] {
        // Through a redirect that keeps the body, and through a poll.
        for status in [307, 202] {
            let (hub, seen) = mocked(move |number, _| {
                Ok(match number {
                    0 => HttpResponse::new(status).with_header("Location", to),
                    _ => HttpResponse::new(200),
                })
            });
            let hub = hub.open().await.unwrap();
            result(&hub, with_credentials("https://example.com/a")).await.unwrap();
            let url = to.replace(":443", "");
            assert_eq!(credentials(&seen, &url), kept, "{status} to {to}");
            let seen = seen.lock().unwrap();
            assert_eq!(seen[1].header_value("accept"), Some("text/plain"));
            assert_eq!(seen[1].header_value("content-type").is_some(), status == 307);
        }
    }
}

#[tokio::test]
async fn credentials_do_not_come_back_after_another_origin() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("https://evil.net/1"),
            1 => accepted("https://example.com/2"),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    result(&hub, with_credentials("https://example.com/a")).await.unwrap();
    assert!(credentials(&seen, "https://example.com/2").is_empty());
}

#[tokio::test]
async fn a_poll_does_not_take_credentials_behind_a_redirect() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => HttpResponse::new(302).with_header("Location", "https://evil.net/1"),
            1 => accepted("/2"),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.open().await.unwrap();
    result(&hub, with_credentials("https://example.com/a")).await.unwrap();
    assert!(credentials(&seen, "https://evil.net/2").is_empty());
}

/// Gives another token each time.
#[derive(Default)]
struct Rotating(Mutex<u32>);

impl TokenSource for Rotating {
    async fn token(&self, ctx: &ActivityContext) -> Result<Secret> {
        assert!(!ctx.instance_id().as_str().is_empty());
        let mut number = self.0.lock().unwrap();
        *number += 1;
        if *number == 2 {
            return Err(Error::msg("the identity service is down"));
        }
        Ok(Secret::bearer(format!("t0p-secret-{number}")))
    }
}

#[tokio::test]
async fn each_request_gets_a_token_from_its_source() {
    let (hub, seen) = mocked(|number, _| {
        Ok(match number {
            0 => accepted("/1"),
            1 => accepted("https://evil.net/2"),
            _ => HttpResponse::new(200),
        })
    });
    let hub = hub.configure(|hub| hub.token_source("cloud", Rotating::default()));
    let hub = hub.open().await.unwrap();
    let retry = durable::http::HttpRetry::new(2, SECOND);
    let request = HttpRequest::get("https://example.com/0").token_source("cloud").retry(retry);
    result(&hub, request).await.unwrap();
    let seen = seen.lock().unwrap();
    let tokens: Vec<_> = seen.iter().map(|it| it.header_value("authorization")).collect();
    // The second token was not available, so the poll was retried.
    assert_eq!(tokens, [Some("Bearer t0p-secret-1"), Some("Bearer t0p-secret-3"), None]);
    drop(seen);
    assert!(hub.http_requests().iter().all(|it| it.header_value("authorization").is_none()));
}

#[tokio::test]
async fn an_unknown_token_source_is_an_error_that_names_the_known_ones() {
    let (hub, seen) = mocked(|_, _| Ok(HttpResponse::new(200)));
    let hub = hub.configure(|hub| hub.token_source("cloud", Secret::bearer("x")));
    let hub = hub.open().await.unwrap();
    let request = HttpRequest::get("https://example.com").token_source("clout");
    let error = result(&hub, request).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "no token from `clout`: the hub has no token source of this name (it has: cloud); add it \
         with `TaskHub::builder().token_source(..)`"
    );
    assert!(seen.lock().unwrap().is_empty());
}

/// Responds itself, without repeating any part of the request.
struct Silent;

impl HttpSend for Silent {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        assert_eq!(request.header_value("x-api-key"), Some("n3ver-stored"));
        Ok(HttpResponse::new(503))
    }
}

#[tokio::test]
async fn a_token_is_neither_in_the_history_nor_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let hub = TaskHub::builder()
        .path(folder.path())
        .token_source("vault", Secret::header("X-Api-Key", "n3ver-stored"))
        .http_sender(Silent)
        .open()
        .await
        .unwrap();
    let retry = durable::http::HttpRetry::new(2, Duration::from_millis(1));
    let request = HttpRequest::post("https://example.com").token_source("vault").retry(retry);
    let run = hub.start(send_request(request)).await.unwrap();
    let ResultError::Failed(failed) = run.result().await.unwrap_err() else { panic!("it failed") };
    assert_eq!(failed.error().unwrap().response().unwrap().status(), 503);
    let history = format!("{:?}", run.history().await.unwrap());
    assert!(history.contains("vault") && !history.contains("n3ver-stored"), "{history}");
    hub.shutdown().await.unwrap();
    assert!(contains(folder.path(), "vault"), "the name is stored");
    assert!(!contains(folder.path(), "n3ver-stored"), "the token is stored");
}

/// Whether a file of the folder has this text.
fn contains(folder: &Path, text: &str) -> bool {
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return contains(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}
