//! The timeline of an instance.

use axum::http::StatusCode;
use axum::response::Response;
use durable::client::{HubError, InstanceStatus};
use durable::protocol::{HistoryEvent, InstanceId, Timestamp};
use durable::{InstanceHandle, RuntimeStatus};

use super::Refusal;
use crate::call::Call;
use crate::json;
use crate::problem::{Code, Problem};
use crate::recorded::{Incomplete, Recorded};
use crate::timeline::{LaneKind, Source, Timeline, View, Waits, compute};

/// The maximum number of children whose lanes are shown.
const CHILDREN_MAX: usize = 50;
/// The maximum number of events of all these children together.
const CHILD_EVENTS_MAX: u64 = 20_000;
/// The maximum number of bars of a child.
const CHILD_BARS_MAX: usize = 200;
/// The maximum number of times that an instance is read again because it changed during the read.
const READS_MAX: usize = 3;
/// The maximum number of events of a history that is shown.
const EVENTS_MAX: u64 = 50_000;

/// With `from`, `to`, `lane`, `lanes`, `failed`, `critical` and `children`.
pub(super) async fn timeline(call: Call) -> Result<Response, Refusal> {
    let view = View {
        from: call.time("from")?.map(Timestamp::new),
        to: call.time("to")?.map(Timestamp::new),
        lane: call.query.get("lane").map(str::to_owned),
        kinds: call.query.list("lanes").map(kind).collect::<Result<_, _>>()?,
        failed: call.boolean("failed")?,
        critical: call.boolean("critical")?,
        ..View::default()
    };
    let with_children = call.boolean("children")?;
    if let (Some(from), Some(to)) = (view.from, view.to)
        && from >= to
    {
        let text = format!("`to` is `{to}`; give a time after `from`, which is `{from}`");
        return Err(Problem::invalid(text).into());
    }
    let mut timeline = of(&call, call.params.get("id"), &view).await?;
    if with_children {
        add_children(&call, &mut timeline).await?;
    }
    Ok(json::answer(StatusCode::OK, &timeline))
}

fn kind(text: &str) -> Result<LaneKind, Problem> {
    LaneKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let names: Vec<_> = LaneKind::ALL.iter().map(|kind| kind.name()).collect();
        let (text, names) = (text.escape_debug(), names.join(", "));
        Problem::invalid(format!("`lanes` has `{text}`; give some of {names}"))
    })
}

async fn of(call: &Call, id: &str, view: &View) -> Result<Timeline, Problem> {
    let (status, history, waits) = read(call, id).await?;
    let now = Timestamp::new(call.hub().current_utc_datetime());
    let source = Source { status: &status, history: &history, waits: waits.as_ref(), now };
    Ok(compute(&source, view))
}

/// The history of an instance and what it waits for, as of the same moment. An instance that keeps
/// changing has no waits.
async fn read(
    call: &Call,
    id: &str,
) -> Result<(InstanceStatus, Vec<HistoryEvent>, Option<Waits>), Problem> {
    let instance = call.hub().instance(id).map_err(HubError::from)?;
    let mut reads = 0;
    loop {
        let (status, history) = history_of(&instance).await?;
        reads += 1;
        // For any other status, the hub does not know what the instance waits for.
        if status.runtime_status != RuntimeStatus::Running || reads > READS_MAX {
            return Ok((status, history, None));
        }
        let pending = instance.pending().await?;
        let is_same = pending.status.execution_id == status.execution_id
            && pending.status.history_len == status.history_len;
        if is_same {
            return Ok((status, history, Some(Waits::from(&pending))));
        }
    }
}

/// The history. A history that is too long to be in memory as a whole is refused.
async fn history_of(
    instance: &InstanceHandle,
) -> Result<(InstanceStatus, Vec<HistoryEvent>), Problem> {
    let mut reads = 0;
    'replaced: loop {
        let status = instance.status().await?;
        let (id, length) = (&status.instance_id, status.history_len);
        if length > EVENTS_MAX {
            let detail = format!(
                "the history of `{id}` has {length} events, and a timeline shows at most \
                 {EVENTS_MAX}; read it by page from `/history`"
            );
            return Err(Problem::new(Code::TooLong, detail));
        }
        let mut recorded = Recorded::new(instance.clone(), &status);
        let mut history = Vec::new();
        reads += 1;
        loop {
            match recorded.page().await {
                Ok(Some(events)) => history.extend(events),
                Ok(None) => return Ok((status, history)),
                Err(Incomplete::Unreadable(error)) => return Err(error.into()),
                Err(Incomplete::Replaced) if reads <= READS_MAX => continue 'replaced,
                Err(Incomplete::Replaced) => {
                    let detail = format!("the history of `{id}` was replaced while it was read");
                    return Err(Problem::new(Code::Busy, detail));
                }
            }
        }
    }
}

/// Adds the lanes of the children that are shown, within the same range.
async fn add_children(call: &Call, timeline: &mut Timeline) -> Result<(), Problem> {
    let of_child = |kind| kind == LaneKind::Child;
    let shown = timeline.lanes.iter().filter(|lane| of_child(lane.kind));
    let ids: Vec<InstanceId> = shown.filter_map(|lane| lane.instance_id.clone()).collect();
    let (from, to) = (Some(timeline.from), Some(timeline.to));
    let view = View { from, to, max_bars: CHILD_BARS_MAX, ..View::default() };
    let mut events = 0;
    for id in ids.iter().take(CHILDREN_MAX) {
        let child = call.hub().instance(id.as_str()).map_err(HubError::from)?;
        let found = match child.status().await {
            Ok(status) => status,
            // It was purged.
            Err(HubError::NoSuchInstance(_)) => continue,
            Err(error) => return Err(error.into()),
        };
        events += found.history_len;
        if events > CHILD_EVENTS_MAX {
            break;
        }
        timeline.adopt(of(call, id.as_str(), &view).await?);
    }
    Ok(())
}
