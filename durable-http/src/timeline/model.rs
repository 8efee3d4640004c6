//! The lanes of a timeline: plain data, the same for the server, its clients and the renderers.

use std::borrow::Cow;

use durable::RuntimeStatus;
use durable::protocol::{ExecutionId, InstanceId, Timestamp};
use serde::{Deserialize, Serialize};

/// What an execution did and waited for, as lanes of bars and points over time.
///
/// Everything lies between [`from`](Self::from) and [`to`](Self::to): bars are clipped to the
/// range, and points outside of it are left out.
///
/// ```
/// use durable_http::timeline::Timeline;
///
/// /// The lanes that the end of the instance had to wait for.
/// fn critical(timeline: &Timeline) -> Vec<String> {
///     let critical = timeline.lanes.iter().filter(|lane| lane.is_critical);
///     critical.map(|lane| lane.title().into_owned()).collect()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Timeline {
    /// The instance.
    pub instance_id: InstanceId,
    /// The execution that the timeline shows.
    pub execution_id: ExecutionId,
    /// The name of the orchestration.
    pub name: String,
    /// The version of the orchestration.
    pub version: Option<String>,
    /// The status of the instance.
    pub runtime_status: RuntimeStatus,
    /// The number of events in the history.
    pub history_len: u64,
    /// When the execution was started.
    pub started_at: Timestamp,
    /// When the execution ended; `None` if it has not ended.
    pub ended_at: Option<Timestamp>,
    /// The time for which the timeline was computed.
    pub now: Timestamp,
    /// The beginning of the range.
    pub from: Timestamp,
    /// The end of the range. It is later than `now` if a timer or an attempt is due soon.
    pub to: Timestamp,
    /// Round times within the range, for an axis.
    pub ticks: Vec<Timestamp>,
    /// The lanes, in the order of their requests. The lane of the instance itself is the first.
    pub lanes: Vec<Lane>,
    /// The number of lanes that the range or the filter leaves out.
    pub hidden: u64,
    /// Whether equal lanes were merged, because there were too many bars.
    pub is_folded: bool,
}

/// One task or event of an execution, or several equal ones that were merged.
///
/// ```
/// use durable_http::timeline::{Lane, Timeline};
///
/// /// The lane that took the longest.
/// fn slowest(timeline: &Timeline) -> Option<&Lane> {
///     let tasks = timeline.lanes.iter().skip(1); // the first one is the instance
///     tasks.max_by_key(|lane| lane.took(timeline.now))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Lane {
    /// The id of the lane within its timeline: `t5` for the task 5, `e12` for the event with the
    /// index 12 in the history, `w0` for an awaited event, `i` for the instance. The ids of a
    /// child's lanes begin with the id of the lane that represents the child, and a dot.
    pub id: String,
    /// The kind of task or event that the lane shows.
    pub kind: LaneKind,
    /// The name of the activity, orchestration, event or entity; empty for a timer.
    pub name: String,
    /// The version of the activity or orchestration.
    pub version: Option<String>,
    /// What distinguishes the lane from others of the same name: an instance id, or an entity's
    /// operation.
    pub detail: Option<String>,
    /// The instance that the lane leads to: a child, or the recipient of a sent event.
    pub instance_id: Option<InstanceId>,
    /// The state of the task or event.
    pub state: LaneState,
    /// The tasks of the lane, by the `event_id` of their requests: ascending ranges with inclusive
    /// ends.
    pub tasks: Vec<(i32, i32)>,
    /// The index of the lane's first event in the history.
    pub index: u64,
    /// When the task was requested, or when the event arrived.
    pub since: Timestamp,
    /// When the task was answered; `None` if it has not been answered.
    pub until: Option<Timestamp>,
    /// When the timer fires, or when the next attempt begins.
    pub due_at: Option<Timestamp>,
    /// The number of attempts so far, including the current one; 0 if the lane has no attempts.
    pub attempts: u32,
    /// The time that the attempts waited for a free worker before they ran, in microseconds; the
    /// sum for a merged lane; `None` if it is not recorded. A wait that is too short to be seen has
    /// no bar.
    #[serde(default)]
    pub waited_micros: Option<u64>,
    /// The line of code that requested the task, as `file:line`.
    pub source: Option<String>,
    /// The beginning of the input, as JSON.
    pub input: Option<String>,
    /// The beginning of the output, as JSON.
    pub output: Option<String>,
    /// Why the task or its last attempt failed, in at most 500 characters.
    pub error: Option<String>,
    /// Whether the lane is part of the longest chain of awaits that led to the end, or to now.
    pub is_critical: bool,
    /// The bars, in order.
    pub bars: Vec<Bar>,
    /// The points, in order.
    pub points: Vec<Point>,
    /// The statistics of the equal lanes that this lane stands for, if it was merged.
    pub fold: Option<Fold>,
    /// The status of the child, if the child's lanes were requested.
    pub child_status: Option<RuntimeStatus>,
    /// The lanes of the child, if they were requested.
    pub children: Vec<Lane>,
}

/// The kind of task or event that a lane shows.
///
/// ```
/// use durable_http::timeline::{Lane, LaneKind};
///
/// fn is_call(lane: &Lane) -> bool {
///     matches!(lane.kind, LaneKind::Activity | LaneKind::Child | LaneKind::EntityCall)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LaneKind {
    /// The instance itself.
    Instance,
    /// An activity.
    Activity,
    /// A sub-orchestration.
    Child,
    /// A timer.
    Timer,
    /// An external event that arrived, or that is awaited.
    Event,
    /// A call of an entity.
    EntityCall,
    /// A signal to an entity.
    Signal,
    /// A critical section.
    Lock,
    /// An event that was sent to another instance.
    Sent,
}

/// The state of the task or event that a lane shows.
///
/// ```
/// use durable_http::timeline::LaneState;
///
/// assert!(LaneState::Retrying.is_open());
/// assert!(!LaneState::Failed.is_open());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum LaneState {
    /// It waits for a timer, an event or a lock.
    Waiting,
    /// It runs, or waits for a free worker.
    Running,
    /// An attempt failed, and the next one has not begun.
    Retrying,
    /// The critical section has begun but not ended.
    Held,
    /// It returned, fired, arrived, or was released.
    Completed,
    /// It failed.
    Failed,
    /// It was terminated.
    Terminated,
    /// It is suspended.
    Suspended,
    /// The orchestrator stopped waiting for it, or ended before the answer arrived.
    Abandoned,
    /// It was sent; it gets no answer.
    Sent,
    /// It arrived, but the orchestrator has not read it.
    Unread,
}

/// A span of time during which a lane did one thing.
///
/// ```
/// use durable_http::timeline::{Bar, Phase};
/// use std::time::Duration;
///
/// /// How long the attempts of a lane ran that completed.
/// fn busy(bars: &[Bar]) -> Duration {
///     let completed = bars.iter().filter(|bar| bar.phase == Phase::Completed);
///     completed.map(|bar| bar.to.since(bar.from)).sum()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Bar {
    /// The beginning of the span.
    pub from: Timestamp,
    /// The end of the span, which is not before the beginning.
    pub to: Timestamp,
    /// What the lane did.
    pub phase: Phase,
    /// The number of the attempt, from 1, if the lane has attempts.
    pub attempt: Option<u32>,
    /// How the beginning is known.
    pub start: Start,
    /// How many tasks ran at once, if the lane was merged.
    pub at_once: u32,
}

/// What a lane did during a bar.
///
/// ```
/// use durable_http::timeline::Phase;
///
/// /// Whether an attempt was running during the bar.
/// fn is_attempt(phase: Phase) -> bool {
///     matches!(phase, Phase::Running | Phase::Completed | Phase::Failed)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Phase {
    /// It waited: for a worker, an event, a lock, or its start.
    Waiting,
    /// It runs now.
    Running,
    /// It ran and completed.
    Completed,
    /// It ran and failed.
    Failed,
    /// It waited for its next attempt.
    RetryWait,
    /// The timer was set.
    Timer,
    /// The critical section had the locks.
    Held,
    /// The instance was suspended.
    Suspended,
    /// The orchestrator no longer waited for it.
    Abandoned,
}

/// How the beginning of a bar is known.
///
/// ```
/// use durable_http::timeline::{Bar, Start};
///
/// /// How the beginning of a bar is drawn.
/// fn edge(bar: &Bar) -> &'static str {
///     if bar.start == Start::Known { "solid" } else { "dashed" }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Start {
    /// It is recorded.
    Known,
    /// The attempt was scheduled then, and ran from this time or later: its wait for a worker is
    /// not recorded. This applies to activities that still run, and to histories of release 0.1.
    Scheduled,
    /// It is inferred from other events, because the history does not record it: the beginning of a
    /// wait for an event, or the time when a timer was dropped.
    Estimated,
}

/// Something that happened, or will happen, at one time.
///
/// ```
/// use durable_http::timeline::Point;
///
/// fn title(point: &Point) -> String {
///     format!("{:?} at {} {}", point.kind, point.at, point.label.as_deref().unwrap_or_default())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Point {
    /// When it happens.
    pub at: Timestamp,
    /// What happens.
    pub kind: PointKind,
    /// The number of the attempt, from 1, if the point belongs to an attempt.
    pub attempt: Option<u32>,
    /// An error, a reason, the id of a patch, or the number of a generation.
    pub label: Option<String>,
}

/// The kind of a point.
///
/// ```
/// use durable_http::timeline::{Lane, PointKind};
///
/// /// When the attempts of a lane failed.
/// fn failures(lane: &Lane) -> usize {
///     lane.points.iter().filter(|point| point.kind == PointKind::FailedAttempt).count()
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum PointKind {
    /// An attempt failed.
    FailedAttempt,
    /// The next attempt begins.
    NextAttempt,
    /// The timer fired.
    Fired,
    /// The timer will fire.
    Due,
    /// The timer was dropped at about this time.
    Cancelled,
    /// The event arrived.
    Arrived,
    /// The event, signal or start was sent.
    Sent,
    /// A patch was recorded.
    Patch,
    /// Another fact was recorded.
    Note,
    /// The execution began as a continuation of another.
    ContinuedAsNew,
    /// The instance was suspended.
    Suspended,
    /// The instance was resumed.
    Resumed,
    /// The instance was rewound.
    Rewound,
    /// The instance was terminated.
    Terminated,
}

/// Statistics of the equal lanes that a merged lane stands for. Durations are in microseconds, from
/// the request to the answer.
///
/// ```
/// use durable_http::timeline::Lane;
///
/// /// The number of tasks that a lane stands for.
/// fn tasks(lane: &Lane) -> u64 {
///     lane.fold.map_or(1, |fold| fold.count)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Fold {
    /// The number of lanes.
    pub count: u64,
    /// The number of lanes that failed.
    pub failed: u64,
    /// The number of lanes in which an attempt failed.
    pub retried: u64,
    /// The number of lanes that have no answer yet.
    pub open: u64,
    /// The maximum number of lanes that ran at once.
    pub at_once: u32,
    /// The shortest duration of the lanes that were answered.
    pub min_micros: u64,
    /// The median duration of these lanes.
    pub median_micros: u64,
    /// The longest duration of these lanes.
    pub max_micros: u64,
}

impl Lane {
    /// Returns the name of the lane for people, in which an entity is `stock/mug`, not
    /// `@stock@mug`.
    pub fn title(&self) -> Cow<'_, str> {
        match self.kind {
            LaneKind::EntityCall | LaneKind::Signal | LaneKind::Lock => {
                // A lock may be of several.
                let title = |id: &str| id.trim_start_matches('@').replacen('@', "/", 1);
                self.name.split(", ").map(title).collect::<Vec<_>>().join(", ").into()
            }
            LaneKind::Instance
            | LaneKind::Activity
            | LaneKind::Child
            | LaneKind::Timer
            | LaneKind::Event
            | LaneKind::Sent => Cow::Borrowed(&self.name),
        }
    }

    /// Returns the time from the request to the answer, or to `now` if there is no answer yet.
    /// `None` if the lane has no duration; for example, if it is a signal.
    pub fn took(&self, now: Timestamp) -> Option<std::time::Duration> {
        let is_instant = self.state == LaneState::Sent;
        (!is_instant).then(|| self.until.unwrap_or(now).since(self.since))
    }

    /// Returns whether the lane, or one that was merged into it, failed or had a failed attempt.
    pub fn has_failure(&self) -> bool {
        let failed = |point: &Point| point.kind == PointKind::FailedAttempt;
        self.state == LaneState::Failed || self.points.iter().any(failed)
    }
}

impl LaneKind {
    /// All kinds, in the order in which lists show them.
    pub const ALL: [Self; 9] = [
        Self::Instance,
        Self::Activity,
        Self::Child,
        Self::Timer,
        Self::Event,
        Self::EntityCall,
        Self::Signal,
        Self::Lock,
        Self::Sent,
    ];

    /// Returns the name of the kind in JSON and in queries.
    ///
    /// ```
    /// assert_eq!(durable_http::timeline::LaneKind::EntityCall.name(), "entityCall");
    /// ```
    pub fn name(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::Activity => "activity",
            Self::Child => "child",
            Self::Timer => "timer",
            Self::Event => "event",
            Self::EntityCall => "entityCall",
            Self::Signal => "signal",
            Self::Lock => "lock",
            Self::Sent => "sent",
        }
    }
}

impl LaneState {
    /// Returns whether the lane may still change.
    pub fn is_open(self) -> bool {
        match self {
            Self::Waiting | Self::Running | Self::Retrying | Self::Held | Self::Suspended => true,
            Self::Completed
            | Self::Failed
            | Self::Terminated
            | Self::Abandoned
            | Self::Sent
            | Self::Unread => false,
        }
    }
}
