//! Ids of instances, executions, messages and partitions.
//!
//! The code that starts or sends something makes its id; everything else only passes it on.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

use crate::fresh;

/// In the id of a delayed signal, separates the entity from the id of the message.
pub(super) const SCHEDULED: char = '#';

const RESERVED: &str = "it begins with `@`, which is reserved for entities";

/// The id of one instance of an orchestration within its task hub.
///
/// # Rules
/// An id has 1 to 256 characters, no leading `@` (which marks the id of an entity), none of
/// `/ \ # ?`, and no control characters. These are the rules of Durable Functions; with them, an id
/// can be part of a URL.
///
/// Every function that takes an id takes `impl AsRef<str>`: text, or an `InstanceId`. The function
/// checks the rules, and if the id breaks one, it returns an error that contains an
/// [`InvalidInstanceId`].
///
/// ```
/// use durable::InstanceId;
///
/// assert_eq!(InstanceId::new("order-17")?.as_str(), "order-17");
/// assert!(InstanceId::new("orders/17").is_err());
/// # Ok::<(), durable::protocol::InvalidInstanceId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct InstanceId(Arc<str>);

impl InstanceId {
    /// The longest id, in characters.
    pub(super) const MAX_CHARS: usize = 256;

    /// Creates an id from text, which must follow the rules above.
    ///
    /// # Errors
    /// [`InvalidInstanceId`] names the rule that `id` breaks.
    pub fn new(id: impl AsRef<str>) -> Result<Self, InvalidInstanceId> {
        let id = id.as_ref();
        // Stores read ids all the time, and nearly all of them are as plain as this.
        let is_plain =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
        let broken =
            if (1..=Self::MAX_CHARS).contains(&id.len()) && id.as_bytes().iter().all(is_plain) {
                None
            } else if id.is_empty() {
                Some("it is empty")
            } else if let Some(broken) = Self::is_too_long(id) {
                Some(broken)
            } else if id.starts_with('@') {
                Some(RESERVED)
            } else if id.contains(['/', '\\', '#', '?']) {
                Some("it contains one of `/ \\ # ?`")
            } else if id.chars().any(char::is_control) {
                Some("it contains a control character")
            } else {
                None
            };
        match broken {
            Some(rule) => Err(InvalidInstanceId { id: id.to_owned(), rule }),
            None => Ok(Self(id.into())),
        }
    }

    /// Makes a unique id: a random GUID without hyphens.
    pub fn generate() -> Self {
        Self(fresh::guid().simple().to_string().into())
    }

    /// The default id of a sub-orchestration, derived from its caller.
    pub(crate) fn of_child(parent: ExecutionId, task: i32) -> Self {
        Self(format!("{parent}:{task}").into())
    }

    /// The id with which the values of a request are encoded.
    pub(crate) fn of_request(request: MessageId) -> Self {
        Self(request.to_string().into())
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The receiver of messages that the hub sends to itself.
    pub(crate) fn of_hub(name: &'static str) -> Self {
        Self(name.into())
    }

    /// Takes a text that [`EntityId`] has checked.
    pub(super) fn of_entity(id: String) -> Self {
        Self(id.into())
    }

    /// Whether it names an entity.
    pub(crate) fn is_entity(&self) -> bool {
        !self.is_orchestration() && !self.is_scheduled_signal()
    }

    /// Whether it names an instance of an orchestration.
    pub(crate) fn is_orchestration(&self) -> bool {
        !self.0.starts_with('@')
    }

    /// Whether it names a delayed signal to an entity.
    pub(crate) fn is_scheduled_signal(&self) -> bool {
        !self.is_orchestration() && self.0.contains(SCHEDULED)
    }

    pub(super) fn is_too_long(id: &str) -> Option<&'static str> {
        (id.chars().count() > Self::MAX_CHARS).then_some("it is longer than 256 characters")
    }
}

/// Lets an id be passed wherever text is accepted.
impl AsRef<str> for InstanceId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Lets text be looked up in a map by id.
impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl InstanceId {
    /// Why an id with an entity's prefix is not an instance id.
    pub(super) fn refused(id: String) -> InvalidInstanceId {
        InvalidInstanceId { id, rule: RESERVED }
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl Serialize for InstanceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> Self {
        id.0.as_ref().to_owned()
    }
}

/// An instance id that breaks a rule of [`InstanceId`].
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::InvalidInstanceId;
///
/// fn id(text: &str) -> Result<InstanceId, InvalidInstanceId> {
///     InstanceId::new(text)
/// }
/// assert!(id("order-17").is_ok() && id("").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{}` cannot be an instance id: {rule}; use 1 to 256 characters without `/ \\ # ?`, control \
     characters or a leading `@`",
    .id.escape_debug()
)]
pub struct InvalidInstanceId {
    id: String,
    rule: &'static str,
}

/// The id of one execution of an instance: a GUID, made when the execution is started.
///
/// ```
/// use durable::protocol::ExecutionId;
///
/// let id = ExecutionId::from_u128(7);
/// assert_eq!(id.as_bytes()[15], 7);
/// assert_ne!(ExecutionId::generate(), id);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(Uuid);

/// Orders ids by their bytes, compared as one number: maps compare ids often, and this is faster.
impl Ord for ExecutionId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.as_u128().cmp(&other.0.as_u128())
    }
}

impl PartialOrd for ExecutionId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl ExecutionId {
    /// Makes a unique id.
    pub fn generate() -> Self {
        Self(fresh::guid())
    }

    /// Creates the id with this number; for tests and stores.
    pub const fn from_u128(number: u128) -> Self {
        Self(Uuid::from_u128(number))
    }

    /// The id of an attempt at a sub-orchestration, derived from its caller.
    pub(crate) fn of_child(parent: Self, task: i32, attempt: u32) -> Self {
        Self(Uuid::new_v5(&parent.0, format!("{task}:{attempt}").as_bytes()))
    }

    /// The id of an attempt at a sub-orchestration after this many rewinds of its caller.
    pub(crate) fn of_child_after(parent: Self, task: i32, attempt: u32, rewinds: u32) -> Self {
        Self(Uuid::new_v5(&parent.0, format!("{task}:{attempt}:{rewinds}").as_bytes()))
    }

    /// Returns the 16 bytes of the GUID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// The id of a message, from when it is sent until an episode has consumed it.
///
/// ```
/// use durable::protocol::MessageId;
///
/// assert_eq!(MessageId::from_u128(7).as_bytes()[15], 7);
/// assert_ne!(MessageId::generate(), MessageId::generate());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Uuid);

impl MessageId {
    /// Makes a unique id.
    pub fn generate() -> Self {
        Self(fresh::guid())
    }

    /// Creates the id with this number; for tests and stores.
    pub const fn from_u128(number: u128) -> Self {
        Self(Uuid::from_u128(number))
    }

    /// Returns the 16 bytes of the GUID.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// One of the parts into which a task hub divides its instances. Each has one owner at a time.
///
/// ```
/// use durable::InstanceId;
/// use durable::protocol::PartitionId;
///
/// let id = InstanceId::new("order-17")?;
/// assert!(PartitionId::of(&id, 4) < PartitionId(4));
/// # Ok::<(), durable::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// Returns the partition, out of `count`, to which `instance` belongs.
    ///
    /// The result is part of the stored format: the 64-bit FNV-1a hash of the id, modulo `count`.
    pub fn of(instance: &InstanceId, count: u16) -> Self {
        let hash = instance.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let index = hash % u64::from(count.max(1));
        Self(u16::try_from(index).unwrap_or_default())
    }
}

impl fmt::Display for PartitionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_break_a_rule_are_refused_by_name() {
        for (id, rule) in [
            ("", "empty"),
            ("@counter@a", "`@`"),
            ("a/b", "`/ \\ # ?`"),
            ("a\\b", "`/ \\ # ?`"),
            ("a#b", "`/ \\ # ?`"),
            ("a?b", "`/ \\ # ?`"),
            ("a\nb", "control character"),
            (&"x".repeat(257), "longer than 256"),
        ] {
            let error = InstanceId::new(id).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
        for id in ["x", "Order 17 (late)", "a@b", &"\u{fc}".repeat(256)] {
            assert_eq!(InstanceId::new(id).unwrap().as_str(), id);
        }
    }

    #[test]
    fn the_partition_of_an_instance_never_changes() {
        let of = |id| PartitionId::of(&InstanceId::new(id).unwrap(), 16).0;
        assert_eq!([of("a"), of("order-17"), of("Tokyo")], [12, 14, 9]);
    }
}
