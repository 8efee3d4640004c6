//! The entity that a handle or an operation names.
//!
//! An invalid key causes an error when the operation is called, not when the handle is made.

use super::Entity;
use crate::protocol::{EntityId, InvalidEntityId};

/// The id of an entity, or why its key is invalid.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityRef(Result<EntityId, InvalidEntityId>);

impl EntityRef {
    /// Names the entity of kind `E` with this key.
    pub fn new<E: Entity>(key: impl AsRef<str>) -> Self {
        Self(EntityId::new(E::ENTRY.name, key))
    }

    pub(crate) fn id(&self) -> Result<&EntityId, InvalidEntityId> {
        self.0.as_ref().map_err(Clone::clone)
    }
}

impl From<EntityId> for EntityRef {
    fn from(id: EntityId) -> Self {
        Self(Ok(id))
    }
}
