//! Examples that are killed in the middle continue when they are run again.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::{TempDir, tempdir};

/// Runs an example until it prints a line with `cue`, and kills it there; gives its hub and what it
/// printed. What follows on the cue takes time, but this process may be slow: then it tries again.
fn killed(example: &str, cue: &str) -> (TempDir, String) {
    loop {
        let hub = tempdir().unwrap();
        let mut child = command(example, hub.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut printed = String::new();
        while !printed.contains(cue) {
            let read = output.read_line(&mut printed).unwrap();
            assert_ne!(read, 0, "`{cue}` was not printed:\n{printed}");
        }
        child.kill().unwrap();
        let was_killed = !child.wait().unwrap().success();
        output.read_to_string(&mut printed).unwrap();
        if was_killed {
            return (hub, printed);
        }
    }
}

/// Runs an example to its end; gives what it printed.
fn finished(example: &str, hub: &TempDir) -> String {
    let output = command(example, hub.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn command(example: &str, hub: &Path) -> Command {
    let mut command = Command::new(example);
    command.arg("--hub").arg(hub);
    command
}

/// An activity begins when all that it follows from is on the disk. So whatever was printed before
/// the line of another activity that follows from it is not printed again.
#[test]
fn a_killed_saga_goes_on_backwards() {
    let saga = env!("CARGO_BIN_EXE_saga");
    let (hub, _) = killed(saga, "order-3: undo: refunding, attempt 2");
    let again = finished(saga, &hub);
    for done in
        ["order-1: ", "order-2: undo", "order-3: charging", "order-3: shipping", "attempt 1\n"]
    {
        assert!(!again.contains(done), "`{done}` is done twice:\n{again}");
    }
    assert!(again.contains("order-1 is on its way as parcel-of-order-1\n"), "{again}");
    assert!(again.contains("order-3: undo: refunding, attempt 3\n"), "{again}");
    assert!(again.contains("order-3 failed: nobody delivers to Atlantis\n"), "{again}");
    // And when all is done, nothing is left to do.
    let recorded = finished(saga, &hub);
    assert!(!recorded.contains("undo: "), "{recorded}");
    assert!(recorded.contains("order-3 failed: nobody delivers to Atlantis\n"), "{recorded}");
}

#[test]
fn killed_sub_orchestrations_go_on_and_no_package_is_created_twice() {
    let devices = env!("CARGO_BIN_EXE_sub_orchestrations");
    let (hub, before) = killed(devices, ": sending");
    let again = finished(devices, &hub);
    for line in before.lines().filter(|line| line.contains(": sending")) {
        let (device, _) = line.split_once(':').unwrap();
        let created = format!("{device}: creating");
        assert!(!again.contains(&created), "`{created}` is done twice:\n{again}");
    }
    assert!(again.contains(": creating"), "it was to go on:\n{again}");
    assert!(again.contains("device-07 failed: there is no package"), "{again}");
    assert!(again.contains("device-13 failed: it did not acknowledge its package"), "{again}");
    assert!(again.contains("18 devices are provisioned, 2 failed\n"), "{again}");
}

#[test]
fn a_killed_eternal_orchestration_goes_on_with_its_round() {
    let eternal = env!("CARGO_BIN_EXE_eternal");
    let (hub, before) = killed(eternal, "cleaning /var/c");
    let begun = rounds(&before);
    let again = finished(eternal, &hub);
    let all: Vec<_> = rounds(&again);
    let last = *begun.last().unwrap();
    // The last one that had begun may be repeated; those before it are recorded.
    assert!(all.first().is_some_and(|first| *first == last || *first == last + 1), "{again}");
    assert!(all.is_sorted_by(|a, b| a + 1 == *b), "{again}");
    let files = 3 * all.last().unwrap();
    assert!(again.contains(&format!("stopped: {files} files are removed\n")), "{again}");
    assert!(again.contains("cleaned on request: /var/a, /var/b, /var/c\n"), "{again}");
}

/// The numbers of the rounds that began.
fn rounds(printed: &str) -> Vec<u64> {
    let number = |line: &str| line.strip_prefix("round ")?.split_once(':')?.0.parse().ok();
    printed.lines().filter_map(number).collect()
}
