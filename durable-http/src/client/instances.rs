//! Requests about instances.

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::protocol::{Json, Tags};
use serde::Serialize;
use serde_json::json;

use super::request::{Request, path};
use super::{
    Child, Client, GroupBy, Histogram, HistoryPage, IndexedPage, InstanceCount, InstanceDetails,
    InstanceFilter, InstanceStatus, Page, PendingWork, Purged, Started,
};
use crate::timeline::Timeline;

/// The fields of [`InstanceDetails`] that [`InstanceStatus`] lacks.
const VALUES: &str = "input,output,failure,terminationReason,codeHash,traceContext";

/// The request that starts an instance.
///
/// ```
/// use durable_http::client::StartRequest;
///
/// let start = StartRequest::new("order").id("order-17").input(&500)?.tag("shop", "north");
/// assert_eq!(start.input.as_str(), "500");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct StartRequest {
    /// The name of the orchestration.
    pub name: String,
    /// Its version; the newest if it is `None`.
    pub version: Option<String>,
    /// The id of the instance; generated if it is `None`.
    pub id: Option<String>,
    /// The input.
    pub input: Json,
    /// The tags.
    pub tags: Tags,
    /// When the instance begins; at once if it is `None`.
    pub start_at: Option<DateTime<Utc>>,
    /// The statuses in which an existing instance with the id is replaced.
    pub replace_if: Vec<RuntimeStatus>,
}

impl StartRequest {
    /// Creates a request that starts the newest version of an orchestration at once, with the input
    /// `null`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: None,
            id: None,
            input: Json::null(),
            tags: Tags::new(),
            start_at: None,
            replace_if: Vec::new(),
        }
    }

    /// Sets the id of the instance.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Sets the input.
    ///
    /// # Errors
    /// The input cannot be written as JSON.
    pub fn input(mut self, input: &impl Serialize) -> Result<Self, serde_json::Error> {
        self.input = Json::parse(&serde_json::to_string(input)?)?;
        Ok(self)
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(key.into(), value.into());
        self
    }
}

/// Instances.
impl Client {
    /// Starts an instance.
    ///
    /// ```
    /// # use durable_http::client::{Client, StartRequest};
    /// async fn start(client: &Client) -> durable::Result<String> {
    ///     let start = StartRequest::new("order").tag("country", "jp").input(&500)?;
    ///     Ok(client.start_instance(&start).await?.instance_id)
    /// }
    /// ```
    pub fn start_instance(&self, start: &StartRequest) -> Request<Started> {
        Request::post(self, "/instances").body(start)
    }

    /// Lists the instances that match a filter.
    ///
    /// ```
    /// # use durable_http::client::{Client, ClientError, InstanceFilter};
    /// async fn print(client: &Client) -> Result<(), ClientError> {
    ///     let orders = InstanceFilter::new().name("order");
    ///     let mut page = client.list_instances(&orders).await?;
    ///     loop {
    ///         page.items.iter().for_each(|order| println!("{}", order.instance_id));
    ///         let Some(next) = page.next else { return Ok(()) };
    ///         page = client.list_instances(&orders).after(next).await?;
    ///     }
    /// }
    /// ```
    pub fn list_instances(&self, filter: &InstanceFilter) -> Request<Page<InstanceStatus>> {
        filter.apply(Request::get(self, "/instances"))
    }

    /// Lists the instances that match a filter, with their inputs, outputs and failures. A page
    /// ends early once its values exceed 4 MiB.
    pub fn list_instances_with_values(
        &self,
        filter: &InstanceFilter,
    ) -> Request<Page<InstanceDetails>> {
        let fields = format!("{},{VALUES}", InstanceStatus::FIELDS.join(","));
        self.list_instances(filter).query("fields", fields).typed()
    }

    /// Counts the instances that match a filter, in total and, if `groups` is given, per group.
    pub fn count_instances(
        &self,
        filter: &InstanceFilter,
        groups: Option<GroupBy>,
    ) -> Request<InstanceCount> {
        let request = filter.apply(Request::get(self, "/instances:count"));
        match groups {
            Some(groups) => request.query("groupBy", groups.text()),
            None => request,
        }
    }

    /// Counts the instances that match a filter by status and by the time when they were created,
    /// or when they ended ([`by_end`](Request::by_end)).
    pub fn get_histogram(&self, filter: &InstanceFilter) -> Request<Histogram> {
        filter.apply(Request::get(self, "/instances:histogram"))
    }

    /// Returns an instance with its input, output and failure.
    pub fn get_instance(&self, id: &str) -> Request<InstanceDetails> {
        Request::get(self, path(&["instances", id], ""))
    }

    /// Returns the input of an instance.
    pub fn get_input(&self, id: &str) -> Request<Json> {
        Request::get(self, path(&["instances", id, "input"], ""))
    }

    /// Returns the output of an instance. If it has no output, the answer is a problem, whose
    /// `source` is `instance` if the instance has failed, is suspended or was terminated.
    pub fn get_output(&self, id: &str) -> Request<Json> {
        Request::get(self, path(&["instances", id, "output"], ""))
    }

    /// Returns what an instance waits for now.
    ///
    /// ```
    /// # use durable_http::client::{Client, ClientError};
    /// use durable_http::client::PendingCause;
    ///
    /// /// Why the instance is stuck.
    /// async fn print(client: &Client, id: &str) -> Result<(), ClientError> {
    ///     match client.get_pending(id).await?.cause() {
    ///         Some(PendingCause::Event(name)) => println!("waits for the event {name}"),
    ///         Some(PendingCause::Task(task)) => println!("waits for {:?} since {}", task.kind, task.since),
    ///         _ => println!("waits for nothing"),
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn get_pending(&self, id: &str) -> Request<PendingWork> {
        Request::get(self, path(&["instances", id, "pending"], ""))
    }

    /// Returns events of the history of an instance.
    pub fn get_history(&self, id: &str) -> Request<HistoryPage> {
        Request::get(self, path(&["instances", id, "history"], ""))
    }

    /// Returns the history of an instance in a form that can be replayed in tests.
    pub fn download_history(&self, id: &str) -> Request<Json> {
        Request::get(self, path(&["instances", id, "history.json"], ""))
    }

    /// Returns the timeline of an instance: lanes of bars and points over time.
    pub fn get_timeline(&self, id: &str) -> Request<Timeline> {
        Request::get(self, path(&["instances", id, "timeline"], ""))
    }

    /// Lists the instances that an instance has called or started.
    pub fn list_children(&self, id: &str) -> Request<IndexedPage<Child>> {
        Request::get(self, path(&["instances", id, "children"], ""))
    }

    /// Raises an external event with a payload.
    ///
    /// ```
    /// # use durable_http::client::{Client, ClientError};
    /// use durable::protocol::Json;
    ///
    /// async fn approve(client: &Client, order: &str) -> durable::Result<()> {
    ///     client.raise_event(order, "approval", &Json::parse("true")?).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn raise_event(&self, id: &str, event: &str, payload: &Json) -> Request<InstanceStatus> {
        let event = path(&[event], "");
        Request::post(self, path(&["instances", id], &format!(":raise{event}"))).body(payload)
    }

    /// Suspends an instance.
    pub fn suspend_instance(&self, id: &str, reason: &str) -> Request<InstanceStatus> {
        self.act(id, ":suspend", reason)
    }

    /// Resumes a suspended instance.
    pub fn resume_instance(&self, id: &str, reason: &str) -> Request<InstanceStatus> {
        self.act(id, ":resume", reason)
    }

    /// Terminates an instance and, if `recursive`, the sub-orchestrations that it waits for.
    pub fn terminate_instance(
        &self,
        id: &str,
        reason: &str,
        recursive: bool,
    ) -> Request<InstanceStatus> {
        Request::post(self, path(&["instances", id], ":terminate"))
            .body(&json!({ "reason": reason, "recursive": recursive }))
    }

    /// Rewinds a failed instance: runs its failed tasks again.
    pub fn rewind_instance(&self, id: &str, reason: &str) -> Request<InstanceStatus> {
        self.act(id, ":rewind", reason)
    }

    /// Restarts an instance under the same id, with the same input.
    pub fn restart_instance(&self, id: &str) -> Request<InstanceStatus> {
        Request::post(self, path(&["instances", id], ":restart"))
    }

    /// Starts another instance with the same input, under `new_id` or a generated id.
    pub fn restart_instance_as(&self, id: &str, new_id: Option<&str>) -> Request<InstanceStatus> {
        self.restart_instance(id).body(&json!({ "newInstance": true, "id": new_id }))
    }

    /// Removes an instance that has ended and, if `recursive`, its sub-orchestrations.
    pub fn purge_instance(&self, id: &str, recursive: bool) -> Request<Purged> {
        Request::post(self, path(&["instances", id], ":purge"))
            .body(&json!({ "recursive": recursive }))
    }

    fn act(&self, id: &str, action: &str, reason: &str) -> Request<InstanceStatus> {
        Request::post(self, path(&["instances", id], action)).body(&json!({ "reason": reason }))
    }
}
