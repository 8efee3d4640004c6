//! The drawer of each page of the dashboard: its commands run, its requests are answered, and both show
//! what is on the screen.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use durable::prelude::*;
use durable::testing::TestHub;
use durable_cli::{Exit, Io, run_on};
use durable_http::HttpOptions;
use durable_http::client::Client;
use durable_ui::UiOptions;
use serde::{Deserialize, Serialize};
use tower::ServiceExt;

#[derive(Default, Serialize, Deserialize)]
struct Shelf(u32);

#[entity(name = "shelf")]
impl Shelf {
    fn add(&mut self, items: u32) -> u32 {
        self.0 += items;
        self.0
    }
}

#[orchestrator(name = "order")]
async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    if cents == 0 {
        return Err(Error::msg("nothing to charge: it's free"));
    }
    let _shelf = ctx.lock_entities(Shelf::at("tray")).await?;
    let _approved: bool = ctx.wait_for_external_event("Approval").await?;
    Ok(cents)
}

/// Pages, and what of each must be the same in its first command: nothing, or the links to instances.
const PAGES: [(&str, bool); 28] = [
    ("", false),
    ("instances", true),
    ("instances?sort=created", true),
    ("instances?status=running&sort=created", true),
    ("instances?prefix=a&sort=id", true),
    ("instances?limit=2", true),
    (
        "instances?status=failed,running&name=order&tag=shop:it's&from=-1h&limit=3&sort=-created",
        true,
    ),
    ("instances?failedWith=it's%20free", true),
    ("instances?to=2026-01-02T03:04", true),
    ("instances/a1", false),
    ("instances/a1?failed=true&children=true&lane=approval&from=2026-01-02T03:00:00Z", false),
    ("instances/a1/history", false),
    ("instances/a1/history?q=lock&failed=true", false),
    ("instances/a1/history?rows=full&from=2&q=entity", false),
    ("instances/a1/history?e=3&failed=true", false),
    ("instances/a1/pending", false),
    ("instances/a1/source", false),
    ("instances/a1/sequence", false),
    ("instances/a1/children", false),
    ("instances/f2/io", false),
    ("activities", false),
    ("entities?name=shelf&prefix=t", false),
    ("entities/shelf/tray", false),
    ("locks?name=shelf", false),
    ("schedules?status=Active&prefix=d", false),
    ("grid?name=order&limit=3", true),
    ("compare?a=a1&b=a2", false),
    ("live?kinds=Failed&name=order&prefix=f", false),
];
const MORE: [&str; 5] = ["schedules/daily", "batches", "batches/b", "hub", "start?name=order"];

struct World {
    hub: TestHub,
    pages: Router,
    client: Client,
}

impl World {
    async fn new() -> Self {
        let beginning = "2026-01-02T03:04:05Z".parse().unwrap();
        let hub = TestHub::builder().beginning(beginning).open().await.unwrap();
        let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
        let pages = durable_ui::router(&hub, UiOptions::new());
        let world = Self { hub, pages, client };
        for (id, cents) in [("a1", 5), ("a2", 5), ("f1", 0), ("f2", 0), ("a3", 5), ("b1", 5)] {
            world
                .run(&format!("durable start order --id {id} -i {cents} --tag 'shop=it'\\''s'"))
                .await;
        }
        world.run("durable entity signal shelf/table add -i 1").await;
        world.run("durable schedule create daily order --every 1h -i 5").await;
        world
    }

    async fn run(&self, line: &str) -> (Exit, String, String) {
        let mut io = Io::captured().with_now(self.hub.current_utc_datetime());
        let exit = run_on(self.client.clone(), split(line), &mut io).await;
        self.hub.settle().await;
        (exit, io.output(), io.errors())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let request = Request::get(path).header("host", "localhost").body(Body::empty());
        let answer = self.pages.clone().oneshot(request.unwrap()).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The commands of a page, each with its request.
    async fn drawer(&self, path: &str) -> (String, Vec<(String, String)>) {
        let (status, page) = self.get(&format!("/{path}")).await;
        assert_eq!(status, 200, "{path}: {page}");
        let (_, drawer) = page.split_once("<details class=\"drawer\">").unwrap();
        let codes = drawer.split("<code tabindex=\"0\">").skip(1);
        let codes: Vec<_> =
            codes.map(|it| unescaped(it.split_once("</code>").unwrap().0)).collect();
        let pairs = codes.chunks(2).map(|it| (it[0].clone(), it[1].clone())).collect();
        (page, pairs)
    }
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    text.replace("&amp;", "&")
}

/// The words of a line as a shell reads them.
fn split(line: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' => words.extend(word.take()),
            '\'' => {
                let quoted: String = characters.by_ref().take_while(|c| *c != '\'').collect();
                word.get_or_insert_default().push_str(&quoted);
            }
            '\\' => word.get_or_insert_default().extend(characters.next()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The instances of the rows of a page, in their order.
fn rows(page: &str) -> Vec<String> {
    let body = page.split_once("<table").map_or("", |it| it.1);
    let links =
        body.split("<a href=\"/instances/").chain(body.split("<a class=\"m\" href=\"/instances/"));
    let mut found = Vec::new();
    for link in links.skip(1) {
        let id = link.split('"').next().unwrap().to_owned();
        if id.len() == 2 && !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Whether the document has a route of this path, whose parameters match any segment.
fn is_documented(openapi: &str, path: &str) -> bool {
    let document: serde_json::Value = serde_json::from_str(openapi).unwrap();
    let routes = document["paths"].as_object().unwrap().keys();
    let parts = |path: &str| -> Vec<String> { path.split(['/', ':']).map(str::to_owned).collect() };
    let fits = |route: &String| {
        let route = route.trim_start_matches("/api/v1").trim_start_matches('/');
        let separators =
            |path: &str| path.chars().filter(|c| "/:".contains(*c)).collect::<String>();
        let (route_parts, path_parts) = (parts(route), parts(path));
        separators(route) == separators(path)
            && route_parts.iter().zip(&path_parts).all(|(a, b)| a.starts_with('{') || a == b)
    };
    routes.into_iter().any(fits)
}

fn ids_of(json: &str) -> Vec<String> {
    let page: serde_json::Value = serde_json::from_str(json).unwrap();
    let items = page["items"].as_array().unwrap();
    items.iter().map(|it| it["instanceId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_list_and_its_drawer_show_the_same_instances() {
    let world = World::new().await;
    let mut paths: Vec<_> = PAGES.iter().filter(|it| it.1).map(|it| it.0.to_owned()).collect();
    // The second page.
    let (_, page) = world.get("/instances?limit=2").await;
    let (_, next) = page.split_once("rel=\"next\" href=\"/").unwrap();
    paths.push(unescaped(next.split('"').next().unwrap()));
    for path in paths {
        let (page, drawer) = world.drawer(&path).await;
        let (command, request) = &drawer[0];
        let shown = rows(&page);
        assert!(!shown.is_empty() || path.contains("to="), "{path}");
        let (exit, output, errors) = world.run(&format!("{command} -o name")).await;
        assert_eq!(exit, Exit::Ok, "{command}: {errors}");
        assert_eq!(output.lines().collect::<Vec<_>>(), shown, "{path}: {command}");
        let (status, answer) = world.get(request.strip_prefix("GET ").unwrap()).await;
        assert_eq!(status, 200, "{request}: {answer}");
        assert_eq!(ids_of(&answer), shown, "{path}: {request}");
    }
    world.hub.shutdown().await.unwrap();
}

#[tokio::test]
async fn every_command_of_a_drawer_is_understood_and_every_request_answered() {
    let world = World::new().await;
    let (_, batch, _) = world.run("durable suspend --prefix b --dry-run -o name").await;
    let batch = format!("batches/{}", batch.trim());
    let more = MORE.map(|path| if path == "batches/b" { batch.as_str() } else { path });
    for path in PAGES.iter().map(|it| it.0).chain(more) {
        let (_, drawer) = world.drawer(path).await;
        assert!(!drawer.is_empty(), "{path}");
        for (command, request) in drawer {
            let is_change = request.starts_with("POST ");
            if !is_change && !request.contains("/events") {
                let (exit, _, errors) = world.run(&command).await;
                // Two runs that differ are no fault of the command.
                let is_fine = exit == Exit::Ok || command.starts_with("durable diff");
                assert!(is_fine, "{path}: {command}: {errors}");
                let (status, answer) = world.get(request.strip_prefix("GET ").unwrap()).await;
                assert_eq!(status, 200, "{path}: {request}: {answer}");
                continue;
            }
            let (_, openapi) = world.get("/api/v1/openapi.json").await;
            let path_of = request.split_once("/api/v1/").unwrap().1;
            let path_of = path_of.split('?').next().unwrap();
            assert!(is_documented(&openapi, path_of), "{path}: {request}");
            // It is not run: the help of the same command shows that its arguments are known.
            let filled = command.replace(" JSON", " 1").replace("@input.json", "1");
            let (exit, output, errors) = world.run(&format!("{filled} --help")).await;
            assert_eq!((exit, errors.as_str()), (Exit::Ok, ""), "{path}: {command}");
            assert!(output.contains("Usage: durable"), "{path}: {command}");
        }
    }
    world.hub.shutdown().await.unwrap();
}
