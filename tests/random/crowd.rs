//! More sleepers in one partition than fit into memory: all of them wake in time.

use std::time::Duration;

use durable::testing::TestHub;
use durable::{Error, Result};

use crate::chance::Chance;
use crate::interpret::{Args, World, hang, program, sorted};
use crate::model::predict;
use crate::program::{
    Activity, Case, Does, Micros, Node, Options, Profile, Program, Retry, SECOND,
};
use crate::run::HORIZON;

/// More than a partition reads from the store at once when it looks for what is due.
const SLEEPERS: usize = 1300;

/// The time by which all sleepers have ended.
const END: Micros = 500 * SECOND;

fn time(chance: &mut Chance) -> Micros {
    1 + chance.below(100 * SECOND)
}

/// Some sleeps, some attempts that fail, and some time limits, one after another.
fn sleeper(chance: &mut Chance) -> Program {
    let step = |chance: &mut Chance| match chance.below(4) {
        0 | 1 => Node::Timer(time(chance)),
        2 => {
            let first = time(chance);
            let retry =
                Retry { attempts: 3, first, doubles: true, max_interval: None, timeout: None };
            let timeout = Some(time(chance));
            let options = Options { retry: Some(retry), timeout, attempt_timeout: None };
            Node::Catch(Box::new(Node::Activity(Activity { does: Does::Fail(2), options })))
        }
        _ => {
            let late = Node::Seq(vec![Node::Timer(time(chance)), Node::Patch]);
            Node::Catch(Box::new(Node::Timeout(time(chance), Box::new(late))))
        }
    };
    let body = Node::Seq((0..chance.between(1, 4)).map(|_| step(chance)).collect());
    Program { body, generations: 0 }
}

fn case(program: Program) -> Case {
    Case { profile: Profile::Free, program, script: Vec::new(), partitions: 1 }
}

/// Lets the sleepers sleep, with a restart of the hub and some suspensions for no time in between.
pub(crate) async fn sleep(seed: u64) -> Result<()> {
    let mut chance = Chance::new(seed, "crowd");
    let hub = TestHub::builder().never::<hang>().configure(|hub| {
        hub.partitions(1).live_instances(100).verify_replay(false).state(World::default())
    });
    let mut hub = hub.open().await?;
    let cases: Vec<_> = (0..SLEEPERS).map(|_| case(sleeper(&mut chance))).collect();
    for (n, case) in cases.iter().enumerate() {
        let call = program(Args::new(case.program.clone())).instance_id(format!("sleeper-{n}"));
        hub.start(call).await?;
    }
    for _ in 0..3 {
        hub.advance(Duration::from_micros(chance.below(20 * SECOND))).await;
        for _ in 0..SLEEPERS / 20 {
            let one = hub.instance(format!("sleeper-{}", chance.index(SLEEPERS)))?;
            if one.suspend("for no time").await.is_ok() {
                one.resume("at once").await?;
            }
        }
        hub = hub.reopen().await?;
    }
    hub.advance(Duration::from_micros(END)).await;
    let mut late = Vec::new();
    for (n, case) in cases.iter().enumerate() {
        let record = hub.instance(format!("sleeper-{n}"))?.status().await?;
        let run = hub.find_instance::<program>(format!("sleeper-{n}")).await?;
        let observed = match (run, record.runtime_status.is_finished()) {
            (Some(run), true) => Some(sorted(run.result().await?)),
            _ => None,
        };
        let predicted = predict(case, HORIZON).and_then(Result::ok).map(sorted);
        if observed != predicted {
            late.push(format!(
                "sleeper-{n}, {record:?}: predicted\n{predicted:#?}\nobserved\n{observed:#?}\n{:?}",
                case.program
            ));
        }
    }
    hub.shutdown().await?;
    if late.is_empty() {
        return Ok(());
    }
    late.truncate(3);
    Err(Error::msg(format!("DURABLE_SEED={seed} repeats this\n{}", late.join("\n"))))
}
