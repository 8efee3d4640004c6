//! Looking for instances.

use serde::{Deserialize, Serialize};

use crate::protocol::{InstanceId, InstanceRecord, Json, RuntimeStatus, Tags, Timestamp};

/// Which instances are looked for: those to which all that is set applies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceFilter {
    /// Of this orchestration.
    pub name: Option<String>,
    /// With one of these statuses; empty for any.
    pub statuses: Vec<RuntimeStatus>,
    /// Created at this time or later.
    pub created_from: Option<Timestamp>,
    /// Created before this time.
    pub created_to: Option<Timestamp>,
    /// Ended at this time or later.
    #[serde(default)]
    pub ended_from: Option<Timestamp>,
    /// Ended before this time.
    #[serde(default)]
    pub ended_to: Option<Timestamp>,
    /// With an id that begins like this.
    pub id_prefix: String,
    /// With all of these tags.
    pub tags: Tags,
    /// With this custom status.
    pub custom_status: Option<Json>,
}

impl InstanceFilter {
    /// Whether an instance is one of those looked for.
    pub fn matches(&self, record: &InstanceRecord) -> bool {
        // Nothing happens to an instance that has ended.
        let ended = record.runtime_status.is_finished().then_some(record.last_updated_at);
        let has_tag = |(key, value): (&String, &String)| record.tags.get(key) == Some(value);
        self.name.as_ref().is_none_or(|name| *name == record.name)
            && (self.statuses.is_empty() || self.statuses.contains(&record.runtime_status))
            && self.created_from.is_none_or(|from| record.created_at >= from)
            && self.created_to.is_none_or(|to| record.created_at < to)
            && self.ended_from.is_none_or(|from| ended.is_some_and(|ended| ended >= from))
            && self.ended_to.is_none_or(|to| ended.is_some_and(|ended| ended < to))
            && record.instance_id.as_str().starts_with(&self.id_prefix)
            && self.tags.iter().all(has_tag)
            && (self.custom_status.is_none() || self.custom_status == record.custom_status)
    }
}

/// Some of the instances that were looked for, in the order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstancePage {
    /// The instances.
    pub instances: Vec<InstanceRecord>,
    /// After which id to look for more; none if there are no more. What follows may be nothing.
    pub next: Option<InstanceId>,
}
