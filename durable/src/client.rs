//! A task hub as its clients see it: opening it, and every request, answer and error.
//!
//! | to | use |
//! |---|---|
//! | open a hub | [`TaskHub::open`], [`TaskHubBuilder`] |
//! | start an orchestration | [`TaskHub::start`], which gives an [`OrchestrationHandle`] |
//! | reach an instance by its id | [`TaskHub::instance`], which gives an [`InstanceHandle`] |
//! | wait for a result or a custom status | [`OrchestrationHandle`], [`CustomStatusWatch`] |
//! | raise an event, suspend, resume, terminate, rewind, purge | [`InstanceHandle`] |
//! | list instances | [`TaskHub::query`] with an [`InstanceQuery`] |
//! | call, signal, read and list entities | [`TaskHub::call_entity`], [`TaskHub::signal_entity`], [`TaskHub::entity`], [`EntityQuery`] |
//! | list what a hub has registered | [`TaskHub::registered`], which gives [`Registered`] |
//! | follow what happens in the hub | [`TaskHub::lifecycle`], which gives [`LifecycleEvents`] |
//! | start orchestrations at intervals | [`schedule`](crate::schedule) |
//!
//! A request that changes something is a [`Reply`]: it is sent when the method is called, and its
//! answer comes when the change is durable.
//!
//! # Errors
//! Each kind of request has its error: [`OpenError`], [`StartError`], [`ResultError`],
//! [`ManageError`], [`EntityError`], [`LifecycleError`]. Each of them has a variant with a [`HubError`]
//! for what can happen to every request: the hub was shut down, or its store failed.

#[doc(inline)]
pub use crate::hub::{
    CleanedEntities, CustomStatusWatch, EntityDetails, EntityError, EntityPage, EntityQuery,
    HubError, InstanceDetails, InstanceHandle, InstanceQuery, LifecycleError, LifecycleEvent,
    LifecycleEvents, LifecycleKind, ManageError, OpenError, OrchestrationHandle, Parameter,
    Registered, RegisteredEntity, RegisteredFunction, RegisteredOperation, Reply, ResultError,
    Retention, ScheduledSignal, ScheduledSignalPage, ScheduledSignalQuery, ShutdownReport,
    StartError, TaskHub, TaskHubBuilder,
};
pub use crate::registry::{RegistryError, VersionMatch};
