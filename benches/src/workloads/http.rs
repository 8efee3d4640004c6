//! `http/status`: reads the status of an instance, in our dialect and in that of Durable Functions.
//! `http/start`: starts an orchestration without a step.
//!
//! The load comes from [`wrk`](https://github.com/wg/wrk), on the same machine. The raw limit is a
//! bare axum route with a constant JSON body.

use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use durable::{Error, Result};
use durable_http::HttpOptions;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::ours::{self, no_steps};
use crate::plan::Plan;
use crate::report::{Engine, Report, Unit};

const REQUESTS: Unit = Unit("requests/s");
const CONNECTIONS: &str = "64";
/// The script of `wrk` that starts instances.
const START: &str = r#"
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"name": "no_steps"}'
"#;

pub(crate) async fn run(plan: &Plan, report: &mut Report) -> Result<()> {
    if is_missing().await? {
        eprintln!("the group `http` needs the load generator `wrk`, which is not installed");
        return Ok(());
    }
    let raw = raw().await?;
    for _ in plan.rounds(Duration::from_secs(15)) {
        let folder = plan.fresh()?;
        let (hub, _) = ours::open(folder.path()).await?;
        let server = durable_http::serve(&hub, HttpOptions::new().listen("127.0.0.1:0")).await?;
        hub.start(no_steps().instance_id("one")).await?.result().await?;

        let constant = load(plan, &format!("http://{raw}/"), None).await?;
        for (workload, path) in [
            ("http/status", "/api/v1/instances/one"),
            ("http/status-functions", "/runtime/webhooks/durabletask/instances/one"),
        ] {
            let rate = load(plan, &format!("{}{path}", server.url()), None).await?;
            report.add(workload, Engine::Durable, REQUESTS, rate);
            report.add(workload, Engine::Raw, REQUESTS, constant);
        }

        let script = folder.path().with_extension("lua");
        fs::write(&script, START)?;
        let start = format!("{}/api/v1/instances", server.url());
        let rate = load(plan, &start, Some(&script)).await;
        fs::remove_file(&script)?;
        report.add("http/start", Engine::Durable, REQUESTS, rate?);
        report.add("http/start", Engine::Raw, REQUESTS, constant);

        server.shutdown().await;
        hub.shutdown().await?;
    }
    Ok(())
}

async fn is_missing() -> Result<bool> {
    match Command::new("wrk").arg("-v").output().await {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Serves a constant on a free port, as long as the program runs.
async fn raw() -> Result<SocketAddr> {
    let constant =
        || async { axum::Json(serde_json::json!({ "id": "one", "status": "completed" })) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/", any(constant));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

/// The requests per second that were answered. All answers must report success.
async fn load(plan: &Plan, url: &str, script: Option<&Path>) -> Result<f64> {
    let mut command = Command::new("wrk");
    command.args(["-t", "1", "-c", CONNECTIONS, "-d", plan.pick("2s", "10s")]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let rate = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    let rate = rate.and_then(|rate| rate.trim().parse().ok());
    match rate {
        Some(rate) if output.status.success() && !text.contains("Non-2xx") => Ok(rate),
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(Error::msg(format!("`wrk {url}` failed:\n{text}{errors}")))
        }
    }
}
