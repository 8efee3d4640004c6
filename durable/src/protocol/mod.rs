//! The stored and sent data: ids, history events, messages, status, failures.
//!
//! Only these types reach a store, so a change to them changes the stored format; see [`codec`].

// Read next: `event/mod.rs` (the events of a history).

mod causes;
mod code_version;
pub mod codec;
mod entity;
mod event;
mod failure;
mod id;
mod json;
mod message;
mod pending;
mod shallow;
mod status;
mod texts;
mod time;
mod trace;
mod version;

pub(crate) use code_version::compare_versions;
pub use entity::{EntityId, EntityState, InvalidEntityId};
pub(crate) use event::{Answer, Role};
pub use event::{EventKind, ExecutionLimits, ExecutionStarted, HistoryEvent, REPLAY_VERSION};
pub use failure::FailureDetails;
pub use id::{ExecutionId, InstanceId, InvalidInstanceId, MessageId, PartitionId};
pub use json::Json;
pub use message::TaskMessage;
pub(crate) use pending::Pending;
pub use pending::{EventWait, PendingKind, PendingTask};
/// The error of [`Json::parse`] and [`Json::read`].
#[doc(no_inline)]
pub use serde_json::Error as JsonError;
pub use status::{InstanceRecord, ParentInstance, RuntimeStatus, Suspension, Tags};
pub(crate) use texts::Text;
pub use time::Timestamp;
pub use trace::{InvalidTraceContext, TraceContext};
pub use version::{FORMAT_VERSION, HubRecord};
