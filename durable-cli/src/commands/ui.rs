//! The dashboard of a hub, served on this machine.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use axum::Router;
use durable_http::HttpOptions;
use durable_http::client::ClientError;
use durable_ui::UiOptions;
use tokio::net::TcpListener;

use crate::args::Ui;
use crate::error::{CliError, chain};
use crate::session::Session;

/// Serves pages until the process is interrupted.
pub(super) async fn ui(ui: &Ui, session: &mut Session<'_>) -> Result<(), CliError> {
    let app = pages(ui, session).await?;
    let failed = |error: std::io::Error| {
        let port = ui.port;
        let error = chain(&error);
        CliError::Failed(format!("cannot listen on port {port}: {error}; choose another `--port`"))
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, ui.port)).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    session.io.write(&format!("{url}\n"));
    session.io.tell("serving the dashboard; Ctrl+C ends it\n");
    if ui.open
        && let Err(error) = open(&url)
    {
        session.io.tell(&format!("warning: cannot open a browser: {error}; open {url}\n"));
    }
    axum::serve(listener, app).await.map_err(failed)
}

async fn pages(ui: &Ui, session: &Session<'_>) -> Result<Router, CliError> {
    let options = UiOptions::new();
    if let Some(opened) = &session.opened {
        let options = options.read_only(ui.read_only || opened.is_read_only);
        let options = options.http(HttpOptions::new().max_scans_per_second(u32::MAX));
        return Ok(durable_ui::router(&opened.hub, options));
    }
    match session.client.get_hub().send().await {
        // The page asks for a key.
        Err(ClientError::Problem(problem)) if problem.status == 401 => {}
        known => drop(known?),
    }
    Ok(durable_ui::remote(session.client.clone(), options.read_only(ui.read_only)))
}

fn open(url: &str) -> std::io::Result<()> {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let command = &mut Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}
