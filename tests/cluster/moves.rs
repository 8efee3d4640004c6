//! A partition changes hands: recorded work is kept, and unrecorded work is repeated.

use std::sync::atomic::{AtomicU32, Ordering};

use durable::RuntimeStatus;
use durable::client::{HubError, ManageError};
use durable::protocol::{EntityId, InstanceId, PartitionId};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn partitions_move_to_a_node_that_joins_and_back_when_it_leaves() {
    let cluster = MemoryCluster::default();
    let (a, b) = (cluster.node(), cluster.node());
    let hub_a = open(&a).await;
    let mut runs = Vec::new();
    for n in 0..16 {
        let run = hub_a.start(approval().instance_id(format!("approval-{n}"))).await.unwrap();
        within(run.raise_event("First", "a")).await.unwrap();
        runs.push(run);
    }
    let hub_b = open(&b).await;
    until(|| a.partitions().len() == 4 && b.partitions().len() == 4).await;
    for run in &runs[..8] {
        within(run.raise_event("Second", "b")).await.unwrap();
        assert_eq!(within(run.result()).await.unwrap(), "ab");
    }
    hub_b.shutdown().await.unwrap();
    until(|| a.partitions().len() == 8).await;
    let members = within(hub_a.members()).await.unwrap();
    assert_eq!(members.nodes.len(), 1, "the other one has left");
    assert_eq!(members.nodes[0].partitions.len(), 8);
    for run in &runs[8..] {
        within(run.raise_event("Second", "b")).await.unwrap();
        assert_eq!(within(run.result()).await.unwrap(), "ab");
    }
    hub_a.shutdown().await.unwrap();
}

#[derive(Default, serde::Serialize, serde::Deserialize)]
struct Notes(Vec<u32>);

#[entity]
impl Notes {
    fn note(&mut self, n: u32) {
        self.0.push(n);
    }

    fn all(&self) -> Vec<u32> {
        self.0.clone()
    }
}

#[orchestrator]
async fn notes_twice(ctx: &OrchestrationContext, key: String) -> Result<()> {
    Notes::at(&key).note(1).signal()?;
    ctx.wait_for_external_event::<u32>("Go").await?;
    Notes::at(&key).note(2).signal()?;
    Ok(())
}

/// A name that belongs to one of these partitions.
fn name_in(partitions: &[PartitionId], instance_id: impl Fn(&str) -> InstanceId) -> String {
    let mut names = (0..).map(|n| format!("n{n}"));
    names.find(|name| partitions.contains(&PartitionId::of(&instance_id(name), 8))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_does_not_overtake_one_from_before_its_sender_moved() {
    let ((node_a, a), (node_b, b)) = two().await;
    let entity = |key: &str| EntityId::new("notes", key).unwrap().instance_id().clone();
    let key = name_in(&node_a.partitions(), entity);
    let id = name_in(&node_b.partitions(), |id| InstanceId::new(id).unwrap());
    node_a.hold_messages(true);
    within(b.start(notes_twice(key.clone()).instance_id(&id))).await.unwrap();
    b.shutdown().await.unwrap();
    until(|| node_a.partitions().len() == 8).await;
    let run = within(a.find_instance::<notes_twice>(&id)).await.unwrap().unwrap();
    let moved = tokio::spawn(async move {
        run.raise_event("Go", &0).await.unwrap();
        run.result().await.unwrap();
    });
    for _ in 0..20 {
        within(a.call_entity(Notes::at(&key).all())).await.unwrap();
    }
    assert!(!moved.is_finished(), "it goes on before the earlier message has arrived");
    node_a.hold_messages(false);
    within(moved).await.unwrap();
    let mut notes = Vec::new();
    while notes.len() < 2 {
        notes = within(a.call_entity(Notes::at(&key).all())).await.unwrap();
    }
    assert_eq!(notes, [1, 2]);
    a.shutdown().await.unwrap();
}

static GATES: AtomicU32 = AtomicU32::new(0);

/// Ends when the test permits it.
#[activity]
async fn gated(n: u64) -> Result<u64> {
    GATES.fetch_add(1, Ordering::SeqCst);
    while GATES.load(Ordering::SeqCst) < 1000 {
        tokio::task::yield_now().await;
    }
    Ok(n)
}

#[orchestrator]
async fn through_the_gate(ctx: &OrchestrationContext, n: u64) -> Result<u64> {
    let passed = gated(n).await?;
    Account::at("passed").deposit(1).await?;
    Ok(passed)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_late_results_of_a_lost_partition_are_refused() {
    let cluster = MemoryCluster::default();
    let (a, b) = (cluster.node(), cluster.node());
    let hub_a = open(&a).await;
    let mut runs = Vec::new();
    for n in 0..8 {
        runs.push(hub_a.start(through_the_gate(n).instance_id(format!("gate-{n}"))).await.unwrap());
    }
    until(|| GATES.load(Ordering::SeqCst) == 8).await;
    let hub_b = TaskHub::builder().store(b.clone()).open().await.unwrap();
    // Like a process that is stopped for a while: it continues without knowing that it has lost its
    // partitions.
    a.cut_off();
    until(|| b.partitions().len() == 8).await;
    until(|| GATES.load(Ordering::SeqCst) == 16).await;
    GATES.store(1000, Ordering::SeqCst);
    for n in 0..8 {
        let found = hub_b.find_instance::<through_the_gate>(format!("gate-{n}"));
        let run = within(found).await.unwrap().unwrap();
        assert_eq!(within(run.result()).await.unwrap(), n);
    }
    let passed = within(hub_b.call_entity(Account::at("passed").deposit(0))).await.unwrap();
    assert_eq!(passed, 8, "each instance went on once");
    a.reconnect();
    until(|| !a.partitions().is_empty()).await;
    for (n, run) in runs.iter().enumerate() {
        assert_eq!(within(run.result()).await.unwrap(), n as u64, "a reaches the new owner");
    }
    let run = within(hub_a.start(spread(3).instance_id("afterwards"))).await.unwrap();
    assert_eq!(within(run.result()).await.unwrap(), 12);
    hub_a.shutdown().await.unwrap();
    hub_b.shutdown().await.unwrap();
}

/// Two hubs, the first of which has lost all of its partitions to the second and does not know.
async fn lost_to_another(id: &str) -> (TaskHub, TaskHub) {
    let cluster = MemoryCluster::default();
    let (a, b) = (cluster.node(), cluster.node());
    let hub_a = open(&a).await;
    within(hub_a.start(leaf(1).instance_id("ended"))).await.unwrap();
    within(hub_a.instance("ended").unwrap().wait_for_completion()).await.unwrap();
    within(hub_a.start(approval().instance_id(id))).await.unwrap();
    let hub_b = open(&b).await;
    a.cut_off();
    until(|| b.partitions().len() == 8).await;
    (hub_a, hub_b)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_owner_does_not_reply_that_a_suspended_instance_runs() {
    let (a, b) = lost_to_another("budget").await;
    let (of_a, of_b) = (a.instance("budget").unwrap(), b.instance("budget").unwrap());
    within(of_b.suspend("by b")).await.unwrap();
    within(of_a.resume("by a")).await.unwrap();
    let status = within(of_b.status()).await.unwrap().runtime_status;
    assert_eq!(status, RuntimeStatus::Running);
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_owner_does_not_reply_that_a_purged_instance_exists() {
    let (a, b) = lost_to_another("budget").await;
    within(b.instance("ended").unwrap().purge()).await.unwrap();
    let again = within(a.start(leaf(2).instance_id("ended"))).await.unwrap();
    assert_eq!(within(again.result()).await.unwrap(), 4);
    within(b.instance("budget").unwrap().terminate("by b")).await.unwrap();
    within(b.instance("budget").unwrap().purge()).await.unwrap();
    let raised = within(a.instance("budget").unwrap().raise_event("First", "a")).await;
    let missing = matches!(raised, Err(ManageError::Hub(HubError::NoSuchInstance(_))));
    assert!(missing, "{raised:?}");
    a.shutdown().await.unwrap();
    b.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_while_partitions_move() {
    let cluster = MemoryCluster::default();
    let nodes = [cluster.node(), cluster.node(), cluster.node()];
    let mut hubs = Vec::new();
    for node in &nodes {
        hubs.push(open(node).await);
    }
    let work = async {
        for round in 0..6_u64 {
            let mut runs = Vec::new();
            for n in 0..20 {
                let n = round * 20 + n;
                let hub = &hubs[usize::try_from(n % 3).unwrap()];
                let run = hub.start(spread(n).instance_id(format!("moving-{n}"))).await.unwrap();
                runs.push((n, run));
            }
            for (n, run) in runs {
                assert_eq!(run.result().await.unwrap(), 4 * n);
            }
        }
    };
    let disturb = async {
        for turn in 0..30 {
            let node = &nodes[turn % 3];
            node.cut_off();
            until(|| node.partitions().is_empty()).await;
            node.reconnect();
            until(|| !node.partitions().is_empty()).await;
        }
    };
    within(async { tokio::join!(work, disturb) }).await;
    let total = within(hubs[0].call_entity(Account::at("total").deposit(0))).await.unwrap();
    assert_eq!(total, 120, "each call was carried out once");
    let mut signalled = 0;
    for account in 0..7 {
        let account = format!("account-{account}");
        signalled += within(hubs[1].call_entity(Account::at(&account).deposit(0))).await.unwrap();
    }
    assert_eq!(signalled, 120, "each signal was carried out once");
    for hub in hubs {
        hub.shutdown().await.unwrap();
    }
}
