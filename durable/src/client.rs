//! Opening a task hub, its operations, and their results and errors.
//!
//! ```
//! # use durable::prelude::*;
//! use durable::RuntimeStatus;
//! use durable::client::InstanceQuery;
//!
//! # #[orchestrator]
//! # async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> { Ok(cents) }
//! # #[tokio::main]
//! # async fn main() -> Result<()> {
//! let hub = TaskHub::builder().in_memory().open().await?;
//! let run = hub.start(order(500).instance_id("order-17")).await?;
//! assert_eq!(run.result().await?, 500);
//!
//! let completed = InstanceQuery::new().status(RuntimeStatus::Completed);
//! let page = hub.query(&completed).await?;
//! assert_eq!(page.items[0].instance_id.as_str(), "order-17");
//! # hub.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | open a hub | [`TaskHub::open`], [`TaskHubBuilder`] |
//! | start an orchestration | [`TaskHub::start`], which returns an [`OrchestrationHandle`] |
//! | get a handle to an instance by its id | [`TaskHub::instance`], which returns an [`InstanceHandle`] |
//! | wait for a result or a custom status | [`OrchestrationHandle`], [`CustomStatusWatch`] |
//! | raise an event, suspend, resume, terminate, rewind, purge | [`InstanceHandle`] |
//! | list instances, entities, schedules or signals | [`TaskHub::query`] or [`TaskHub::stream`] with a [`Query`] |
//! | count instances by status and name | [`TaskHub::counts`], which returns [`InstanceCounts`] |
//! | call, signal and read entities | [`TaskHub::call_entity`], [`TaskHub::signal_entity`], [`TaskHub::entity`] |
//! | list the registered functions | [`TaskHub::registered`], which returns [`Registered`] |
//! | see how long commits take | [`TaskHub::commit_latency`], which returns a [`CommitLatency`] |
//! | list the activities that are running | [`TaskHub::running`], which returns [`RunningActivity`]s |
//! | count the activities that wait for a free slot | [`TaskHub::waiting`] |
//! | find out what an instance waits for | [`InstanceHandle::pending`], which returns [`PendingWork`] |
//! | read the history of an instance by page, or follow it | [`InstanceHandle::history_page`], [`InstanceHandle::follow_history`] |
//! | follow the lifecycle of all instances | [`TaskHub::lifecycle`], which returns [`LifecycleEvents`] |
//! | start an orchestration for each lifecycle event | [`TaskHubBuilder::on_lifecycle`], [`LifecycleFilter`] |
//! | start orchestrations at intervals | [`schedule`](crate::schedule) |
//! | copy a running hub | [`TaskHub::backup`] |
//! | list the processes that share a hub | [`TaskHub::members`] |
//!
//! A request that changes something returns a [`Reply`], which completes when the change is
//! durable.
//!
//! # Ids
//! Parameters for the ids of instances and schedules, and for the keys of entities, accept any
//! `impl AsRef<str>`. If an id breaks a rule, the operation returns an error; the id of a call is
//! checked when the call is started. An [`EntityId`](crate::EntityId) is passed by reference.
//!
//! # Pages
//! [`TaskHub::query`] returns one [`Page`]. To read the following page, pass [`Page::next`] to the
//! method `after` of the query. [`TaskHub::stream`] returns all results one by one.
//!
//! # Errors
//! Each kind of operation has an error type of its own: [`OpenError`], [`StartError`],
//! [`ResultError`], [`ManageError`], [`EntityError`], [`LifecycleError`] and [`BackupError`]. The
//! errors of operations on instances and entities have a variant `Hub` with a [`HubError`], which
//! says that the hub was shut down, that its store failed, or that the instance does not exist.
//! A missing instance is always reported as [`HubError::NoSuchInstance`].

pub use crate::call::NamedCall;
pub use crate::entity::InvalidOperation;
pub use crate::event::InvalidEvent;
#[doc(inline)]
pub use crate::hub::{
    BackupError, CleanedEntities, CodeHash, CommitLatency, CustomStatusWatch, EntityDetails,
    EntityError, EntityQuery, FollowedEvent, HistoryPage, HistoryPosition, HistoryStream, HubError,
    InstanceCounts, InstanceDetails, InstanceDetailsQuery, InstanceHandle, InstanceQuery,
    InstanceStatus, InvalidHistoryPosition, InvalidPageToken, InvalidSetting, LifecycleError,
    LifecycleEvent, LifecycleEvents, LifecycleFilter, LifecycleKind, ManageError, OpenError,
    OrchestrationHandle, Page, PageToken, Parameter, PendingWork, Query, QueryStream, QueuedKind,
    QueuedRequest, Registered, RegisteredEntity, RegisteredFunction, RegisteredOperation, Reply,
    ResultError, Retention, RunningActivity, ScheduledSignal, ScheduledSignalQuery, ShutdownReport,
    StartError, TaskHub, TaskHubBuilder, Unreadable,
};
pub use crate::payload::InvalidPayload;
pub use crate::registry::{RegistryError, VersionMatch};
