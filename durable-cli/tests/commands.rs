//! Commands against a hub in the process: what they write, and their exit codes.

use durable::prelude::*;
use durable::testing::TestHub;
use durable_cli::{Exit, Io, run_on};
use durable_http::HttpOptions;
use durable_http::client::Client;
use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};

#[activity(name = "charge")]
async fn charge(cents: u32) -> Result<u32> {
    if cents == 0 { Err(Error::msg("nothing to charge")) } else { Ok(cents) }
}

#[orchestrator(name = "order")]
async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    ctx.set_custom_status(&"waits for approval")?;
    let _approved: bool = ctx.wait_for_external_event("Approval").await?;
    Ok(charge(cents).await?)
}

#[orchestrator(name = "parent")]
async fn parent(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
    Ok(order(cents).instance_id("child").await?)
}

#[derive(Default, Serialize, Deserialize)]
struct Counter(i64);

#[entity(name = "Counter")]
impl Counter {
    fn add(&mut self, n: i64) -> i64 {
        self.0 += n;
        self.0
    }
}

struct World {
    hub: TestHub,
    client: Client,
}

impl World {
    async fn new() -> Self {
        let beginning = "2026-01-02T03:04:05Z".parse().unwrap();
        let hub = TestHub::builder().beginning(beginning).open().await.unwrap();
        let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
        Self { hub, client }
    }

    async fn run_with(&self, input: &str, line: &str) -> (Exit, String, String) {
        let now = self.hub.current_utc_datetime();
        let mut io = Io::captured().with_now(now).with_input(input).with_variable("USER", "ann");
        let arguments = ["durable"].into_iter().chain(line.split(' '));
        let exit = run_on(self.client.clone(), arguments, &mut io).await;
        self.hub.settle().await;
        (exit, io.output(), io.errors())
    }

    /// The command succeeds and writes this.
    async fn check(&self, line: &str, wanted: Expect) {
        let (exit, output, errors) = self.run_with("", line).await;
        assert_eq!(exit, Exit::Ok, "{line}: {errors}");
        wanted.assert_eq(&output);
    }

    /// The command ends with this code and this text on stderr.
    async fn fails(&self, line: &str, wanted: Exit, text: &str) {
        let (exit, _, errors) = self.run_with("", line).await;
        assert_eq!(exit, wanted, "{line}: {errors}");
        assert!(errors.contains(text), "{line}: {errors}");
    }

    async fn ok(&self, line: &str) -> String {
        let (exit, output, errors) = self.run_with("", line).await;
        assert_eq!(exit, Exit::Ok, "{line}: {errors}");
        output
    }

    async fn close(self) {
        self.hub.shutdown().await.unwrap();
    }
}

#[tokio::test]
async fn instances_are_started_listed_and_shown() {
    let world = World::new().await;
    world.check("start order --id a -i 500 --tag shop=north", expect!["a\n"]).await;
    world.check("start parent --id p -i 7", expect!["p\n"]).await;
    world
        .check(
            "list",
            expect![[r#"
                ID     NAME    STATUS   CREATED  DETAIL
                p      parent  Running  0ms ago
                child  order   Running  0ms ago  waits for approval
                a      order   Running  0ms ago  waits for approval
            "#]],
        )
        .await;
    world.check("list --name order --tag shop=north -o name", expect!["a\n"]).await;
    world
        .check(
            "ls --fields instanceId,runtimeStatus --prefix p -o json",
            expect![[r#"
        [{"instanceId":"p","runtimeStatus":"Running"}]
    "#]],
        )
        .await;
    world.check("count --status running", expect!["3\n"]).await;
    world
        .check(
            "count --by name",
            expect![[r#"
                COUNT  GROUP
                2      order
                1      parent
            "#]],
        )
        .await;
    world
        .check(
            "tree p",
            expect![[r#"
                p parent Running
                `- child order Running
            "#]],
        )
        .await;
    world.check("count --by tag:shop", expect!["COUNT  GROUP\n1      north\n"]).await;
    world.fails("count --by tag:", Exit::Usage, "give status, name or tag:KEY").await;
    world.check("list --sort created -o name --name order", expect!["a\nchild\n"]).await;
    world.check("list --sort -created -o name --name order", expect!["child\na\n"]).await;
    let (_, output, errors) = world.run_with("", "list --limit 1").await;
    assert_eq!(output.lines().count(), 2);
    assert!(errors.contains("only the first 1"), "{errors}");
    world.close().await;
}

#[tokio::test]
async fn pending_says_what_an_instance_waits_for() {
    let world = World::new().await;
    world.ok("start order --id a -i 500").await;
    world.ok("raise a Aproval -i true").await;
    world
        .check(
            "pending a",
            expect![[r#"
                a is Running
                WAITS FOR       SINCE    NEXT  TASK  SOURCE
                event approval  0ms ago              durable-cli/tests/commands.rs:19
                received, but not awaited: Aproval
                next: if `Aproval` is `approval` misspelt, deliver it again: durable raise a approval -i JSON
            "#]],
        )
        .await;
    world.ok("start parent --id p -i 7").await;
    let text = world.ok("pending p").await;
    assert!(text.contains("child child (order)"), "{text}");
    let (_, of_child) = text.split_once("\n\nchild is Running\n").unwrap();
    assert!(of_child.contains("\nevent approval  "), "{text}");
    world
        .check(
            "pending",
            expect![[r#"
                ID     NAME    STATUS   CREATED  WAITS FOR
                a      order   Running  0ms ago  event approval; `Aproval` was received: misspelt?
                child  order   Running  0ms ago  event approval
                p      parent  Running  0ms ago  child child (order)
            "#]],
        )
        .await;
    world.check("pending --name parent -o name", expect!["p\n"]).await;
    world.fails("pending a --name parent", Exit::Usage, "either ids or a filter").await;
    let text = world.ok("get p").await;
    assert!(text.ends_with("waits for: child child (order); see `durable pending p`\n"), "{text}");
    world.ok("suspend a --reason why").await;
    let text = world.ok("pending a").await;
    assert!(text.contains("suspended: by a client\n  why\n"), "{text}");
    world.ok("resume a").await;
    world.ok("raise a Approval -i true").await;
    world.check("result a", expect!["500\n"]).await;
    let history = world.ok("history a --kind TaskScheduled,TaskCompleted -o jsonl").await;
    assert_eq!(history.lines().count(), 2);
    world.close().await;
}

#[orchestrator(name = "counting")]
async fn counting(ctx: &OrchestrationContext) -> Result<()> {
    let _counter = ctx.lock_entities(Counter::at("a")).await?;
    let _counted: bool = ctx.wait_for_external_event("Counted").await?;
    Ok(())
}

#[tokio::test]
async fn locks_are_listed_with_their_holders_and_those_who_wait() {
    let world = World::new().await;
    for id in ["first", "second", "third"] {
        world.ok(&format!("start counting --id {id} -i null")).await;
    }
    world
        .check(
            "locks",
            expect![[r#"
                ENTITY     LOCKED BY  SINCE    WAITING, IN THEIR ORDER
                counter/a  first      0ms ago  second, third
            "#]],
        )
        .await;
    world.check("locks --name counter --prefix b -o name", expect![""]).await;
    world.check("entity queue counter/a -o name", expect!["second\nthird\n"]).await;
    let text = world.ok("pending second").await;
    assert!(text.contains("lock of counter/a"), "{text}");
    assert!(text.contains("counter/a is locked by first for 0ms, 1st in line"), "{text}");
    world.check("entity unlock", expect!["0 locks released\n"]).await;
    assert!(text.contains("\n\nfirst is Running\n"), "{text}");
    world.close().await;
}

#[tokio::test]
async fn a_part_of_a_history_is_found_by_its_text() {
    let world = World::new().await;
    world.ok("start order --id a -i 500").await;
    world.ok("raise a Approval -i true").await;
    let kinds = async |options: &str| {
        let text = world.ok(&format!("history a -o jsonl --fields kind {options}")).await;
        text.replace("{\"kind\":\"", "").replace("\"}\n", " ")
    };
    assert_eq!(kinds("--search CHARGE").await, "TaskScheduled ");
    assert_eq!(kinds("--search task --limit 1").await, "TaskScheduled ");
    assert_eq!(kinds("--limit 2 --from 1").await, "ExecutionStarted OrchestratorCompleted ");
    let all = kinds("--from 0").await;
    let newest: Vec<_> = all.split_whitespace().rev().collect();
    assert!(newest.len() > 4, "{newest:?}");
    assert_eq!(kinds("--reverse --limit 2").await.trim(), newest[..2].join(" "));
    assert_eq!(kinds("--reverse --from 2").await.trim(), newest[..newest.len() - 2].join(" "));
    world.close().await;
}

#[tokio::test]
async fn operations_take_ids_stdin_and_filters() {
    let world = World::new().await;
    for id in ["f1", "f2"] {
        world.ok(&format!("start order --id {id} -i 0")).await;
        world.ok(&format!("raise {id} Approval -i true")).await;
    }
    let (exit, output, _) = world.run_with("f1\nf2\n", "rewind - -o name").await;
    assert_eq!((exit, &*output), (Exit::Ok, "f1\nf2\n"));
    world.check("count --status failed", expect!["2\n"]).await;
    world.check("list --failed-with charge -o name --sort id", expect!["f1\nf2\n"]).await;
    world.check("count --failed-with another", expect!["0\n"]).await;
    world.fails("rewind f1 nobody", Exit::NotFound, "nobody").await;
    world.fails("purge --status failed", Exit::Usage, "purge 2 instances; confirm").await;
    let text = world.ok("purge --status failed --dry-run").await;
    assert!(text.contains("matched    2") && text.contains("f1"), "{text}");
    world.ok("purge --status failed --yes").await;
    world.check("list -o name --name order", expect![""]).await;
    world.close().await;
}

#[tokio::test]
async fn each_cause_of_an_error_has_its_exit_code() {
    let world = World::new().await;
    world.ok("start order --id a -i 0").await;
    world.fails("get nobody", Exit::NotFound, "nobody").await;
    world.fails("start order --id a -i 5", Exit::Conflict, "a").await;
    world.fails("rewind a", Exit::Conflict, "a").await;
    world.fails("start nothing", Exit::Failed, "nothing").await;
    world.fails("start order -i {", Exit::Usage, "is not JSON").await;
    world.fails("raise a Approval -i yes", Exit::Usage, "put a text into quotes").await;
    let (exit, _, errors) = world.run_with("", "rewind -").await;
    assert_eq!((exit, &*errors), (Exit::Ok, "stdin has no ids, so there is nothing to do\n"));
    world.fails("--hub unix:/nonexistent count", Exit::Unreachable, "`durable doctor` says").await;
    world.fails("list --status lost", Exit::Usage, "is not a status").await;
    world.fails("terminate a", Exit::Usage, "terminate `a`; confirm it with `--yes`").await;
    world.fails("rewind", Exit::Usage, "nothing to rewind").await;
    world.fails("wait a --timeout 0s", Exit::TimedOut, "still Running").await;
    world.fails("--hub unix:/nonexistent list", Exit::Unreachable, "cannot reach").await;
    world.fails("--path /nonexistent list", Exit::NotFound, "/nonexistent").await;
    world.fails("--hub nonsense list", Exit::Usage, "not the address of a hub").await;
    world.ok("raise a Approval -i true").await;
    world.fails("result a", Exit::InstanceFailed, "nothing to charge").await;
    world.fails("wait a", Exit::InstanceFailed, "a is Failed").await;
    world.check("wait a --for any", expect![""]).await;
    world.fails("raise a Approval", Exit::Conflict, "a").await;
    world.close().await;
}

#[tokio::test]
async fn entities_schedules_and_the_hub_are_shown() {
    let world = World::new().await;
    world.check("entity call Counter/a add -i 2", expect!["2\n"]).await;
    world.ok("entity signal Counter/a add -i 3").await;
    world
        .check(
            "entity list",
            expect![[r#"
                ID         CHANGED  QUEUE  LOCKED BY  STATE
                counter/a  0ms ago  0                 5
            "#]],
        )
        .await;
    world.check("entity list -o name", expect!["counter/a\n"]).await;
    world.fails("entity get Counter", Exit::Usage, "write `name/key`").await;
    world.fails("entity get Counter/b", Exit::NotFound, "@counter@b").await;
    world.ok("schedule create daily order --every 1h -i 500").await;
    let text = world.ok("schedule list").await;
    assert!(text.contains("daily  order   every 3600 s  Active"), "{text}");
    world.ok("schedule pause daily").await;
    world.fails("schedule delete daily", Exit::Usage, "confirm it").await;
    world.ok("schedule delete daily --yes").await;
    let text = world.ok("hub").await;
    let (process, owns) = (std::process::id(), "owns 4 partitions: 0-3 (this process)");
    let line = text.lines().find(|line| line.contains(&format!("process {process}")));
    assert!(line.is_some_and(|line| line.contains(owns)), "{text}");
    assert!(world.ok("hub retry-partition 0").await.contains("wasParked"));
    world.fails("hub retry-partition 9", Exit::Failed, "there is no partition `9`").await;
    assert!(world.ok("hub functions").await.contains("order"));
    assert!(world.ok("activity registered").await.contains("charge"));
    world.ok("locks").await;
    world.ok("activity list").await;
    world.ok("start order --id a -i 500").await;
    world
        .check(
            "top",
            expect![[r#"
                instances: Running 1

                ORCHESTRATION  RUNNING
                order          1
            "#]],
        )
        .await;
    world.ok("raise a Approval -i true").await;
    world.ok("start order --id b -i 0").await;
    world.ok("raise b Approval -i true").await;
    world
        .check(
            "activity stats --fields name,attempts,failedAttempts -o json",
            expect![[r#"
                [{"name":"charge","attempts":2,"failedAttempts":1}]
            "#]],
        )
        .await;
    let text = world.ok("activity stats --since 1h").await;
    assert!(text.contains("charge    2         1 (50 %)  0us"), "{text}");
    assert!(text.contains("nothing to charge"), "{text}");
    world.fails("top -o json", Exit::Usage, "use `activity list`").await;
    world.ok("batch list").await;
    world.close().await;
}

#[tokio::test]
async fn histories_are_exported_replayed_and_compared() {
    let world = World::new().await;
    for (id, cents) in [("a", 5), ("b", 5), ("c", 0)] {
        world.ok(&format!("start order --id {id} -i {cents}")).await;
        world.ok(&format!("raise {id} Approval -i true")).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display().to_string();
    world.ok(&format!("export a --out {out}")).await;
    world
        .check(&format!("replay {out}/a.json"), expect!["the code fits the history of `order`\n"])
        .await;
    let text = std::fs::read_to_string(folder.path().join("a.json")).unwrap();
    let other = folder.path().join("other.json");
    std::fs::write(&other, text.replace("\"order\"", "\"of_another_program\"")).unwrap();
    let missing = "this program does not have the code of `of_another_program`; run `replay` with the \
                   program that has it, whose `main` calls `durable_cli::run`: DURABLE0103: ";
    world.fails(&format!("replay {}", other.display()), Exit::Failed, missing).await;
    world.ok(&format!("export b --gzip --out {out}")).await;
    let file = std::fs::File::open(folder.path().join("b.json.gz")).unwrap();
    let history = std::io::read_to_string(flate2::read::MultiGzDecoder::new(file)).unwrap();
    assert!(history.contains("TaskScheduled"), "{history}");
    assert!(world.ok("diff a b").await.starts_with("both have the same"));
    let failed = world.ok("list --status failed").await;
    assert!(failed.starts_with("ID  NAME   STATUS  CREATED  DETAIL\nc   order"), "{failed}");
    assert!(failed.contains("activity `charge` failed: nothing to charge"), "{failed}");
    let (exit, output, _) = world.run_with("", "diff a c").await;
    assert_eq!(exit, Exit::Failed);
    assert!(output.contains("TaskCompleted") && output.contains("TaskFailed"), "{output}");
    world.close().await;
}

#[tokio::test]
async fn a_folder_that_nobody_has_open_is_read_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub");
    let hub = TaskHub::open(&path).await.unwrap();
    let run = hub.start(order(5).instance_id("a")).await.unwrap();
    run.raise_event("Approval", &true).await.unwrap();
    run.result().await.unwrap();
    let world = World::new().await;
    let path = path.display().to_string();
    world
        .fails(
            &format!("--path {path} list"),
            Exit::Unreachable,
            "; give the address that the process serves, such as `--hub http://127.0.0.1:7071`",
        )
        .await;
    hub.shutdown().await.unwrap();
    drop(run);
    world.check(&format!("--path {path} list -o name"), expect!["a\n"]).await;
    world.check(&format!("--path {path} result a"), expect!["5\n"]).await;
    let line = format!("--path {path} purge a --yes");
    let (exit, _, _) = world.run_with("", &line).await;
    assert_ne!(exit, Exit::Ok);
    world.check(&format!("--path {path} list -o name"), expect!["a\n"]).await;
    let (to, again) = (format!("{path}-1"), format!("{path}-2"));
    let text = world.ok(&format!("store backup {path} --to {to}")).await;
    assert!(text.starts_with(&format!("{to}: 1 instances, 0 messages, ")), "{text}");
    world.check(&format!("--path {to} list -o name"), expect!["a\n"]).await;
    world.fails(&format!("store backup {path} --to {to}"), Exit::Failed, &to).await;
    world.fails(&format!("store backup {path}"), Exit::Usage, "name the new folder").await;
    let line = format!("--path {path} store backup --to {again} -o name");
    assert_eq!(world.ok(&line).await, format!("{again}\n"));
    let text = world.ok(&format!("store check {path}")).await;
    assert!(text.contains("1 instances and no damage"), "{text}");
    world.ok(&format!("store compact {path}")).await;
    assert!(world.ok(&format!("store stats {path}")).await.contains("disk_bytes"));
    world.close().await;
}

#[tokio::test]
async fn the_process_of_a_running_hub_makes_its_backup() {
    let folder = tempfile::tempdir().unwrap();
    let hub = TaskHub::open(folder.path().join("hub")).await.unwrap();
    hub.start(order(5).instance_id("a")).await.unwrap();
    let backups = folder.path().join("backups");
    let options = HttpOptions::new().backups(&backups);
    let client = Client::in_process(durable_http::router(&hub, options));
    let line = "durable store backup --name monday";
    let mut io = Io::captured();
    assert_eq!(run_on(client.clone(), line.split(' '), &mut io).await, Exit::Ok);
    let (output, to) = (io.output(), backups.join("monday").display().to_string());
    assert!(output.starts_with(&format!("{to}: 1 instances, ")), "{output}");
    let mut io = Io::captured();
    assert_eq!(run_on(client.clone(), line.split(' '), &mut io).await, Exit::Conflict);
    let mut io = Io::captured();
    let line = format!("durable store backup --to {to}");
    assert_eq!(run_on(client, line.split(' '), &mut io).await, Exit::Usage);
    assert!(io.errors().contains("give `--name`"), "{}", io.errors());
    hub.shutdown().await.unwrap();
    let world = World::new().await;
    world.fails("store backup", Exit::NotFound, "makes no backups").await;
    world.check(&format!("--path {to} list -o name"), expect!["a\n"]).await;
    world.close().await;
}

#[tokio::test]
async fn the_doctor_checks_the_way_to_the_hub() {
    let world = World::new().await;
    world.ok("start order --id a -i 5").await;
    let text = world.ok("doctor").await;
    for line in [
        "configuration  ok      there is no configuration file",
        "target         ok      this process",
        "clock          ok      the clocks agree",
        "access         ok      everything is allowed",
        "instances      ok      no instance is suspended by the runtime",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let (exit, text, _) = world.run_with("", "--hub unix:/nonexistent doctor -o jsonl").await;
    assert_eq!(exit, Exit::Unreachable);
    assert!(
        text.contains(r#"{"check":"target","result":"ok","detail":"unix:/nonexistent (`--hub`)"}"#)
    );
    assert!(text.contains(r#"{"check":"hub","result":"failed","detail":"cannot reach"#), "{text}");
    world.close().await;
}

#[tokio::test]
async fn the_command_line_describes_itself() {
    let world = World::new().await;
    assert!(world.ok("--help").await.contains("durable pending order-17"));
    assert!(world.ok("man").await.contains(".TH durable"));
    assert!(world.ok("skill").await.contains("Why is an instance stuck?"));
    assert!(world.ok("completions bash").await.contains("COMPLETE"));
    world.close().await;
}
