//! `durable ui`: the dashboard of a folder, until Ctrl+C.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use durable::prelude::*;

#[orchestrator(name = "order")]
async fn order(_ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    Ok(cents)
}

#[orchestrator(name = "asks")]
async fn asks(ctx: &OrchestrationContext) -> Result<bool> {
    Ok(ctx.wait_for_external_event("Approval").await?)
}

#[tokio::test]
async fn a_folder_is_shown_until_ctrl_c_which_closes_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = TaskHub::open(folder.path()).await.unwrap();
    hub.start(order(5).instance_id("a")).await.unwrap().result().await.unwrap();
    hub.shutdown().await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    command.args(["ui", "--port", "0", "--path"]).arg(folder.path());
    let mut ui = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(ui.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap();
    let page = get(address, "/instances/a");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("Completed"), "{page}");
    // Nothing can change the folder.
    assert!(!page.contains("data-send"), "{page}");
    let interrupted = Command::new("kill").arg("-INT").arg(ui.id().to_string()).status().unwrap();
    assert!(interrupted.success());
    let ended = ui.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{:?}: {errors}", ended.status);
    assert!(errors.contains("Ctrl+C ends it"), "{errors}");
    TaskHub::open(folder.path()).await.unwrap().shutdown().await.unwrap();
}

#[tokio::test]
async fn a_folder_with_running_instances_is_read_without_their_code() {
    let folder = tempfile::tempdir().unwrap();
    let hub = TaskHub::open(folder.path()).await.unwrap();
    hub.start(asks().instance_id("a")).await.unwrap().wait_for_start().await.unwrap();
    hub.shutdown().await.unwrap();
    let durable = || Command::new(env!("CARGO_BIN_EXE_durable"));
    let commands = [
        ("pending", "Running"),
        ("pending a", "a is Running\nwhat it waits for is known only with its code"),
        ("get a", "Running"),
    ];
    for (command, text) in commands {
        let words = command.split(' ');
        let ended = durable().args(words).arg("--path").arg(folder.path()).output().unwrap();
        let output = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(ended.status.success(), "{command}: {}", String::from_utf8_lossy(&ended.stderr));
        assert!(output.contains(text), "{command}: {output}");
    }
    let mut ui = durable();
    ui.args(["ui", "--port", "0", "--path"]).arg(folder.path());
    let mut ui = ui.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut url = String::new();
    BufReader::new(ui.stdout.as_mut().unwrap()).read_line(&mut url).unwrap();
    let address = url.trim().strip_prefix("http://").unwrap();
    for path in ["/", "/instances/a", "/"] {
        let page = get(address, path);
        assert!(page.starts_with("HTTP/1.1 200"), "{path}: {page}");
    }
    let interrupted = Command::new("kill").arg("-INT").arg(ui.id().to_string()).status().unwrap();
    assert!(interrupted.success() && ui.wait().unwrap().success());
    // Nothing has changed: with its code, it goes on.
    let hub = TaskHub::open(folder.path()).await.unwrap();
    let run = hub.find_instance::<asks>("a").await.unwrap().unwrap();
    run.raise_event("Approval", &true).await.unwrap();
    assert!(run.result().await.unwrap());
    hub.shutdown().await.unwrap();
}

#[test]
fn a_port_that_is_taken_is_told_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        TaskHub::open(folder.path()).await.unwrap().shutdown().await.unwrap();
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_durable"));
    let ended =
        command.args(["ui", "--port", &port, "--path"]).arg(folder.path()).output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{errors}");
    assert!(errors.contains(&port) && errors.contains("choose another `--port`"), "{errors}");
}

/// The answer with its headers.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
