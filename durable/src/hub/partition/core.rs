//! The context of an operation on one instance: everything of a partition except its instances.
//!
//! While an instance is lent out of its cache, an operation can access only this context, so it
//! cannot change another instance by accident.

use std::sync::Arc;

use super::due::DueList;
use super::messages;
use super::outbox::Outbox;
use super::reader::Reader;
use super::waiters::Waiters;
use crate::hub::commit::write::{Content, Effect};
use crate::hub::recovery::held::HeldBack;
use crate::hub::settings::Settings;
use crate::hub::telemetry::event::LifecycleKind;
use crate::hub::telemetry::lifecycle::Lifecycle;
use crate::hub::time::clock::Clock;
use crate::protocol::{InstanceRecord, MessageId, PartitionId, TaskMessage, Timestamp};
use crate::registry::Registry;

/// The number of the partition and the settings of its hub. They never change.
#[derive(Clone, Debug)]
pub(crate) struct Environment {
    pub(crate) partition: PartitionId,
    pub(crate) registry: Arc<Registry>,
    pub(crate) settings: Settings,
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) clock: Clock,
    /// The instances that do not run for now.
    pub(crate) held: Arc<HeldBack>,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) env: Environment,
    pub(super) store: Reader,
    pub(super) outbox: Outbox,
    pub(super) due: DueList,
    pub(super) waiters: Waiters,
}

impl Core {
    pub(super) fn now(&self) -> Timestamp {
        self.env.clock.now()
    }

    /// What is started for a single change of an instance.
    pub(super) fn starts_for(
        &self,
        record: &InstanceRecord,
        kind: LifecycleKind,
        at: Timestamp,
        reason: Option<&str>,
    ) -> Vec<TaskMessage> {
        let Some(hooks) = &self.env.settings.hooks else { return Vec::new() };
        messages::starts(hooks.of_change(record, kind, at, reason)).collect()
    }

    pub(super) fn write(&mut self, content: Content, effects: Vec<Effect>) {
        self.outbox.write(content, effects);
    }

    /// Writes only that a message was consumed.
    pub(super) fn consume(&mut self, message: MessageId) {
        self.write(Content { consumed: vec![message], ..Content::default() }, Vec::new());
    }
}
