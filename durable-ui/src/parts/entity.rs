//! Ids of entities: `name/key`, as links.

use durable::EntityId;
use maud::{Markup, html};

use super::id;
use crate::call::View;

/// `account/c-88213`, as commands and pages name an entity.
pub(crate) fn entity_name(entity: &EntityId) -> String {
    format!("{}/{}", entity.name(), entity.key())
}

/// An entity, as a link to its page.
pub(crate) fn entity(view: &View, entity: &EntityId) -> Markup {
    html! {
        a href=(view.links.entity(entity)) { (id(&entity_name(entity))) }
    }
}
