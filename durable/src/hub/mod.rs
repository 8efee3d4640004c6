//! The task hub: the only place with threads, tasks and time.
//!
//! ```text
//! start, result --mail--> partition --episode--> committer --group--> store
//!                             ^                      |
//!                             +--mail-- activities <-+ what is durable
//! ```
//! A partition is one thread that owns its instances. The committer makes the episodes of all
//! partitions durable, on its own thread or on that of an idle partition. Activities run on the
//! async runtime. No thread polls for work: each blocks on its channel (`time/wait.rs`).
//!
//! Read next: `partition/mod.rs`, then `commit/committer.rs`.

// The order of a hash map would make runs of a simulation differ.
#![warn(clippy::iter_over_hash_type)]

mod admission;
mod builder;
mod built_in;
pub(crate) mod client;
mod commit;
mod custom_status;
pub(crate) mod drive;
mod error;
#[cfg(feature = "sled")]
mod folder;
mod guarded_store;
mod health;
#[cfg(feature = "sled")]
mod hub_folders;
mod mail;
mod mailboxes;
#[cfg(feature = "testing")]
pub(crate) mod met;
mod nodes;
mod open_error;
mod opening;
mod ownership;
mod partition;
mod parts;
mod recovery;
mod reply_to;
mod settings;
mod shutdown;
#[cfg(feature = "testing")]
pub(crate) mod simulation;
pub(crate) mod sizes;
mod task_hub;
mod telemetry;
#[cfg(feature = "testing")]
mod testing;
mod threads;
pub(crate) mod time;
mod verify;
mod work;

pub use self::builder::TaskHubBuilder;
pub use self::client::counts::InstanceCounts;
pub use self::client::entities::{
    CleanedEntities, EntityDetails, EntityQuery, QueuedKind, QueuedRequest, ScheduledSignal,
    ScheduledSignalQuery,
};
pub use self::client::events::{LifecycleError, LifecycleEvents};
pub use self::client::follow::{FollowedEvent, HistoryStream};
pub use self::client::handle::OrchestrationHandle;
pub use self::client::history::{HistoryPage, HistoryPosition, InvalidHistoryPosition};
pub use self::client::instance::InstanceHandle;
pub use self::client::page::{InvalidPageToken, Page, PageToken, Query, QueryStream};
pub use self::client::pending::PendingWork;
pub use self::client::progress::CustomStatusWatch;
pub use self::client::query::InstanceQuery;
pub use self::client::registered::{
    CodeHash, Parameter, Registered, RegisteredEntity, RegisteredFunction, RegisteredOperation,
};
pub use self::client::reply::Reply;
pub use self::client::status::InstanceStatus;
pub use self::client::values::{InstanceDetails, InstanceDetailsQuery};
pub use self::commit::times::CommitLatency;
pub use self::error::{
    BackupError, EntityError, HubError, ManageError, ResultError, StartError, Unreadable,
};
pub use self::open_error::{InvalidSetting, OpenError};
pub use self::settings::Retention;
pub use self::shutdown::ShutdownReport;
pub use self::task_hub::TaskHub;
pub use self::telemetry::event::{LifecycleEvent, LifecycleKind};
pub use self::telemetry::hooks::LifecycleFilter;
pub use self::work::running::RunningActivity;
