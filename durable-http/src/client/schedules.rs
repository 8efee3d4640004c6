//! Requests about schedules.

use axum::http::Method;
use chrono::{DateTime, Utc};
use durable::protocol::{Json, Tags};
use serde::Serialize;

use super::request::{Request, path};
use super::{Client, Page, Recurrence, Schedule, ScheduleFilter};

/// The request that creates or updates a schedule: what it starts, and when.
///
/// ```
/// use durable_http::client::{Recurrence, ScheduleRequest};
///
/// let request = ScheduleRequest::new("report", Recurrence::Cron("0 7 * * *".to_owned()));
/// assert_eq!(request.name, "report");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ScheduleRequest {
    /// The orchestration to start.
    pub name: String,
    /// When to start it.
    #[serde(flatten)]
    pub recurrence: Recurrence,
    /// The version of the orchestration; the newest if it is `None`.
    pub version: Option<String>,
    /// The input of each instance.
    pub input: Json,
    /// The tags of each instance.
    pub tags: Tags,
    /// No instance is started before this time.
    pub start_at: Option<DateTime<Utc>>,
    /// No instance is started after this time.
    pub end_at: Option<DateTime<Utc>>,
    /// The beginning of the ids of the instances; the id of the schedule if it is `None`.
    pub instance_id_prefix: Option<String>,
    /// Whether the first instance starts at once if `start_at` has passed.
    pub start_immediately_if_late: bool,
}

impl ScheduleRequest {
    /// Creates a request for a schedule that starts the newest version of an orchestration with the
    /// input `null`.
    pub fn new(name: impl Into<String>, recurrence: Recurrence) -> Self {
        Self {
            name: name.into(),
            recurrence,
            version: None,
            input: Json::null(),
            tags: Tags::new(),
            start_at: None,
            end_at: None,
            instance_id_prefix: None,
            start_immediately_if_late: false,
        }
    }
}

/// The body that creates a schedule: its id, and what it does.
#[derive(Serialize)]
struct Create<'a> {
    id: &'a str,
    #[serde(flatten)]
    request: &'a ScheduleRequest,
}

/// Schedules.
impl Client {
    /// Lists the schedules that match a filter.
    pub fn list_schedules(&self, filter: &ScheduleFilter) -> Request<Page<Schedule>> {
        filter.apply(Request::get(self, "/schedules"))
    }

    /// Returns a schedule.
    pub fn get_schedule(&self, id: &str) -> Request<Schedule> {
        Request::get(self, path(&["schedules", id], ""))
    }

    /// Creates a schedule.
    ///
    /// ```
    /// # use durable_http::client::{Client, ClientError};
    /// use durable_http::client::{Recurrence, ScheduleRequest};
    ///
    /// async fn report_every_morning(client: &Client) -> Result<(), ClientError> {
    ///     let at_seven = Recurrence::Cron("0 7 * * *".to_owned());
    ///     client.create_schedule("morning", &ScheduleRequest::new("report", at_seven)).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn create_schedule(&self, id: &str, request: &ScheduleRequest) -> Request<Schedule> {
        Request::post(self, "/schedules").body(&Create { id, request })
    }

    /// Replaces what a schedule starts and when.
    pub fn update_schedule(&self, id: &str, request: &ScheduleRequest) -> Request<Schedule> {
        Request::new(self, Method::PUT, path(&["schedules", id], "")).body(request)
    }

    /// Pauses a schedule, which then skips its ticks.
    pub fn pause_schedule(&self, id: &str) -> Request<Schedule> {
        Request::post(self, path(&["schedules", id], ":pause"))
    }

    /// Resumes a paused schedule.
    pub fn resume_schedule(&self, id: &str) -> Request<Schedule> {
        Request::post(self, path(&["schedules", id], ":resume"))
    }

    /// Removes a schedule.
    pub fn delete_schedule(&self, id: &str) -> Request<()> {
        Request::new(self, Method::DELETE, path(&["schedules", id], ""))
    }
}
