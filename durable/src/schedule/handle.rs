//! Client operations on a schedule: create, pause, resume, update, delete.

use std::fmt;

use super::error::{InvalidSchedule, ScheduleError};
use super::query::{ScheduleDescription, describe};
use super::spec::{ID_MAX, ScheduleUpdate, ScheduledCall, Target};
use super::state::{Command, State};
use super::{ENTRY, ID_PREFIX, TAG};
use crate::call::{CallUse, NamedCall, NoEffect};
use crate::hub::client::start_request::StartRequest;
use crate::hub::{HubError, InstanceHandle, InstanceQuery, ManageError, StartError, TaskHub};
use crate::payload::{InvalidPayload, payload};
use crate::protocol::{InstanceId, Tags};

/// A client's handle to a schedule. It holds only the id: the schedule need not exist, and dropping
/// the handle does not affect it.
///
/// ```
/// # use durable::prelude::*;
/// use durable::schedule::{Schedule, ScheduleQuery, ScheduleStatus};
/// use std::time::Duration;
///
/// #[orchestrator]
/// async fn cleanup(ctx: &OrchestrationContext, keep_days: u32) -> Result<()> {
///     Ok(())
/// }
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// hub.create_schedule("nightly", Schedule::cron("0 3 * * *")?.of(cleanup(7))).await?;
///
/// // Elsewhere, with nothing but the id:
/// let nightly = hub.schedule("nightly")?;
/// nightly.pause().await?;
/// assert_eq!(nightly.describe().await?.status, ScheduleStatus::Paused);
/// nightly.update(Schedule::every(Duration::from_hours(12))).await?;
/// nightly.resume().await?;
/// assert_eq!(hub.count(&nightly.runs()).await?, 0); // it is not time yet
/// nightly.delete().await?;
/// assert!(hub.query(&ScheduleQuery::new()).await?.items.is_empty());
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ScheduleHandle {
    hub: TaskHub,
    id: String,
    instance: InstanceHandle,
}

impl TaskHub {
    /// Creates a schedule. When this returns, the schedule is durable: it runs until it ends or is
    /// deleted, across restarts of the process.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::schedule::{Schedule, ScheduleError};
    /// # #[orchestrator]
    /// # async fn cleanup(ctx: &OrchestrationContext, keep_days: u32) -> Result<()> { Ok(()) }
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// // Whenever the program starts: create it, unless it is there.
    /// let nightly = Schedule::cron("0 3 * * *")?.of(cleanup(7));
    /// match hub.create_schedule("nightly", nightly.clone()).await {
    ///     Err(ScheduleError::AlreadyExists(_)) => hub.schedule("nightly")?.update(nightly).await?,
    ///     created => drop(created?),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::AlreadyExists`]; [`ScheduleError::Invalid`] if the schedule is invalid;
    /// [`ScheduleError::InvalidId`] and [`ScheduleError::IdTooLong`]; [`ScheduleError::Start`] if
    /// the orchestration is not registered, its input cannot be stored, or the disk is nearly full.
    pub async fn create_schedule(
        &self,
        id: impl AsRef<str>,
        schedule: ScheduledCall,
    ) -> Result<ScheduleHandle, ScheduleError> {
        let handle = self.schedule(id)?;
        let ScheduledCall { plan, call } = schedule;
        plan.check()?;
        let trace_context = call.options.trace_context.clone();
        let target = self.check_target(call, CallUse::Scheduled)?;
        let state = payload::<State>().encode(&State::new(plan, target));
        let invalid = |error| StartError::InvalidInput {
            name: ENTRY.name.to_owned(),
            reason: InvalidPayload::no_json("the schedule", error),
        };
        let request = StartRequest {
            instance_id: handle.instance.instance_id().clone(),
            name: ENTRY.name.to_owned(),
            version: None,
            input: state.map_err(invalid)?,
            tags: Tags::new(),
            trace_context,
            start_at: None,
            replaces: Vec::new(),
            is_new_id: false,
        };
        match self.request_start(request).await {
            Ok(_id) => Ok(handle),
            Err(StartError::AlreadyExists { .. }) => Err(ScheduleError::AlreadyExists(handle.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns a handle to the schedule with this id, which need not exist.
    ///
    /// ```
    /// # use durable::TaskHub;
    /// use durable::schedule::ScheduleError;
    ///
    /// async fn pause(hub: &TaskHub) -> Result<(), ScheduleError> {
    ///     hub.schedule("nightly")?.pause().await
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::InvalidId`] and [`ScheduleError::IdTooLong`]: ids of schedules follow the
    /// rules of [`InstanceId`], and have at most 200 characters.
    pub fn schedule(&self, id: impl AsRef<str>) -> Result<ScheduleHandle, ScheduleError> {
        let id = id.as_ref();
        let characters = id.chars().count();
        if characters > ID_MAX {
            return Err(ScheduleError::IdTooLong { characters, max: ID_MAX });
        }
        // Checked without the prefix too, because the ids of its runs begin with it.
        let id = InstanceId::new(id)?.to_string();
        let instance = self.instance(format!("{ID_PREFIX}{id}"))?;
        Ok(ScheduleHandle { hub: self.clone(), id, instance })
    }

    /// Checks a call and converts it into what the schedule starts.
    fn check_target(&self, call: NamedCall, used: CallUse) -> Result<Target, ScheduleError> {
        let NamedCall { name, version, input, options } = call;
        options.check(used).map_err(|NoEffect { option, instead }| {
            InvalidSchedule::CallOption { call: option, instead }
        })?;
        let name = name.into_owned();
        let input = match input {
            Ok(input) => input,
            Err(reason) => return Err(StartError::InvalidInput { name, reason }.into()),
        };
        let version = self.version_called(&name, version)?;
        self.can_start(&name, version.as_deref(), &input)?;
        Ok(Target { name, version, input, tags: options.tags })
    }
}

impl ScheduleHandle {
    /// Returns the schedule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the instance that drives the schedule.
    pub fn instance(&self) -> &InstanceHandle {
        &self.instance
    }

    /// Returns a query for the instances that the schedule has started and that still exist.
    pub fn runs(&self) -> InstanceQuery {
        InstanceQuery::new().tag(TAG, &self.id)
    }

    /// Returns the schedule's definition and progress.
    ///
    /// ```
    /// use durable::schedule::{ScheduleError, ScheduleHandle};
    ///
    /// async fn runs(schedule: &ScheduleHandle) -> Result<u64, ScheduleError> {
    ///     Ok(schedule.describe().await?.runs)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`], or [`ScheduleError::Hub`].
    pub async fn describe(&self) -> Result<ScheduleDescription, ScheduleError> {
        let id = self.instance.instance_id().clone();
        let found = self.hub.read(move |store| describe(store, &id)).await?;
        found.ok_or_else(|| self.missing())
    }

    /// Pauses the schedule: its ticks are skipped until it is [resumed](Self::resume). When this
    /// returns, the change is durable, as with the other operations. Pausing a paused schedule has
    /// no effect.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`], [`ScheduleError::Ended`] or [`ScheduleError::Hub`]. A
    /// full disk does not prevent pausing.
    pub async fn pause(&self) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        let paused = self.instance.raise_to_end_work(&Command::Pause).await;
        paused.map_err(|error| self.error(error))
    }

    /// Resumes the schedule with the next tick; ticks during the pause are skipped. Resuming a
    /// schedule that is not paused has no effect.
    ///
    /// # Errors
    /// The same as [`pause`](Self::pause), and [`ScheduleError::Manage`] with
    /// [`ManageError::NoRoom`] while the disk is nearly full.
    pub async fn resume(&self) -> Result<(), ScheduleError> {
        self.send(Command::Resume).await
    }

    /// Replaces the whole recurrence with that of the new [`Schedule`](crate::schedule::Schedule);
    /// with a [`ScheduledCall`], also what the schedule starts. The schedule stays paused if it is
    /// paused, and keeps its count of runs. If nothing changes, it also keeps its next tick.
    ///
    /// ```
    /// use durable::schedule::{Schedule, ScheduleError, ScheduleHandle};
    /// use std::time::Duration;
    ///
    /// async fn slow_down(schedule: &ScheduleHandle) -> Result<(), ScheduleError> {
    ///     schedule.update(Schedule::every(Duration::from_secs(3_600))).await
    /// }
    /// ```
    ///
    /// # Errors
    /// The same as [`resume`](Self::resume), and as [`TaskHub::create_schedule`] for an invalid
    /// schedule or call.
    pub async fn update(&self, update: impl Into<ScheduleUpdate>) -> Result<(), ScheduleError> {
        let ScheduleUpdate { plan, call } = update.into();
        plan.check()?;
        let target = call.map(|call| self.hub.check_target(call, CallUse::Rescheduled));
        let target = target.transpose()?;
        let (plan, target) = (Box::new(plan), target.map(Box::new));
        self.send(Command::Update { plan, target }).await
    }

    /// Ends the schedule and removes it; its id can be used again. Instances that it has started
    /// continue.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`] or [`ScheduleError::Hub`].
    pub async fn delete(&self) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        let removed = self.instance.remove("the schedule was deleted").await;
        removed.map_err(|error| self.error(error))
    }

    /// Sends a command. The reply arrives after the commit of the episode that carried it out.
    async fn send(&self, command: Command) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        self.instance.raise(&command).await.map_err(|error| self.error(error))
    }

    /// Checks that the schedule exists, and that its id is not that of another kind of instance.
    async fn check_exists(&self) -> Result<(), ScheduleError> {
        match self.instance.status().await {
            Ok(record) if record.name == ENTRY.name => Ok(()),
            Ok(_) | Err(HubError::NoSuchInstance(_)) => Err(self.missing()),
            Err(error) => Err(error.into()),
        }
    }

    fn missing(&self) -> ScheduleError {
        ScheduleError::NoSuchSchedule(self.id.clone())
    }

    fn error(&self, error: ManageError) -> ScheduleError {
        match error {
            error if error.is_no_such_instance() => self.missing(),
            ManageError::Finished { .. } => ScheduleError::Ended(self.id.clone()),
            ManageError::Hub(error) => ScheduleError::Hub(error),
            error => ScheduleError::Manage(Box::new(error)),
        }
    }
}

impl fmt::Debug for ScheduleHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ScheduleHandle({})", self.id)
    }
}
