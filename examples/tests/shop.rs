//! Each of the five stuck instances of `shop` tells over HTTP why it is stuck.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;

const TRIES: u32 = 1200;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The shop while it runs.
struct Shop {
    process: Child,
    host: String,
}

impl Shop {
    fn open(folder: &tempfile::TempDir) -> Self {
        let mut shop = Command::new(env!("CARGO_BIN_EXE_shop"));
        shop.args(["--listen", "127.0.0.1:0", "--hub"]).arg(folder.path().join("hub"));
        let mut process = shop.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut hosts =
            lines.filter_map(|it| Some(it.split_once("listening on http://")?.1.to_owned()));
        let host = hosts.next().expect("the shop says where it listens");
        Self { process, host }
    }

    fn get(&self, path: &str) -> Value {
        let mut stream = TcpStream::connect(&self.host).unwrap();
        let head = format!("host: {}\r\nconnection: close\r\n", self.host);
        write!(stream, "GET /api/v1/{path} HTTP/1.0\r\n{head}\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (_head, body) = answer.split_once("\r\n\r\n").unwrap();
        serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Waits until the pending work of an instance shows that it `is_stuck`.
    fn pending(&self, id: &str, is_stuck: impl Fn(&Value) -> bool) {
        let mut pending = Value::Null;
        for _try in 0..TRIES {
            pending = self.get(&format!("instances/{id}/pending"));
            if is_stuck(&pending) {
                return;
            }
            thread::park_timeout(BETWEEN_TRIES);
        }
        panic!("{id}: {pending:#}");
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn five_instances_are_stuck_and_tell_why() {
    let folder = tempfile::tempdir().unwrap();
    drop(Shop::open(&folder));
    // The same after a crash.
    let shop = Shop::open(&folder);
    shop.pending("order-9001", |it| {
        let failure = &it["tasks"][0]["lastFailure"]["message"];
        it["tasks"][0]["name"] == "charge" && *failure == "connection to bank.example refused"
    });
    shop.pending("order-9002", |it| {
        it["awaitedEvents"][0] == "approval" && it["unreadEvents"][0] == "Aproval"
    });
    shop.pending("order-9003", |it| {
        let holder = &it["awaitedEntities"][0]["lockedBy"]["instanceId"];
        it["tasks"][0]["kind"] == "Lock" && *holder == "stocktake-tray"
    });
    shop.pending("order-9004", |it| it["tasks"][0]["instanceId"] == "parcel-9004");
    shop.pending("parcel-9004", |it| it["tasks"][0]["kind"] == "Timer");
    shop.pending("price-of-samovar", |it| it["status"]["suspension"]["code"] == "DURABLE0101");
}
