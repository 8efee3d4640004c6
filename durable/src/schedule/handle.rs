//! What a client does with a schedule: create, pause, resume, update, delete.

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

/// A schedule, seen from outside. It is only a name: dropping it does nothing to the schedule, and
/// there need not be one.
///
/// ```standalone_crate
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
    /// Creates a schedule. When this returns, it is durable: it goes on until it ends or is
    /// deleted, whatever becomes of this process.
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
    /// [`ScheduleError::AlreadyExists`]; [`ScheduleError::Invalid`] if the schedule makes no sense;
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
        };
        match self.request_start(request).await {
            Ok(()) => Ok(handle),
            Err(StartError::AlreadyExists { .. }) => Err(ScheduleError::AlreadyExists(handle.id)),
            Err(error) => Err(error.into()),
        }
    }

    /// The schedule of this id, whether it exists or not.
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
        // By itself too, since the instances that it starts begin with it.
        let id = InstanceId::new(id)?.to_string();
        let instance = self.instance(format!("{ID_PREFIX}{id}"))?;
        Ok(ScheduleHandle { hub: self.clone(), id, instance })
    }

    /// What a schedule starts with this call.
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
    /// The schedule's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The instance that is the schedule.
    pub fn instance(&self) -> &InstanceHandle {
        &self.instance
    }

    /// Finds the instances that the schedule has started, as far as there still are any.
    pub fn runs(&self) -> InstanceQuery {
        InstanceQuery::new().tag(TAG, &self.id)
    }

    /// What the schedule is and how far it is.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`], or [`ScheduleError::Hub`].
    pub async fn describe(&self) -> Result<ScheduleDescription, ScheduleError> {
        let id = self.instance.instance_id().clone();
        let found = self.hub.read(move |store| describe(store, &id)).await?;
        found.ok_or_else(|| self.missing())
    }

    /// Lets its ticks pass without a run, until it is [resumed](Self::resume). When this returns,
    /// it is durable, and so it is with the other ones. One that is paused stays so.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`], [`ScheduleError::Ended`] or [`ScheduleError::Hub`]. A
    /// full disk is no reason to refuse this.
    pub async fn pause(&self) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        let paused = self.instance.raise_to_end_work(&Command::Pause).await;
        paused.map_err(|error| self.error(error))
    }

    /// Resumes the schedule with the next tick; ticks that have passed meanwhile are skipped. A
    /// schedule that is not paused is unaffected.
    ///
    /// # Errors
    /// As [`pause`](Self::pause); [`ScheduleError::Manage`] with [`ManageError::NoRoom`] while the
    /// disk is nearly full.
    pub async fn resume(&self) -> Result<(), ScheduleError> {
        self.tell(Command::Resume).await
    }

    /// Replaces when it runs, all that was said of that: from now on it has the ticks of the new
    /// [`Schedule`](crate::schedule::Schedule); with a [`ScheduledCall`] it also runs something
    /// else. It stays paused if it is, and keeps its count of runs; if nothing is changed, also its
    /// ticks.
    ///
    /// # Errors
    /// As [`resume`](Self::resume), and as [`TaskHub::create_schedule`] for what makes no sense.
    pub async fn update(&self, update: impl Into<ScheduleUpdate>) -> Result<(), ScheduleError> {
        let ScheduleUpdate { plan, call } = update.into();
        plan.check()?;
        let target = call.map(|call| self.hub.check_target(call, CallUse::Rescheduled));
        let target = target.transpose()?;
        let (plan, target) = (Box::new(plan), target.map(Box::new));
        self.tell(Command::Update { plan, target }).await
    }

    /// Ends the schedule and removes it; its id may be used again. What it has started goes on.
    ///
    /// # Errors
    /// [`ScheduleError::NoSuchSchedule`] or [`ScheduleError::Hub`].
    pub async fn delete(&self) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        let removed = self.instance.remove("the schedule was deleted").await;
        removed.map_err(|error| self.error(error))
    }

    /// The reply comes after the commit of the episode in which the schedule has done what it is
    /// told.
    async fn tell(&self, command: Command) -> Result<(), ScheduleError> {
        self.check_exists().await?;
        self.instance.raise(&command).await.map_err(|error| self.error(error))
    }

    /// Whether there is one, and no instance of something else under its id.
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
