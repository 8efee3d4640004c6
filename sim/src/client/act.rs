//! Carries out operations. It is an error if an answer contradicts the store.

use std::sync::Arc;
use std::task::Poll;

use durable::Call;
use durable::client::{InstanceHandle, InstanceQuery};
use durable::prelude::*;
use durable::protocol::{InstanceId, RuntimeStatus};
use durable::store::{InstanceFilter, Store};
use durable::testing::sim;

use super::Clients;
use super::answer::{Asked, Done};
use super::entity::{call_entity, cancel_signal, entity_state, signal};
use super::follow::{follow_history, watch_status};
use super::op::{Op, Query};
use super::schedule::schedule;
use crate::interpret::{event_name, id_name, sim_program, start_at};
use crate::program::{Program, When};
use crate::rules::Committed;

/// The statuses of instances that may be replaced.
const ENDED: [RuntimeStatus; 3] =
    [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
const ANY: [RuntimeStatus; 6] = [
    RuntimeStatus::Completed,
    RuntimeStatus::Failed,
    RuntimeStatus::Terminated,
    RuntimeStatus::Pending,
    RuntimeStatus::Running,
    RuntimeStatus::Suspended,
];

pub(super) type Checked = Result<(), String>;

pub(super) fn holds(is_so: bool, wrong: impl FnOnce() -> String) -> Checked {
    if is_so { Ok(()) } else { Err(wrong()) }
}

fn call(id: u8, program: &Program) -> Call<sim_program> {
    sim_program(program.clone(), 0).instance_id(id_name(id))
}

pub(super) async fn act(
    clients: &Clients,
    hub: &TaskHub,
    op: &Op,
    store: &Arc<dyn Store>,
    committed: &Committed,
) -> Checked {
    match op {
        Op::Start(id, program, at) => {
            let (call, asked) = (call(*id, program), asked(*id, committed));
            let call = at.map_or_else(|| call.clone(), |at| start_at(call.clone(), at));
            asked.started(hub.start(call).await.as_ref().map(drop), &[])
        }
        Op::Replace(id, program, is_any) => {
            let statuses = if *is_any { &ANY[..] } else { &ENDED[..] };
            if *is_any {
                committed.asks_end(&id_name(*id));
            }
            let asked = asked(*id, committed);
            let call = call(*id, program).replace_if(statuses.iter().copied());
            asked.started(hub.start(call).await.as_ref().map(drop), statuses)
        }
        Op::StartIfAbsent(id, program) => {
            let asked = asked(*id, committed);
            let started = hub.start_if_absent(call(*id, program)).await;
            asked.is_there(started.as_ref().map(drop))
        }
        Op::Query(query) => query_all(hub, *query, &**store, committed).await,
        Op::Schedule(id, what) => schedule(hub, *id, *what, committed).await,
        Op::Signal(op, at, number) => signal(hub, *op, *at, *number, committed).await,
        Op::Call(op, number) => call_entity(hub, *op, *number, committed).await,
        Op::CancelSignal(key) => cancel_signal(hub, *key, committed).await,
        Op::EntityState(key) => entity_state(hub, *key, committed).await,
        Op::Clean => {
            _ = hub.clean_entities().await;
            Ok(())
        }
        Op::PurgeEnded => {
            committed.asks_purge_of_all();
            _ = hub.purge(&InstanceQuery::new().status(RuntimeStatus::Completed)).await;
            Ok(())
        }
        Op::Pause(when) => {
            sim::sleep(when.duration()).await;
            Ok(())
        }
        Op::Abandon(polls, op) => {
            let mut acting = Box::pin(act(clients, hub, op, store, committed));
            let mut left = *polls;
            std::future::poll_fn(|cx| {
                left = left.saturating_sub(1);
                match acting.as_mut().poll(cx) {
                    Poll::Ready(checked) => Poll::Ready(checked),
                    Poll::Pending if left == 0 => {
                        clients.gives_up(op);
                        Poll::Ready(Ok(()))
                    }
                    Poll::Pending => Poll::Pending,
                }
            })
            .await
        }
        op => on_instance(clients, hub, op, store, committed).await,
    }
}

fn asked(id: u8, committed: &Committed) -> Asked {
    Asked::new(committed, &id_name(id))
}

async fn on_instance(
    clients: &Clients,
    hub: &TaskHub,
    op: &Op,
    store: &Arc<dyn Store>,
    committed: &Committed,
) -> Checked {
    let (Op::Raise(id, ..)
    | Op::RaiseIfRunning(id, ..)
    | Op::Suspend(id)
    | Op::Resume(id)
    | Op::Terminate(id, _)
    | Op::Rewind(id)
    | Op::Restart(id)
    | Op::RestartAs(id, _)
    | Op::Purge(id)
    | Op::PurgeTree(id)
    | Op::Details(id)
    | Op::History(id)
    | Op::Pending(id)
    | Op::WaitForStart(id)
    | Op::WaitForEnd(id)
    | Op::Follow(id)
    | Op::WatchStatus(id)) = op
    else {
        return Ok(());
    };
    let name = id_name(*id);
    let Ok(instance) = hub.instance(&name) else { return Ok(()) };
    let asked = Asked::new(committed, &name);
    match op {
        Op::Raise(_, event, number) => {
            let raised = instance.raise_event(&event_name(*event), number).await;
            asked.managed(raised.as_ref().map(drop), Done::Raised)?;
            is_raised(raised.is_ok(), instance.instance_id(), *number, committed)
        }
        Op::RaiseIfRunning(_, event, number) => {
            let raised = instance.raise_event_if_running(&event_name(*event), number).await;
            let is_raised_now = matches!(raised, Ok(true));
            match raised {
                Ok(true) => asked.managed(Ok(()), Done::Raised)?,
                Ok(false) => asked.has_ended_or_is_missing()?,
                Err(error) => asked.refused(&error)?,
            }
            is_raised(is_raised_now, instance.instance_id(), *number, committed)
        }
        Op::RestartAs(_, other) => {
            let as_other = Asked::new(committed, &id_name(*other));
            let restarted = instance.restart_as(id_name(*other)).await;
            asked.restarted(restarted.as_ref().map(drop), Some(&as_other))
        }
        Op::Restart(_) => {
            let restarted = instance.restart().await;
            asked.restarted(restarted.as_ref().map(drop), None)
        }
        Op::Details(_) | Op::History(_) | Op::Pending(_) => look(&instance, op, &asked).await,
        Op::WaitForStart(_) | Op::WaitForEnd(_) | Op::Follow(_) | Op::WatchStatus(_) => {
            wait(clients, instance, op, store, asked).await
        }
        op => manage(&instance, op, &asked, committed).await,
    }
}

/// Waits for an event or output that may never come.
async fn wait(
    clients: &Clients,
    instance: InstanceHandle,
    op: &Op,
    store: &Arc<dyn Store>,
    asked: Asked,
) -> Checked {
    let (id, committed) = (instance.instance_id().to_string(), asked.committed().clone());
    match op {
        Op::WaitForStart(_) => match limited(When::Hour, instance.wait_for_start()).await {
            Some(begun) => asked.begun(begun.as_ref().map(drop)),
            None => Ok(()),
        },
        Op::WaitForEnd(_) => {
            let wait = async move {
                let ended = instance.wait_for_completion().await;
                asked.found(ended.as_ref().map(|ended| ended.runtime_status))
            };
            until_the_end(clients, &id, wait).await
        }
        Op::Follow(_) => {
            let store = Arc::clone(store);
            let following = follow_history(clients.clone(), instance, store, committed);
            while_alone(clients, &id, following).await
        }
        Op::WatchStatus(_) => while_alone(clients, &id, watch_status(instance, committed)).await,
        _ => Ok(()),
    }
}

/// Waits for the end of an instance; if that takes too long, leaves the wait to a separate task.
async fn until_the_end(
    clients: &Clients,
    id: &str,
    wait: impl Future<Output = Checked> + Send + 'static,
) -> Checked {
    let to = clients.clone();
    let mut wait = Box::pin(async move { wait.await.unwrap_or_else(|wrong| to.fail(wrong)) });
    if limited(When::Hour, wait.as_mut()).await.is_none() {
        clients.leave(id, wait);
    }
    Ok(())
}

/// Like [`until_the_end`], but if several processes share the hub, the wait is abandoned after a
/// minute: the processes read a followed instance again and again, so they would never come to
/// rest.
async fn while_alone(
    clients: &Clients,
    id: &str,
    wait: impl Future<Output = Checked> + Send + 'static,
) -> Checked {
    if clients.processes() == 1 {
        return until_the_end(clients, id, wait).await;
    }
    limited(When::Minute, wait).await.unwrap_or(Ok(()))
}

/// Changes an instance.
async fn manage(
    instance: &InstanceHandle,
    op: &Op,
    asked: &Asked,
    committed: &Committed,
) -> Checked {
    let name = instance.instance_id().as_str();
    let (managed, done) = match op {
        Op::Suspend(_) => (instance.suspend("because").await, Done::Suspended),
        Op::Resume(_) => (instance.resume("because").await, Done::Resumed),
        Op::Terminate(_, recursively) => {
            committed.asks_end(name);
            let terminated = if *recursively {
                instance.terminate_recursively("because").await
            } else {
                instance.terminate("because").await
            };
            (terminated, Done::Terminated)
        }
        Op::Rewind(_) => {
            committed.asks_rewind(name);
            (instance.rewind("because").await, Done::Rewound)
        }
        Op::Purge(_) => {
            committed.asks_purge(name, false);
            (instance.purge().await, Done::Purged)
        }
        Op::PurgeTree(_) => {
            committed.asks_purge(name, true);
            (instance.purge_recursively().await.map(drop), Done::Purged)
        }
        _ => return Ok(()),
    };
    asked.managed(managed.as_ref().map(drop), done)
}

/// Reads an instance.
async fn look(instance: &InstanceHandle, op: &Op, asked: &Asked) -> Checked {
    let found = match op {
        Op::Details(_) => {
            _ = instance.custom_status::<serde_json::Value>().await;
            let status = instance.status().await;
            asked.found(status.as_ref().map(|it| it.runtime_status))?;
            instance.details().await.map(|it| it.status.runtime_status)
        }
        Op::History(_) => instance.status_and_history().await.map(|(it, _)| it.runtime_status),
        _ => instance.pending().await.map(|it| it.status.runtime_status),
    };
    asked.found(found.as_ref().map(|status| *status))
}

/// Waits for at most this long.
async fn limited<T>(limit: When, future: impl Future<Output = T>) -> Option<T> {
    let mut limit = std::pin::pin!(sim::sleep(limit.duration()));
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
    })
    .await
}

fn is_raised(is_ok: bool, id: &InstanceId, number: u64, committed: &Committed) -> Checked {
    holds(!is_ok || committed.has_raised(id, number), || {
        format!("I1 event {number} was accepted, and is in no history")
    })
}

/// I13: the pages of a query together, and its count, agree with a full scan. If there were commits
/// in the meantime, the pages contain at least the instances that these commits did not change.
async fn query_all(
    hub: &TaskHub,
    query: Query,
    store: &dyn Store,
    committed: &Committed,
) -> Checked {
    let mut wanted = InstanceQuery::new().page_size(query.page);
    if query.is_newest_first {
        wanted = wanted.newest_first();
    }
    if query.only_running {
        wanted = wanted.status(RuntimeStatus::Running);
    }
    if let Some(prefix) = query.prefix {
        wanted = wanted.id_prefix(id_name(prefix));
    }
    let before = committed.commits();
    let Ok(found) = hub.stream(wanted.clone()).try_collect().await else { return Ok(()) };
    for it in &found {
        let asked = Asked::since(committed, it.instance_id.as_str(), before);
        asked.found(Ok(it.runtime_status))?;
    }
    let Ok(count) = hub.count(&wanted).await else { return Ok(()) };
    let all = store.instances(&InstanceFilter::default(), None, usize::MAX);
    let all = all.map(|page| page.instances).unwrap_or_default();
    let prefix = query.prefix.map(id_name).unwrap_or_default();
    let is_unchanged = committed.commits() == before;
    let mut scanned: Vec<_> = all
        .iter()
        .filter(|it| {
            let seen = committed.seen(it.instance_id.as_str(), before);
            is_unchanged || seen.stayed() == Some(it.runtime_status)
        })
        .filter(|it| !it.instance_id.as_str().starts_with('@'))
        .filter(|it| !it.name.starts_with("durable."))
        .filter(|it| it.instance_id.as_str().starts_with(&prefix))
        .filter(|it| !query.only_running || it.runtime_status == RuntimeStatus::Running)
        .map(|it| it.instance_id.to_string())
        .collect();
    let mut found: Vec<_> = found.iter().map(|it| it.instance_id.to_string()).collect();
    let is_counted = count == found.len() as u64;
    found.sort_unstable();
    scanned.sort_unstable();
    let is_right = if is_unchanged {
        found == scanned && is_counted
    } else {
        scanned.iter().all(|id| found.binary_search(id).is_ok())
    };
    holds(is_right, || {
        format!("I13 a query finds {found:?}, counts {count}, and a scan finds {scanned:?}")
    })
}
