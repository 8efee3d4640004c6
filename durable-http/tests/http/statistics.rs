//! Statistics of activities.

use durable::client::NamedCall;
use durable::protocol::Json;
use serde_json::{Value, json};

use crate::common::{hub, routes, send};

#[tokio::test]
async fn statistics_of_activities_cover_the_newest_instances_that_match() {
    let hub = hub().await;
    let router = routes(&hub);
    for (name, id) in [("hello", "h1"), ("failing", "f1"), ("hello", "h2"), ("failing", "f2")] {
        let call = NamedCall::new(name).input_json(Json::parse("\"Oslo\"").unwrap());
        hub.start_named(call.instance_id(id)).await.unwrap();
        hub.settle().await;
    }
    let ask = async |query: &str| {
        let line = format!("GET /api/v1/activities:statistics{query}");
        send(&router, &line, &[], String::new()).await.json()
    };
    let counts = |answer: &Value| {
        let item = |it: &Value| {
            let last = &it["lastFailure"]["instanceId"];
            json!([it["name"], it["calls"], it["attempts"], it["failedAttempts"], last])
        };
        answer["items"].as_array().unwrap().iter().map(item).collect::<Vec<_>>()
    };
    let all = ask("").await;
    assert_eq!(counts(&all), [json!(["greet", 2, 2, 0, null]), json!(["refuse", 2, 2, 2, "f2"])]);
    assert_eq!((&all["instances"], &all["approximate"]), (&json!(4), &json!(false)));
    assert_eq!(all["items"][0]["maxMicros"], 0, "no time passes within an activity");
    let failed = ask("?status=Failed&limit=1").await;
    assert_eq!(counts(&failed), [json!(["refuse", 1, 1, 1, "f2"])]);
    assert_eq!(failed["approximate"], true);
    assert_eq!(counts(&ask("?name=hello").await), [json!(["greet", 2, 2, 0, null])]);
    hub.shutdown().await.unwrap();
}
