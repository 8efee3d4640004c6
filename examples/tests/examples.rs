//! Every example runs to its end and says what it is to show.

use std::process::Command;

/// Runs an example; everything in `telling` has to stand in what it prints, in this order.
#[track_caller]
fn check(example: &str, arguments: &[&str], telling: &[&str]) {
    let output = Command::new(example).args(arguments).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}\n{complained}");
    let mut rest = printed.as_str();
    for line in telling {
        let found = rest.split_once(line);
        rest = found.unwrap_or_else(|| panic!("`{line}` is missing or late in\n{printed}")).1;
    }
}

#[test]
fn function_chaining_greets_in_order() {
    check(
        env!("CARGO_BIN_EXE_function_chaining"),
        &["Tokyo", "Rome"],
        &["Hello Tokyo!\nHello Rome!\n", "ExecutionStarted", "TaskCompleted", "ExecutionCompleted"],
    );
}

#[test]
fn check_site_polls_for_hours_and_retries_what_fails() {
    let requests = ["503 Service Unavailable", "202 Accepted", "503 Service", "200 OK"];
    let telling: Vec<_> =
        requests.into_iter().chain(["report: example.com is up", "120 min"]).collect();
    check(env!("CARGO_BIN_EXE_check_site"), &[], &telling);
}

#[test]
fn encrypted_stores_envelopes_and_reads_them_with_the_old_key() {
    let telling = [
        "in the folder:\n  {\"durable.encoded\":1,\"key\":\"2026-10\",\"data\":\"",
        "decrypted: charged the card that ends in 9010",
    ];
    check(env!("CARGO_BIN_EXE_encrypted"), &[], &telling);
}

#[test]
fn webhooks_retries_a_delivery_until_the_receiver_accepts_it() {
    let telling = [
        "shop: shipped a parcel with a lamp\n",
        "alerts: busy, try again later\n",
        "-> \"instance.failed\" of \"order-sofa\": ",
        "out of stock",
    ];
    check(env!("CARGO_BIN_EXE_webhooks"), &[], &telling);
}

#[test]
fn monitor_finds_one_build_and_gives_the_other_up() {
    let outcomes = ["linux: finished", "it last said: ", "Finished", "windows: expired", "Running"];
    let hours = ["in virtual time", "linux: finished, after 5 checks", "1 h 15 min", "6 h 00 min"];
    let telling: Vec<_> = hours.into_iter().chain(["live"]).chain(outcomes).collect();
    check(env!("CARGO_BIN_EXE_monitor"), &[], &telling);
}

#[test]
fn human_interaction_escalates_and_ends() {
    check(
        env!("CARGO_BIN_EXE_human_interaction"),
        &[],
        &[
            "status: waiting for Ada\nfrom Ada: yes\n-> approved by Ada\n",
            "30 h ",
            "to Grace: do you approve a sofa",
            "status: waiting for Grace\nfrom Grace: no\n-> rejected by Grace\n",
            "to Grace: a yacht still waits for you",
            "-> rejected, since nobody answered\n",
            "144 h ",
            "live",
            "-> approved by Ada\n",
            "-> rejected, since nobody answered\n",
        ],
    );
}

#[test]
fn sub_orchestrations_report_the_two_that_failed() {
    check(
        env!("CARGO_BIN_EXE_sub_orchestrations"),
        &[],
        &[
            "device-07 failed: there is no package for a model of 1987\n",
            "device-13 failed: it did not acknowledge its package\n",
            "18 devices are provisioned, 2 failed\n",
            "provisioning-device-20",
        ],
    );
}

#[test]
fn saga_undoes_in_reverse_order() {
    check(
        env!("CARGO_BIN_EXE_saga"),
        &[],
        &[
            "order-1 is on its way as parcel-of-order-1\n",
            "order-2: undo: nothing was charged",
            "order-2: please use another card, this one has 12 cents\n",
            "order-3: undo: refunding, attempt 3\norder-3: undo: releasing stock\n",
            "order-3 failed: nobody delivers to Atlantis\n",
        ],
    );
}

#[test]
fn eternal_stays_small_and_loses_no_event() {
    check(
        env!("CARGO_BIN_EXE_eternal"),
        &["--rounds", "5"],
        &[
            "stopped: ",
            "cleaned on request: /var/a, /var/b, /var/c\n",
            "rounds, and the history has",
        ],
    );
}

#[test]
fn versioning_goes_on_with_old_code_and_starts_with_new() {
    check(
        env!("CARGO_BIN_EXE_versioning"),
        &[],
        &[
            "order-1 has version 1 and did [\"ship\"]\n",
            "order-3 has version 2 and did [\"check for fraud\",\"ship\"]\n",
            "DURABLE0103",
            "order-2 was started with version 1 and did [\"check for fraud\", \"ship\"]\n",
            "reading 6: the meter says {\"sum\":11,\"readings\":1}, and goes on as version 2\n",
            "DURABLE0101",
            "old reserved a sofa\nnew checked the credit, reserved a sofa\n",
        ],
    );
}

/// A hundred visitors look at three pages each; the log has 60 lines, 30 of them about `home`.
#[test]
fn aggregator_counts_on_in_the_same_hub() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--hub", folder.path().to_str().unwrap()];
    let aggregator = env!("CARGO_BIN_EXE_aggregator");
    let first = [
        "day 1\n",
        "visitors looked at 300 pages, and 60 more views are in the log\n",
        "the front page has 130 views\nthe blog has 120\nthe site has 360, ",
        "home ",
        "blog:macros ",
        "milestones:\n  home passed 100\n",
    ];
    check(aggregator, &arguments, &first);
    let second = [
        "day 2\n",
        "the front page has 260 views\nthe blog has 240\nthe site has 720, ",
        "milestones:\n  home passed 100\n  home passed 200\n",
    ];
    check(aggregator, &arguments, &second);
    check(aggregator, &["--visitors", "1"], &["the site has 63, ", "milestones:\n"]);
}

#[test]
fn critical_section_moves_money_and_loses_none() {
    let right = "the sum is right, no account is overdrawn, none is locked\n";
    check(
        env!("CARGO_BIN_EXE_critical_section"),
        &["--transfers", "120", "--seed", "7"],
        &[
            "audit 1: all accounts together hold 12000.00\n",
            "audit 3: all accounts together hold 12000.00\n",
            " transfers are done, ",
            " were refused, ",
            "account-12 ",
            right,
        ],
    );
}

#[test]
fn chirper_plays_a_scene() {
    check(
        env!("CARGO_BIN_EXE_chirper"),
        &[],
        &[
            "grace is not heard: 92 letters are too many, 80 are allowed\n",
            "what grace reads:\n  01 Jan 03:40 ada: note G is done\n  01 Jan 02:00 alan: ",
            "  01 Jan 00:00 ada: ",
            "what alan reads:\n  01 Jan 02:40 grace: ",
            "ada has left\ngrace has nothing to read\n",
            "what grace reads:\n  01 Jan 03:40 ada: back again\n",
        ],
    );
}

#[test]
fn chirper_works_command_by_command() {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().to_str().unwrap();
    let chirper = env!("CARGO_BIN_EXE_chirper");
    check(chirper, &["follow", hub, "grace", "ada"], &["grace follows ada\n"]);
    check(chirper, &["post", hub, "ada", "the first"], &["ada: the first\n"]);
    check(chirper, &["post", hub, "ada", "the second"], &["ada: the second\n"]);
    let both = ["what grace reads:\n", " ada: the second\n", " ada: the first\n"];
    check(chirper, &["timeline", hub, "grace"], &both);
    check(chirper, &["timeline", hub, "ada"], &["ada has nothing to read\n"]);
    check(chirper, &["unfollow", hub, "grace", "ada"], &["grace follows ada no more\n"]);
    check(chirper, &["timeline", hub, "grace"], &["grace has nothing to read\n"]);
    let output = Command::new(chirper).args(["follow", hub, "grace", "a/b"]).output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && complained.contains("cannot name an entity"));
}

#[test]
fn maintenance_checks_exports_and_compacts() {
    let folder = tempfile::tempdir().unwrap();
    let hub = folder.path().join("hub");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    std::fs::write(from.join("a file"), "and what is in it").unwrap();
    let [from, to, path] = [&from, &to, &hub].map(|path| path.to_str().unwrap());
    let backup = env!("CARGO_BIN_EXE_fan_out_fan_in");
    check(backup, &["--from", from, "--to", to, "--hub", path], &[]);
    let maintenance = env!("CARGO_BIN_EXE_maintenance");
    check(maintenance, &["check", path], &["nothing is damaged"]);
    check(maintenance, &["export", path], &["\"complete\":true", "\"instance_id\":"]);
    check(maintenance, &["compact", path], &["bytes before, "]);
    // A mark says how far the log was durable, so a tree that is missing is missed.
    std::fs::remove_dir_all(hub.join("sled")).unwrap();
    check(maintenance, &["check", path], &["was acknowledged", "`export` saves what can be read"]);
}
