//! Requests about the hub itself, and streams of events.

use super::request::{Request, path};
use super::{
    Access, ActivityStatistics, Backup, Backups, Client, ClientError, Hub, HubEvents,
    InstanceEvents, InstanceFilter, Registered, RetriedPartition, RunningActivities,
};
use durable::protocol::Json;

/// The hub.
impl Client {
    /// Returns the partitions, processes and storage of the hub.
    ///
    /// ```
    /// # use durable_http::client::{Client, ClientError};
    /// async fn print(client: &Client) -> Result<(), ClientError> {
    ///     println!("{:?}", client.get_hub().await?);
    ///     Ok(())
    /// }
    /// ```
    pub fn get_hub(&self) -> Request<Hub> {
        Request::get(self, "/hub")
    }

    /// Unparks a partition, so that a process can own it again.
    pub fn retry_partition(&self, partition: u16) -> Request<RetriedPartition> {
        Request::post(self, path(&["partitions", &partition.to_string()], ":retry"))
    }

    /// Pins a partition to a process, or with `None` unpins it.
    pub fn pin_partition(&self, partition: u16, node: Option<&str>) -> Request<()> {
        let body = serde_json::json!({ "node": node });
        Request::post(self, path(&["partitions", &partition.to_string()], ":pin")).body(&body)
    }

    /// Freezes a partition with its current owner, for a reason, or with `None` unfreezes it.
    pub fn freeze_partition(&self, partition: u16, reason: Option<&str>) -> Request<()> {
        let body = serde_json::json!({ "reason": reason });
        Request::post(self, path(&["partitions", &partition.to_string()], ":freeze")).body(&body)
    }

    /// Returns the permissions of this client's key.
    pub fn get_access(&self) -> Request<Access> {
        Request::get(self, "/access")
    }

    /// Lists the functions that the hub can run.
    pub fn list_registered(&self) -> Request<Registered> {
        Request::get(self, "/registered")
    }

    /// Starts a backup of the hub into a new folder on the server. The folder is named after the
    /// time if `name` is `None`.
    pub fn start_backup(&self, name: Option<&str>) -> Request<Backup> {
        Request::post(self, "/backups").body(&serde_json::json!({ "name": name }))
    }

    /// Lists the most recent backups.
    pub fn list_backups(&self) -> Request<Backups> {
        Request::get(self, "/backups")
    }

    /// Returns the status of a backup, and what it contains.
    pub fn get_backup(&self, name: &str) -> Request<Backup> {
        Request::get(self, path(&["backups", name], ""))
    }

    /// Lists the activities that run now.
    pub fn list_running(&self) -> Request<RunningActivities> {
        Request::get(self, "/running")
    }

    /// Returns the attempts, failures and run times of each activity in the newest instances that
    /// match a filter: at most 100 instances, or [`limit`](Request::limit).
    pub fn get_activity_statistics(&self, filter: &InstanceFilter) -> Request<ActivityStatistics> {
        filter.apply(Request::get(self, "/activities:statistics"))
    }

    /// Returns the `OpenAPI` document of the hub.
    pub fn get_description(&self) -> Request<Json> {
        Request::get(self, "/openapi.json")
    }

    /// Follows the history of an instance, beginning with an index or after an event that was
    /// received before. The stream ends when the instance ends.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn follow_instance(
        &self,
        id: &str,
        from: impl ToString,
    ) -> Result<InstanceEvents, ClientError> {
        let request = Request::get(self, path(&["instances", id, "events"], ""));
        InstanceEvents::open(request.query("from", from.to_string())).await
    }

    /// Follows the lifecycle events of the hub from now on. `select` adds conditions, such as
    /// `|events| events.kinds(["Failed"]).query("prefix", "order-")`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn follow_hub(
        &self,
        select: impl FnOnce(Request<Json>) -> Request<Json>,
    ) -> Result<HubEvents, ClientError> {
        HubEvents::open(&select(Request::get(self, "/events"))).await
    }
}
