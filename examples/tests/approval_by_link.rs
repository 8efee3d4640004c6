//! The links of `approval_by_link` are followed as a browser does.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The example while it runs, and what it prints.
struct Running {
    process: Child,
    printed: BufReader<ChildStdout>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut example = Command::new(env!("CARGO_BIN_EXE_approval_by_link"));
        example.args(["--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        let mut process = example.spawn().unwrap();
        let printed = BufReader::new(process.stdout.take().unwrap());
        Self { process, printed }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        assert_ne!(self.printed.read_line(&mut line).unwrap(), 0, "it ended");
        line.trim_end().to_owned()
    }

    /// The link in the next line.
    fn link(&mut self) -> String {
        self.line().split_once("http://").unwrap().1.to_owned()
    }

    fn ends_with(mut self, decision: &str) {
        assert_eq!(self.line(), decision);
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

fn follow(method: &str, link: &str) -> String {
    let (host, path) = link.split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let head = format!("host: {host}\r\nconnection: close\r\ncontent-length: 0\r\n");
    write!(stream, "{method} /{path} HTTP/1.1\r\n{head}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_link_is_shown_confirmed_and_decides() {
    let mut example = Running::start(&[]);
    assert_eq!(example.line(), "to Ada: do you approve a sofa for 2400 euros?");
    let (yes, no) = (example.link(), example.link());
    for (link, question) in [(&yes, "Approve a sofa for 2400"), (&no, "Reject a sofa for 2400")] {
        let asked = follow("GET", link);
        assert!(asked.starts_with("HTTP/1.1 200 ") && asked.contains(question), "{asked}");
    }
    let refused = follow("POST", &format!("{yes}A"));
    assert!(refused.starts_with("HTTP/1.1 404 "), "{refused}");
    // A client that follows the hub does not keep the example from ending.
    let host = yes.split_once('/').unwrap().0;
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nhost: {host}\r\n\r\n").unwrap();
    stream.read_exact(&mut [0]).unwrap();
    let answered = follow("POST", &no);
    assert!(answered.starts_with("HTTP/1.1 200 ") && answered.contains("Thank you"), "{answered}");
    example.ends_with("-> rejected by Ada");
}

#[test]
fn the_next_approver_is_asked_when_a_link_expires() {
    let mut example = Running::start(&["--patience", "1"]);
    assert_eq!(example.line(), "to Ada: do you approve a sofa for 2400 euros?");
    let _unanswered = (example.link(), example.link());
    assert_eq!(example.line(), "to Grace: do you approve a sofa for 2400 euros?");
    let _unanswered = (example.link(), example.link());
    example.ends_with("-> rejected, since nobody answered");
}
