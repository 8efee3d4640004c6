//! Examples that are killed again and again, at whatever moment, and lose and repeat nothing.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use durable::TaskHub;
use durable::client::EntityQuery;
use tempfile::tempdir;

const KILLS: u32 = 18;

/// Runs a program and kills it so long after the first line that it prints. If it comes to its end
/// before, gives what it printed.
fn run_for(command: &mut Command, time: Duration) -> Option<String> {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let (begins, begun) = mpsc::channel();
    let (ends, ended) = mpsc::channel::<()>();
    let reader = thread::spawn(move || {
        let mut printed = String::new();
        output.read_line(&mut printed).unwrap();
        begins.send(()).unwrap();
        output.read_to_string(&mut printed).unwrap();
        drop(ends);
        printed
    });
    begun.recv().unwrap();
    if ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
        child.kill().unwrap();
    }
    let status = child.wait().unwrap();
    let printed = reader.join().unwrap();
    assert!(status.success() || status.signal() == Some(9), "{status}:\n{printed}");
    status.success().then_some(printed)
}

/// Kills an example many times, each after another time, and lets it come to its end then.
/// `command` creates it, and gets the number of earlier runs that have ended. Gives how many did in
/// all, and what the last one printed.
fn killed(command: impl Fn(u32) -> Command) -> (u32, String) {
    let (mut kills, mut ends) = (0, 0);
    while kills < KILLS {
        let time = Duration::from_millis(u64::from(kills * 89 % 240));
        match run_for(&mut command(ends), time) {
            Some(_) => ends += 1,
            None => kills += 1,
        }
    }
    let printed = run_for(&mut command(ends), Duration::from_mins(2));
    (ends + 1, printed.expect("it had time enough"))
}

/// The number that stands before these words.
#[track_caller]
fn number_before(words: &str, printed: &str) -> u64 {
    let found = printed.split_once(words).and_then(|(before, _)| before.split_whitespace().last());
    let number = found.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number before `{words}` in\n{printed}"))
}

/// Each run that comes to its end is followed by one with other transfers.
#[tokio::test]
async fn a_bank_that_is_killed_neither_loses_money_nor_leaves_a_lock() {
    const TRANSFERS: u64 = 80;
    let hub = tempdir().unwrap();
    let (ends, printed) = killed(|seed| {
        let mut bank = command(env!("CARGO_BIN_EXE_critical_section"), hub.path());
        bank.args(["--transfers", &TRANSFERS.to_string(), "--seed", &seed.to_string()]);
        bank
    });
    assert!(printed.contains("the sum is right, no account is overdrawn, none is locked"));
    let ended = [" transfers are done, ", " were stopped as suspicious", " were refused"];
    let ended: u64 = ended.iter().map(|words| number_before(words, &printed)).sum();
    assert_eq!(ended, u64::from(ends) * TRANSFERS, "{printed}");
    // The same once more, by another process.
    let hub = TaskHub::open(hub.path()).await.unwrap();
    let accounts = EntityQuery::new().name("account").include_transient();
    let accounts = hub.query(&accounts).await.unwrap().items;
    let mut sum = 0;
    for account in &accounts {
        assert_eq!(account.locked_by, None, "{}", account.entity_id);
        let state: serde_json::Value = account.state_as().unwrap().unwrap();
        let cents = state["cents"].as_i64().unwrap();
        assert!(cents >= 0, "{}: {cents}", account.entity_id);
        sum += cents;
    }
    assert_eq!((accounts.len(), sum), (12, 1_200_000));
    hub.shutdown().await.unwrap();
}

/// Each run that comes to its end is followed by another day.
#[test]
fn an_aggregator_that_is_killed_counts_every_view_once() {
    let hub = tempdir().unwrap();
    let (days, printed) = killed(|_| {
        let mut site = command(env!("CARGO_BIN_EXE_aggregator"), hub.path());
        site.args(["--visitors", "60"]);
        site
    });
    // A day may have been over before its run came to its end.
    let day = printed.lines().find_map(|line| line.strip_prefix("day ")?.parse::<u64>().ok());
    let day = day.unwrap();
    assert!(day >= u64::from(days), "{printed}");
    assert!(printed.contains(&format!("the site has {}, ", day * (3 * 60 + 60))), "{printed}");
    let home = day * (60 + 30);
    assert!(printed.contains(&format!("the front page has {home} views\n")), "{printed}");
    let marks: Vec<_> = printed.lines().filter(|line| line.contains("  home passed ")).collect();
    let expected: Vec<_> = (1..=home / 100).map(|n| format!("  home passed {n}00")).collect();
    assert_eq!(marks, expected);
}

fn command(example: &str, hub: &Path) -> Command {
    let mut command = Command::new(example);
    command.arg("--hub").arg(hub);
    command
}
