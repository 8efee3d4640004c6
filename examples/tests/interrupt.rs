//! Ctrl-C ends the examples that serve HTTP, although clients follow their hubs.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// The bit of this signal in a set of signals.
const SIGINT: u64 = 1 << 1;

/// An example while it runs.
struct Running {
    process: Child,
    host: String,
}

impl Running {
    fn start(program: &str, arguments: &[&str]) -> Self {
        let mut example = Command::new(program);
        example.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut process = example.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut hosts =
            lines.filter_map(|it| Some(it.split_once("listening on http://")?.1.to_owned()));
        let host = hosts.next().expect("the example says where it listens");
        Self { process, host }
    }

    /// Follows the hub, and reads the beginning of the answer.
    fn follow(&self, path: &str) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host).unwrap();
        let mut answer = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("retry: ") {
            line.clear();
            assert_ne!(answer.read_line(&mut line).unwrap(), 0, "the stream begins");
        }
        answer
    }

    /// Whether the example waits for Ctrl-C already: it answers its first request before that.
    fn catches_interrupts(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()));
        // A system without this file is taken to be fast enough.
        let Ok(status) = status else { return true };
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
        u64::from_str_radix(caught, 16).unwrap() & SIGINT != 0
    }

    fn interrupt(mut self) {
        while !self.catches_interrupts() {
            std::thread::yield_now();
        }
        let process = self.process.id().to_string();
        assert!(Command::new("kill").args(["-INT", &process]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn ends_while_it_is_followed(example: Running, path: &str) {
    let mut stream = example.follow(path);
    example.interrupt();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n0\r\n\r\n"), "the stream was cut off: {rest}");
}

#[test]
fn async_http_api_ends_while_a_client_follows_it() {
    let example = Running::start(env!("CARGO_BIN_EXE_async_http_api"), &[]);
    ends_while_it_is_followed(example, "/hub/api/v1/events");
}

#[test]
fn shop_ends_while_a_client_follows_it() {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().join("hub");
    let example = Running::start(env!("CARGO_BIN_EXE_shop"), &["--hub", hub.to_str().unwrap()]);
    ends_while_it_is_followed(example, "/api/v1/events");
}
