//! A task hub as its clients see it: opening it, and every request, answer and error.
//!
//! | to | use |
//! |---|---|
//! | open a hub | [`TaskHub::open`], [`TaskHubBuilder`] |
//! | start an orchestration | [`TaskHub::start`], which returns an [`OrchestrationHandle`] |
//! | reach an instance by its id | [`TaskHub::instance`], which returns an [`InstanceHandle`] |
//! | wait for a result or a custom status | [`OrchestrationHandle`], [`CustomStatusWatch`] |
//! | raise an event, suspend, resume, terminate, rewind, purge | [`InstanceHandle`] |
//! | list instances, entities, schedules or signals | [`TaskHub::query`] or [`TaskHub::stream`] with a [`Query`] |
//! | count instances by status and name | [`TaskHub::counts`], which returns [`InstanceCounts`] |
//! | call, signal and read entities | [`TaskHub::call_entity`], [`TaskHub::signal_entity`], [`TaskHub::entity`] |
//! | list what a hub has registered | [`TaskHub::registered`], which gives [`Registered`] |
//! | list the activities that are running | [`TaskHub::running`], which returns [`RunningActivity`]s |
//! | find out what an instance waits for | [`InstanceHandle::pending`], which returns [`PendingWork`] |
//! | read the history of an instance by page, or follow it | [`InstanceHandle::history_page`], [`InstanceHandle::follow_history`] |
//! | follow the lifecycle of all instances | [`TaskHub::lifecycle`], which returns [`LifecycleEvents`] |
//! | start an orchestration for each lifecycle event | [`TaskHubBuilder::on_lifecycle`], [`LifecycleFilter`] |
//! | start orchestrations at intervals | [`schedule`](crate::schedule) |
//! | copy a running hub | [`TaskHub::backup`] |
//!
//! A request that changes something returns a [`Reply`], which completes when the change is
//! durable.
//!
//! # Ids and pages
//! An id that is text is taken as `impl AsRef<str>`: of instances, of schedules, and keys of
//! entities. An id that breaks a rule is an error of the operation; that of a call, of its start.
//! An [`EntityId`](crate::EntityId) is taken by reference. Whatever is listed comes as a [`Page`]
//! whose [`PageToken`] goes to the query's `after`, or as a [`QueryStream`].
//!
//! # Errors
//! Each kind of request has its error: [`OpenError`], [`StartError`], [`ResultError`],
//! [`ManageError`], [`EntityError`], [`LifecycleError`], [`BackupError`]. Each error of a request to an instance or
//! an entity has a variant with a [`HubError`] for what can happen to every request: the hub was
//! shut down, its store failed, or there is no such instance ([`HubError::NoSuchInstance`], which
//! is the only error that says it).

pub use crate::call::NamedCall;
pub use crate::entity::InvalidOperation;
pub use crate::event::InvalidEvent;
#[doc(inline)]
pub use crate::hub::{
    BackupError, CleanedEntities, CustomStatusWatch, EntityDetails, EntityError, EntityQuery,
    FollowedEvent, HistoryPage, HistoryPosition, HistoryStream, HubError, InstanceCounts,
    InstanceDetails, InstanceDetailsQuery, InstanceHandle, InstanceQuery, InstanceStatus,
    InvalidHistoryPosition, InvalidPageToken, InvalidSetting, LifecycleError, LifecycleEvent,
    LifecycleEvents, LifecycleFilter, LifecycleKind, ManageError, OpenError, OrchestrationHandle,
    Page, PageToken, Parameter, PendingWork, Query, QueryStream, QueuedKind, QueuedRequest,
    Registered, RegisteredEntity, RegisteredFunction, RegisteredOperation, Reply, ResultError,
    Retention, RunningActivity, ScheduledSignal, ScheduledSignalQuery, ShutdownReport, StartError,
    TaskHub, TaskHubBuilder, Unreadable,
};
pub use crate::payload::InvalidPayload;
pub use crate::registry::{RegistryError, VersionMatch};
