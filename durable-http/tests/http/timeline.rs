//! The timeline of an instance.

use std::fmt::Write;

use expect_test::expect;
use serde_json::{Value, json};

use crate::common::{hub, routes, send};

const INSTANCES: &str = "/api/v1/instances";

/// The lanes, without what is not specific to them.
fn lanes(timeline: &Value) -> String {
    let mut text = String::new();
    for lane in timeline["lanes"].as_array().unwrap() {
        let bars = lane["bars"].as_array().unwrap().iter();
        let bars: Vec<_> = bars
            .map(|bar| {
                let time = |name: &str| bar[name].as_str().unwrap()[14..19].to_owned();
                let (from, to) = (time("from"), time("to"));
                format!("{from}-{to} {} ({})", bar["phase"], bar["start"])
            })
            .collect();
        let (id, kind, name, state) = (&lane["id"], &lane["kind"], &lane["name"], &lane["state"]);
        writeln!(text, "{id} {kind} {name} {state} {}", bars.join(", ")).unwrap();
    }
    text.replace('"', "")
}

#[tokio::test]
async fn a_timeline_has_lanes_of_tasks_events_and_children() {
    let hub = hub().await;
    let router = routes(&hub);
    let ask = async |line: &str, body: &str| send(&router, line, &[], body.to_owned()).await;
    let start = json!({ "name": "parent", "id": "p", "input": "Tokyo" });
    ask(&format!("POST {INSTANCES}"), &start.to_string()).await;
    hub.settle().await;
    hub.advance(std::time::Duration::from_secs(90)).await;
    let shown = ask(&format!("GET {INSTANCES}/p/timeline?children=true"), "").await.json();
    expect![[r#"
        i instance parent running 04:05-05:35 running (known)
        t0 timer  completed 04:05-05:05 timer (known)
        t1 child hello completed 05:05-05:05 completed (scheduled)
        w0 event later waiting 05:05-05:35 waiting (known)
    "#]]
    .assert_eq(&lanes(&shown));
    let child = &shown["lanes"][2];
    assert_eq!(
        (&child["instanceId"], &child["childStatus"]),
        (&json!("child"), &json!("Completed"))
    );
    assert_eq!(child["children"][0]["id"], "t1.t0");
    assert_eq!(child["children"][0]["output"], "\"Hello Tokyo!\"");
    let events = ask(&format!("GET {INSTANCES}/p/timeline?lanes=event,timer"), "").await.json();
    assert_eq!((events["lanes"].as_array().unwrap().len(), &events["hidden"]), (2, &json!(2)));
    let late = "from=2026-01-02T03:05:10Z&to=2026-01-02T03:05:20Z";
    let late = ask(&format!("GET {INSTANCES}/p/timeline?{late}"), "").await.json();
    expect![[r#"
        i instance parent running 05:10-05:20 running (known)
        w0 event later waiting 05:10-05:20 waiting (known)
    "#]]
    .assert_eq(&lanes(&late));
    hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn parameters_of_a_timeline_are_checked() {
    let hub = hub().await;
    let router = routes(&hub);
    let refused = async |query: &str| {
        let line = format!("GET {INSTANCES}/p/timeline?{query}");
        let answer = send(&router, &line, &[], "").await;
        (answer.status.as_u16(), answer.json()["detail"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused("").await.0, 404);
    let (status, detail) = refused("lanes=tasks").await;
    assert_eq!(status, 400);
    assert!(detail.contains("give some of instance, activity, child"), "{detail}");
    let (status, detail) = refused("from=2026-01-02&to=2026-01-01").await;
    assert_eq!(status, 400);
    assert!(detail.contains("give a time after `from`"), "{detail}");
    hub.shutdown().await.unwrap();
}
