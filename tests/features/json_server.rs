//! A server that starts, raises, waits, reads and lists as JSON over a plain socket, with public
//! items only, like a crate that builds on this one.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use durable::EntityId;
use durable::client::{HubError, InstanceQuery, ManageError, NamedCall, PageToken, StartError};
use durable::prelude::*;
use durable::protocol::Json;
use durable::schedule::{Schedule, ScheduleQuery};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[orchestrator(name = "served.order", version = "1")]
async fn order_1(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
    Ok(format!("old order of {cents}"))
}

#[orchestrator(name = "served.order", version = "2")]
async fn order_2(ctx: &OrchestrationContext, cents: u32) -> Result<String> {
    ctx.set_custom_status(&"waits for approval")?;
    let by: String = ctx.wait_for_external_event("Approval").await?;
    Ok(format!("order of {cents}, approved by {by}"))
}

#[derive(Default, Serialize, Deserialize)]
struct Till(u32);

#[entity(name = "served.till")]
impl Till {
    fn take(&mut self, cents: u32) {
        self.0 += cents;
    }
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Request {
    Start {
        name: String,
        version: Option<String>,
        id: Option<String>,
        #[serde(default)]
        input: Value,
        #[serde(default)]
        tags: BTreeMap<String, String>,
    },
    Status {
        id: String,
    },
    Result {
        id: String,
    },
    Raise {
        id: String,
        event: String,
        payload: Value,
    },
    List {
        prefix: String,
        page_size: usize,
        after: Option<String>,
    },
    Signal {
        entity: String,
        key: String,
        operation: String,
        input: Value,
    },
    Entity {
        entity: String,
        key: String,
    },
    Schedule {
        id: String,
        cron: String,
        name: String,
        input: Value,
    },
    Schedules,
    Registered,
}

async fn answer(hub: &TaskHub, request: Request) -> anyhow::Result<Value> {
    let json = |value: &Value| Json::parse(&value.to_string());
    Ok(match request {
        Request::Start { name, version, id, input, tags } => {
            let mut call = NamedCall::new(name).input_json(json(&input)?);
            for (key, value) in tags {
                call = call.tag(key, value);
            }
            call = match version {
                Some(version) => call.version(version),
                None => call,
            };
            call = match id {
                Some(id) => call.instance_id(id),
                None => call,
            };
            json!({ "instance_id": hub.start_named(call).await?.instance_id() })
        }
        Request::Status { id } => serde_json::to_value(hub.instance(id)?.details().await?)?,
        Request::Result { id } => hub.instance(id)?.result_json().await?.read()?,
        Request::Raise { id, event, payload } => {
            hub.instance(id)?.raise_event_json(&event, json(&payload)?).await?;
            json!("raised")
        }
        Request::List { prefix, page_size, after } => {
            let mut query = InstanceQuery::new().id_prefix(prefix).page_size(page_size);
            if let Some(after) = after {
                query = query.after(after.parse::<PageToken>()?);
            }
            serde_json::to_value(hub.query(&query).await?)?
        }
        Request::Signal { entity, key, operation, input } => {
            let entity = EntityId::new(entity, key)?.handle();
            hub.signal_entity(entity.operation_json(&operation, json(&input)?)).await?;
            json!("signalled")
        }
        Request::Entity { entity, key } => {
            serde_json::to_value(hub.entity(&EntityId::new(entity, key)?).await?)?
        }
        Request::Schedule { id, cron, name, input } => {
            let schedule = Schedule::cron(cron)?.of_named(NamedCall::new(name).input(&input));
            serde_json::to_value(hub.create_schedule(id, schedule).await?.describe().await?)?
        }
        Request::Schedules => {
            serde_json::to_value(hub.stream(ScheduleQuery::new()).try_collect().await?)?
        }
        Request::Registered => serde_json::to_value(hub.registered())?,
    })
}

/// The response of an HTTP server.
fn status_code(error: &anyhow::Error) -> u16 {
    let hub = match error.downcast_ref::<ManageError>() {
        Some(ManageError::Hub(error)) => Some(error),
        _ => error.downcast_ref::<HubError>(),
    };
    match (hub, error.downcast_ref::<StartError>()) {
        (Some(HubError::NoSuchInstance(_)), _) => 404,
        (_, Some(StartError::AlreadyExists { .. })) => 409,
        (_, Some(StartError::NotRegistered { .. } | StartError::InvalidInstanceId(_))) => 400,
        _ => 500,
    }
}

async fn line(hub: &TaskHub, request: &str) -> Value {
    match serde_json::from_str(request) {
        Ok(request) => match answer(hub, request).await {
            Ok(answer) => json!({ "ok": answer }),
            Err(error) => json!({ "error": format!("{error:#}"), "code": status_code(&error) }),
        },
        Err(error) => json!({ "error": error.to_string(), "code": 400 }),
    }
}

/// Serves one connection: one request and one response per line.
fn serve(hub: TaskHub) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || -> std::io::Result<()> {
        let (stream, _) = listener.accept()?;
        let mut answers = stream.try_clone()?;
        for request in BufReader::new(stream).lines() {
            writeln!(answers, "{}", runtime.block_on(line(&hub, &request?)))?;
        }
        Ok(())
    });
    Ok(address)
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn ask(&mut self, request: &Value) -> Value {
        let mut answer = String::new();
        writeln!(self.0.get_mut(), "{request}").unwrap();
        self.0.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

fn talk(client: &mut Client) {
    let mut ask = |request: Value| client.ask(&request);
    let start = json!({
        "op": "start", "name": "served.order", "id": "s-2", "input": 500, "tags": { "shop": "a" },
    });
    assert_eq!(ask(start.clone())["ok"]["instance_id"], "s-2");
    assert_eq!(ask(start)["code"], 409);
    let status = ask(json!({ "op": "status", "id": "s-2" }))["ok"].take();
    assert_eq!(status["runtime_status"], "Running");
    assert_eq!((&status["version"], &status["input"]), (&json!("2"), &json!(500)), "the newest");
    assert_eq!((&status["tags"]["shop"], &status["output"]), (&json!("a"), &Value::Null));
    assert_eq!(status["custom_status"], "waits for approval");
    let approval = json!({ "op": "raise", "id": "s-2", "event": "Approval", "payload": "Ada" });
    assert_eq!(ask(approval)["ok"], "raised");
    let result = ask(json!({ "op": "result", "id": "s-2" }));
    assert_eq!(result["ok"], "order of 500, approved by Ada");

    let old =
        json!({ "op": "start", "name": "served.order", "version": "1", "id": "s-1", "input": 7 });
    assert_eq!(ask(old)["ok"]["instance_id"], "s-1");
    assert_eq!(ask(json!({ "op": "result", "id": "s-1" }))["ok"], "old order of 7");
    let page = ask(json!({ "op": "list", "prefix": "s-", "page_size": 1 }))["ok"].take();
    assert_eq!(page["items"][0]["instance_id"], "s-1");
    let after = &page["next"];
    let page = ask(json!({ "op": "list", "prefix": "s-", "page_size": 1, "after": after }));
    assert_eq!(page["ok"]["items"][0]["instance_id"], "s-2");

    let take = json!({
        "op": "signal", "entity": "served.till", "key": "a", "operation": "take", "input": 500,
    });
    assert_eq!(ask(take)["ok"], "signalled");
    let till = json!({ "op": "entity", "entity": "served.till", "key": "a" });
    while ask(till.clone())["ok"]["state"] != 500 {
        std::thread::yield_now();
    }
    let nightly = json!({
        "op": "schedule", "id": "nightly", "cron": "0 3 * * *", "name": "served.order", "input": 1,
    });
    let nightly = ask(nightly)["ok"].take();
    assert_eq!((&nightly["status"], &nightly["version"]), (&json!("Active"), &json!("2")));
    assert_eq!(ask(json!({ "op": "schedules" }))["ok"], json!([nightly]));
    let registered = ask(json!({ "op": "registered" }))["ok"].take();
    let orders = registered["orchestrators"].as_array().unwrap().iter();
    assert_eq!(orders.filter(|it| it["name"] == "served.order").count(), 2);

    let nobody = ask(json!({ "op": "status", "id": "nobody" }));
    assert_eq!(nobody, json!({ "error": "there is no instance `nobody`", "code": 404 }));
    let nobody = ask(json!({ "op": "raise", "id": "nobody", "event": "Approval", "payload": 1 }));
    assert_eq!(nobody, json!({ "error": "there is no instance `nobody`", "code": 404 }));
    for unknown in ["served.nothing", "durable.Schedule"] {
        let unknown = ask(json!({ "op": "start", "name": unknown }));
        let text = unknown["error"].as_str().unwrap();
        assert!(text.contains("is not registered; registered: "), "{text}");
        assert!(text.contains("`served.order` (version 2)"), "{text}");
        assert_eq!(unknown["code"], 400);
    }
    let invalid = ask(json!({ "op": "start", "name": "served.order", "id": "no/id" }));
    assert_eq!(invalid["code"], 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_starts_raises_waits_and_lists_by_name_and_json() -> Result<()> {
    let hub = TaskHub::builder().in_memory().open().await?;
    let address = serve(hub.clone())?;
    let talked = tokio::task::spawn_blocking(move || {
        let mut client = Client(BufReader::new(TcpStream::connect(address).unwrap()));
        talk(&mut client);
    });
    talked.await.map_err(Error::from)?;
    hub.shutdown().await?;
    Ok(())
}
