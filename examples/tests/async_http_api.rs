//! The session with `curl` in the README of `durable-http` has the output that the README shows.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

const IN_README: &str = "localhost:8080";

/// A command of the README, and the output below it.
struct Step {
    command: String,
    output: String,
}

fn readme() -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../durable-http/README.md");
    fs::read_to_string(readme).unwrap()
}

/// The contents of the blocks that are marked with this word.
fn blocks<'a>(readme: &'a str, mark: &str) -> Vec<&'a str> {
    let fence = format!("```{mark}\n");
    readme.split(&fence).skip(1).map(|block| block.split_once("```").unwrap().0).collect()
}

/// The commands in the blocks that are marked as `console`.
fn session() -> Vec<Step> {
    let mut steps = Vec::new();
    for block in blocks(&readme(), "console") {
        for line in block.lines() {
            match line.strip_prefix("$ ") {
                Some(command) => {
                    steps.push(Step { command: command.to_owned(), output: String::new() });
                }
                None => writeln!(steps.last_mut().unwrap().output, "{line}").unwrap(),
            }
        }
    }
    steps
}

/// The example while it runs, on a port of its own.
struct Running {
    process: Child,
    port: u16,
}

impl Running {
    fn start() -> Self {
        let mut example = Command::new(env!("CARGO_BIN_EXE_async_http_api"));
        example.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = example.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, port) = line.trim().rsplit_once(':').unwrap();
        Self { process, port: port.parse().unwrap() }
    }

    /// Runs the session, and sends each command by `request`, which gets its words.
    fn check(&self, request: impl Fn(&[String]) -> String) {
        let steps = session();
        assert!(steps.len() >= 6, "the README has a session");
        let here = format!("localhost:{}", self.port);
        for Step { command, output } in steps {
            let words = words(&command.replace(IN_README, &here));
            assert_eq!(words[0], "curl", "{command}");
            let answer = request(&words[1..]).replace("\r\n", "\n").replace(&here, IN_README);
            assert_eq!(normalized(&answer), normalized(&output), "$ {command}\n{answer}");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// The words of a command, some of which are in single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut is_quoted = false;
    for character in command.chars() {
        match character {
            '\'' => is_quoted = !is_quoted,
            ' ' if !is_quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    words
}

/// Without what differs from run to run: dates, ids of requests, and lengths, since the port is a
/// part of the links.
fn normalized(output: &str) -> String {
    let mut text = String::new();
    for line in output.trim().lines() {
        let value = |header: &str| line.strip_prefix(header).is_some();
        if value("date: ") || value("content-length: 1") {
            continue;
        }
        let mut rest = line;
        for field in ["\"createdTime\":\"", "\"lastUpdatedTime\":\"", "\"requestId\":\""] {
            if let Some((before, after)) = rest.split_once(field) {
                write!(text, "{before}{field}..").unwrap();
                rest = after.split_once('"').unwrap().1;
            }
        }
        writeln!(text, "{rest}").unwrap();
    }
    text
}

fn run_curl(arguments: &[String]) -> String {
    let output = Command::new("curl").args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Sends what `curl` would send, for machines without it.
fn send(arguments: &[String]) -> String {
    let (mut url, mut body, mut head) = ("", None, String::new());
    let mut shows_head = false;
    let mut arguments = arguments.iter().map(String::as_str);
    while let Some(argument) = arguments.next() {
        match argument {
            "-i" => shows_head = true,
            "-H" => write!(head, "{}\r\n", arguments.next().unwrap()).unwrap(),
            "--json" => body = arguments.next(),
            _ => url = argument,
        }
    }
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let method = if body.is_some() { "POST" } else { "GET" };
    let body = body.unwrap_or_default();
    let json = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "{method} /{path} HTTP/1.1\r\nhost: {host}\r\n{head}{json}\r\n{body}").unwrap();

    let mut stream = BufReader::new(stream);
    let mut answer = String::new();
    let mut length = 0;
    while !answer.ends_with("\r\n\r\n") {
        let mut line = String::new();
        assert_ne!(stream.read_line(&mut line).unwrap(), 0, "the connection ended");
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        answer.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    if shows_head { answer + &body } else { body }
}

#[test]
fn the_handler_in_the_readme_is_that_of_the_example() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("async_http_api.rs");
    let example = fs::read_to_string(example).unwrap();
    let readme = readme();
    let shown = blocks(&readme, "rust");
    assert_eq!(shown.len(), 1);
    assert!(example.contains(shown[0]), "{}", shown[0]);
}

#[test]
fn the_session_of_the_readme_has_the_output_that_it_shows() {
    let running = Running::start();
    if Command::new("curl").arg("--version").output().is_ok() {
        running.check(run_curl);
    } else {
        running.check(send);
    }
}

#[test]
fn the_session_of_the_readme_needs_no_curl() {
    Running::start().check(send);
}
