//! The addresses of pages, assets and API calls, below the prefix at which the dashboard is mounted.

use std::fmt::Display;

use durable::EntityId;

use crate::assets;
use crate::query::{Query, encode};

/// The path of an entity, both of its page and in the API.
pub(crate) fn entity_path(entity: &EntityId) -> String {
    // A segment of a path cannot be empty.
    let key = if entity.key().is_empty() { "$" } else { entity.key() };
    format!("entities/{}/{}", encode(entity.name()), encode(key))
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Without a slash at its end; empty if the dashboard is mounted at the root.
    base: String,
}

impl Links {
    pub(crate) fn new(base: impl Into<String>) -> Self {
        Self { base: base.into() }
    }

    /// The prefix, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// The overview. With a prefix it has no slash at its end, because `axum` would not find it.
    pub(crate) fn home(&self) -> String {
        if self.base.is_empty() { "/".to_owned() } else { self.base.clone() }
    }

    /// A path below the prefix, such as `instances?status=failed`.
    pub(crate) fn to(&self, path: impl Display) -> String {
        format!("{}/{path}", self.base)
    }

    /// A page with a query.
    pub(crate) fn page(&self, path: &str, query: &Query) -> String {
        let page = if path.is_empty() { self.home() } else { self.to(path) };
        format!("{page}{query}")
    }

    pub(crate) fn instance(&self, id: &str) -> String {
        self.to(format_args!("instances/{}", encode(id)))
    }

    /// A tab of the page of an instance, such as `history`.
    pub(crate) fn instance_tab(&self, id: &str, tab: &str) -> String {
        self.to(format_args!("instances/{}/{tab}", encode(id)))
    }

    /// The instances with this value of a filter.
    pub(crate) fn instances(&self, name: &str, value: &str) -> String {
        self.page("instances", &Query::default().with(name, value))
    }

    pub(crate) fn entity(&self, entity: &EntityId) -> String {
        self.to(entity_path(entity))
    }

    /// A route of the API, such as `instances/order-17:suspend`. Its segments are already encoded.
    pub(crate) fn api(&self, path: impl Display) -> String {
        self.to(format_args!("api/v1/{path}"))
    }

    pub(crate) fn asset(&self, name: &str) -> String {
        self.to(format_args!("assets/{}/{name}", assets::version()))
    }
}
