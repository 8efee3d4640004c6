//! Requests about entities, locks, and signals that are not due yet.

use axum::http::Method;
use chrono::{DateTime, Utc};
use durable::EntityId;
use durable::protocol::Json;

use super::filter::with_time;
use super::request::{Request, path};
use super::{
    CleanedEntities, Client, Entity, EntityFilter, EntityQueue, Page, ResumedEntity, Signal,
};

/// Entities.
impl Client {
    /// Lists the entities that match a filter.
    pub fn list_entities(&self, filter: &EntityFilter) -> Request<Page<Entity>> {
        filter.apply(Request::get(self, "/entities"))
    }

    /// Returns an entity with its state.
    pub fn get_entity(&self, id: &EntityId) -> Request<Entity> {
        Request::get(self, of(id, ""))
    }

    /// Lists the requests that an entity has not handled yet, in the order of arrival.
    pub fn get_entity_queue(&self, id: &EntityId) -> Request<EntityQueue> {
        Request::get(self, of(id, "/queue"))
    }

    /// Resumes an entity that is set aside, beginning with the operation that crashed the process.
    pub fn resume_entity(&self, id: &EntityId) -> Request<ResumedEntity> {
        Request::post(self, of(id, ":resume"))
    }

    /// Resumes an entity that is set aside, and makes the operation that crashed the process fail.
    pub fn skip_operation(&self, id: &EntityId) -> Request<ResumedEntity> {
        Request::post(self, of(id, ":skip"))
    }

    /// Releases the locks of orchestrations that no longer exist. For this, the hub reads every
    /// entity.
    pub fn clean_entities(&self) -> Request<CleanedEntities> {
        Request::post(self, "/entities:clean")
    }

    /// Removes the state of an entity.
    pub fn delete_entity(&self, id: &EntityId) -> Request<()> {
        Request::new(self, Method::DELETE, of(id, ""))
    }

    /// Signals an entity, at once or at a given time.
    pub fn signal_entity(
        &self,
        id: &EntityId,
        operation: &str,
        input: &Json,
        at: Option<DateTime<Utc>>,
    ) -> Request<()> {
        let operation = path(&[operation], "");
        let request = Request::post(self, of(id, &format!(":signal{operation}"))).body(input);
        with_time(request, "at", at)
    }

    /// Calls an operation of an entity and returns its output.
    ///
    /// ```
    /// use durable::EntityId;
    /// use durable::protocol::Json;
    /// use durable_http::client::{Client, ClientError};
    ///
    /// async fn stock(client: &Client, article: &EntityId) -> Result<Json, ClientError> {
    ///     client.call_entity(article, "stock", &Json::null()).await
    /// }
    /// ```
    pub fn call_entity(&self, id: &EntityId, operation: &str, input: &Json) -> Request<Json> {
        let operation = path(&[operation], "");
        Request::post(self, of(id, &format!(":call{operation}"))).body(input)
    }

    /// Lists the entities that critical sections have locked. Only the conditions of the filter on
    /// ids apply. A page may be empty although more pages follow.
    pub fn list_locks(&self, filter: &EntityFilter) -> Request<Page<Entity>> {
        filter.apply_id(Request::get(self, "/locks"))
    }

    /// Lists the signals that are not due yet, for one entity or for all.
    pub fn list_signals(&self, entity: Option<&EntityId>) -> Request<Page<Signal>> {
        let request = Request::get(self, "/signals");
        match entity {
            Some(id) => request.query("name", id.name()).query("key", id.key()),
            None => request,
        }
    }

    /// Removes a signal that is not due yet.
    pub fn cancel_signal(&self, id: &str) -> Request<()> {
        Request::new(self, Method::DELETE, path(&["signals", id], ""))
    }
}

/// The path of an entity. The key `$` is the empty key.
fn of(id: &EntityId, suffix: &str) -> String {
    let key = if id.key().is_empty() { "$" } else { id.key() };
    path(&["entities", id.name(), key], suffix)
}
