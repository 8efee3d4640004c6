//! Style sheet and scripts, and the headers of pages.

use durable_ui::UiOptions;

use crate::common::{app, get, hub, send};

#[tokio::test]
async fn assets_have_a_hashed_name_and_stay_in_the_cache() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    let page = get(&app, "/").await;
    let style = page.body.split('"').find(|it| it.ends_with("style.css")).unwrap();
    let answer = send(&app, &format!("GET {style}"), &[], "").await;
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    let known = [("if-none-match", answer.header("etag"))];
    let again = send(&app, &format!("GET {style}"), &known, "").await;
    assert_eq!((again.status.as_u16(), again.body.as_str()), (304, ""));
    let old = get(&app, "/assets/0000000000000000/style.css").await;
    assert_eq!((old.status.as_u16(), old.header("cache-control")), (200, "no-cache"));
    assert_eq!(get(&app, "/assets/0/../../secret").await.status, 404);
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_answer_has_a_content_security_policy() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    for path in ["/", "/nowhere", "/api/v1/instances", "/instances.export?format=csv"] {
        let answer = get(&app, path).await;
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'self'"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_theme_comes_from_the_cookie() {
    let hub = hub().await;
    let app = app(&hub, UiOptions::new());
    assert!(!get(&app, "/").await.body.contains("data-theme"));
    for (cookie, wanted) in
        [("theme=dark", true), ("a=b; theme=dark", true), ("theme=\"><b>", false)]
    {
        let answer = send(&app, "GET /durable", &[("cookie", cookie)], "").await;
        assert_eq!(answer.body.contains("data-theme=\"dark\""), wanted, "{cookie}");
    }
    hub.shutdown().await.unwrap();
}
