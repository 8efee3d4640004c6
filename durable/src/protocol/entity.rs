//! Entities: their ids and their stored state.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::SCHEDULED;
use super::{InstanceId, InvalidInstanceId, Json, MessageId, ParentInstance, Timestamp};

/// The id of an entity within its task hub: the name of its kind, and its key.
///
/// # Rules
/// The name is not empty, contains no `@`, and is kept in lower case. The key may be empty. Neither
/// contains `/ \ # ?` or control characters, and `@name@key` has at most 256 characters. These are
/// the rules of Durable Functions.
///
/// ```
/// use durable::EntityId;
///
/// let id = EntityId::new("Counter", "visits")?;
/// assert_eq!((id.name(), id.key()), ("counter", "visits"));
/// assert_eq!(id.to_string(), "@counter@visits");
/// assert!(EntityId::new("counter", "visits/today").is_err());
/// # Ok::<(), durable::protocol::InvalidEntityId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntityId(InstanceId);

impl EntityId {
    /// Creates an id from a name and a key, which must follow the rules above.
    ///
    /// # Errors
    /// [`InvalidEntityId`] names the rule that is broken.
    pub fn new(name: impl AsRef<str>, key: impl AsRef<str>) -> Result<Self, InvalidEntityId> {
        let (name, key) = (name.as_ref(), key.as_ref());
        let broken = if name.is_empty() {
            Some("its name is empty")
        } else if name.contains('@') {
            Some("its name contains `@`")
        } else if [name, key].iter().any(|part| part.contains(['/', '\\', '#', '?'])) {
            Some("it contains one of `/ \\ # ?`")
        } else if [name, key].iter().any(|part| part.chars().any(char::is_control)) {
            Some("it contains a control character")
        } else {
            None
        };
        let text = format!("@{}@{key}", name.to_lowercase());
        let broken = broken.or_else(|| InstanceId::is_too_long(&text));
        match broken {
            Some(rule) => Err(InvalidEntityId { id: format!("@{name}@{key}"), rule }),
            None => Ok(Self(InstanceId::of_entity(text))),
        }
    }

    /// Returns the name of the entity's kind, in lower case.
    pub fn name(&self) -> &str {
        self.parts().0
    }

    /// Returns the key of the entity within its kind.
    pub fn key(&self) -> &str {
        self.parts().1
    }

    /// Returns the id as text: `@name@key`.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns the instance id of the entity's record and messages.
    pub fn instance_id(&self) -> &InstanceId {
        &self.0
    }

    /// The instance id of a delayed signal to it.
    pub(crate) fn of_scheduled(&self, signal: MessageId) -> InstanceId {
        InstanceId::of_entity(format!("{self}{SCHEDULED}{signal}"))
    }

    fn parts(&self) -> (&str, &str) {
        let text = self.0.as_str();
        text.strip_prefix('@').and_then(|rest| rest.split_once('@')).unwrap_or((text, ""))
    }
}

/// Whether all rules but the length are kept, and the name is in lower case. Exact for plain ASCII,
/// else `false`.
fn is_plain(name: &str, key: &str) -> bool {
    let is_plain = |byte: &u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_' | b':')
    };
    !name.is_empty()
        && name.as_bytes().iter().all(is_plain)
        && key.as_bytes().iter().all(|byte| is_plain(byte) || byte.is_ascii_uppercase())
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Parses `@name@key`.
impl TryFrom<String> for EntityId {
    type Error = InvalidEntityId;

    fn try_from(id: String) -> Result<Self, InvalidEntityId> {
        match id.strip_prefix('@').and_then(|rest| rest.split_once('@')) {
            // Messages and records carry ids that were checked before, nearly all as plain as this.
            Some((name, key)) if id.len() <= InstanceId::MAX_CHARS && is_plain(name, key) => {
                Ok(Self(InstanceId::of_entity(id)))
            }
            Some((name, key)) => Self::new(name, key),
            None => Err(InvalidEntityId { rule: "it is not of the form `@name@key`", id }),
        }
    }
}

impl From<EntityId> for String {
    fn from(id: EntityId) -> Self {
        id.0.into()
    }
}

impl From<EntityId> for InstanceId {
    fn from(id: EntityId) -> Self {
        id.0
    }
}

impl InstanceId {
    /// The entity that it names, if it names one.
    pub(crate) fn entity(&self) -> Option<EntityId> {
        if self.is_entity() { EntityId::try_from(self.as_str().to_owned()).ok() } else { None }
    }

    /// The prefix of the ids of delayed signals to this entity.
    pub(crate) fn prefix_of_signals(entity: &EntityId) -> String {
        format!("{entity}{SCHEDULED}")
    }

    /// The receiver of the delayed signal with this id.
    pub(crate) fn entity_of_signal(&self) -> Option<EntityId> {
        let (entity, _) =
            self.is_scheduled_signal().then(|| self.as_str().rsplit_once(SCHEDULED))??;
        EntityId::try_from(entity.to_owned()).ok()
    }
}

impl InstanceId {
    /// Reads the stored form, which may also be an entity's id.
    pub(crate) fn from_stored(id: &str) -> Result<Self, InvalidInstanceId> {
        if !id.starts_with('@') {
            return Self::new(id);
        }
        let (entity, signal) = match id.rsplit_once(SCHEDULED) {
            Some((entity, signal)) => (entity, Some(Uuid::try_parse(signal))),
            None => (id, None),
        };
        match (EntityId::try_from(entity.to_owned()), signal) {
            (Ok(entity), None) => Ok(entity.into()),
            (Ok(entity), Some(Ok(signal))) => {
                Ok(entity.of_scheduled(MessageId::from_u128(signal.as_u128())))
            }
            (Err(_), _) | (Ok(_), Some(Err(_))) => Err(Self::refused(id.to_owned())),
        }
    }
}

/// Parses the stored form, which may also be an entity's id.
impl TryFrom<String> for InstanceId {
    type Error = InvalidInstanceId;

    fn try_from(id: String) -> Result<Self, InvalidInstanceId> {
        Self::from_stored(&id)
    }
}

/// A name or key of an entity that breaks a rule of [`EntityId`].
///
/// ```
/// use durable::EntityId;
/// use durable::protocol::InvalidEntityId;
///
/// fn account(key: &str) -> Result<EntityId, InvalidEntityId> {
///     EntityId::new("account", key)
/// }
/// assert!(account("a").is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot name an entity: {rule}; use a name without `@`, and in name and key no `/ \\ # ?` \
     and no control characters, at most 256 characters together",
    .id.escape_debug()
)]
pub struct InvalidEntityId {
    id: String,
    rule: &'static str,
}

/// The stored state of an entity, rewritten after each batch of operations.
///
/// ```
/// use durable::protocol::EntityState;
///
/// // What a store keeps for an entity that nobody has locked.
/// let state = EntityState::default();
/// assert_eq!((state.backlog, state.locked_by), (0, None));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EntityState {
    /// The entity's state, if it has one.
    pub state: Option<Json>,
    /// The critical section that has locked the entity: the orchestration, with the `event_id` of
    /// its `EntityLockRequested`.
    pub locked_by: Option<ParentInstance>,
    /// The number of messages that were waiting after the batch.
    pub backlog: u64,
    /// When the entity was locked. `None` if it is not locked, or was locked before 0.2.
    #[serde(default)]
    pub locked_since: Option<Timestamp>,
}

impl EntityState {
    /// Whether it can be purged: it has no state, no lock and no messages.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { state, locked_by, backlog: _, locked_since: _ } = self;
        state.is_none() && locked_by.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_break_a_rule_are_refused_by_name() {
        for (name, key, rule) in [
            ("", "a", "its name is empty"),
            ("a@b", "c", "its name contains `@`"),
            ("a/b", "c", "`/ \\ # ?`"),
            ("a", "b?", "`/ \\ # ?`"),
            ("a", "b\n", "control character"),
            ("a", &"x".repeat(254), "longer than 256"),
        ] {
            let error = EntityId::new(name, key).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
    }

    #[test]
    fn an_id_is_parsed_from_its_text() {
        for (name, key) in [("counter", ""), ("Counter", "a@b"), ("k\u{e4}se", "x y")] {
            let id = EntityId::new(name, key).unwrap();
            assert_eq!((id.name(), id.key()), (&*name.to_lowercase(), key));
            assert_eq!(EntityId::try_from(id.to_string()).unwrap(), id);
            let stored = serde_json::to_string(id.instance_id()).unwrap();
            assert_eq!(&serde_json::from_str::<InstanceId>(&stored).unwrap(), id.instance_id());
        }
        let refused = EntityId::try_from("counter".to_owned()).unwrap_err().to_string();
        assert!(refused.starts_with("`counter` cannot name an entity: "), "{refused}");
    }

    #[test]
    fn reading_a_text_gives_the_same_as_its_name_and_key() {
        let mut texts = vec![String::from("@")];
        for _ in 0..5 {
            for text in texts.clone() {
                texts.extend(['@', 'a', 'Z', '#'].map(|letter| format!("{text}{letter}")));
            }
        }
        texts.extend([256, 257].map(|length| format!("@a@{}", "x".repeat(length - "@a@".len()))));
        for text in texts {
            let parts = text[1..].split_once('@');
            let expected = parts.and_then(|(name, key)| EntityId::new(name, key).ok());
            assert_eq!(EntityId::try_from(text.clone()).ok(), expected, "{text}");
        }
    }

    #[test]
    fn ids_of_entities_and_signals_are_recognized() {
        let entity = EntityId::new("counter", "a@b").unwrap();
        let signal = entity.of_scheduled(MessageId::from_u128(17));
        let again = InstanceId::try_from(signal.to_string()).unwrap();
        assert!(again.is_scheduled_signal() && !again.is_entity() && !again.is_orchestration());
        assert!(entity.instance_id().is_entity());
        for broken in ["@counter@a#", "@counter@a#17", "@counter", "@", "@@a", "@c@a/b#17"] {
            let refused = InstanceId::try_from(broken.to_owned()).unwrap_err().to_string();
            assert!(refused.contains("reserved for entities"), "{broken}: {refused}");
        }
    }

    #[test]
    fn an_invalid_stored_entity_id_is_refused_with_its_text() {
        for id in ["@counter", "@counter@a#", "@counter@a#1", "@counter@a?", "@@a"] {
            let error = InstanceId::try_from(id.to_owned()).unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{id}` cannot be an instance id: ")), "{error}");
        }
        for id in ["@counter@a", "@counter@a#00000000000000000000000000000001", "a"] {
            assert_eq!(InstanceId::try_from(id.to_owned()).unwrap().as_str(), id);
        }
    }
}
