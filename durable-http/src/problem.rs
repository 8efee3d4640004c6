//! The errors of both dialects: codes with their status, and the conversion of a hub's errors.

use std::error::Error;

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use durable::client::{BackupError, EntityError, HubError, ManageError, ResultError, StartError};
use durable::schedule::ScheduleError;
use durable::store::StoreError;
use uuid::Uuid;

use crate::answer::About;
use crate::json::Object;
use crate::v1;

/// A kind of error. Clients tell errors apart by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    InvalidRequest,
    Unauthorized,
    Forbidden,
    HostNotAllowed,
    CrossOrigin,
    NoSuchRoute,
    NoSuchInstance,
    NoSuchEntity,
    NoSuchSchedule,
    NoSuchBackup,
    NotRegistered,
    MethodNotAllowed,
    RequestTimeout,
    AlreadyExists,
    Finished,
    NotFinished,
    NotFailed,
    CannotRewind,
    Suspended,
    Terminated,
    Failed,
    BodyTooLarge,
    UriTooLong,
    TooLong,
    KeyReused,
    TooManyScans,
    Busy,
    NoRoom,
    Unavailable,
}

impl Code {
    /// The code's name, its title, and the status of an answer with it.
    pub(crate) fn describe(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::InvalidRequest => ("invalid-request", "Invalid request", StatusCode::BAD_REQUEST),
            Self::Unauthorized => ("unauthorized", "Key required", StatusCode::UNAUTHORIZED),
            Self::Forbidden => ("forbidden", "Role not sufficient", StatusCode::FORBIDDEN),
            Self::HostNotAllowed => ("host-not-allowed", "Host not allowed", StatusCode::FORBIDDEN),
            Self::CrossOrigin => ("cross-origin", "Cross-origin request", StatusCode::FORBIDDEN),
            Self::NoSuchRoute => ("no-such-route", "No such route", StatusCode::NOT_FOUND),
            Self::NoSuchInstance => ("no-such-instance", "No such instance", StatusCode::NOT_FOUND),
            Self::NoSuchEntity => ("no-such-entity", "No such entity", StatusCode::NOT_FOUND),
            Self::NoSuchSchedule => ("no-such-schedule", "No such schedule", StatusCode::NOT_FOUND),
            Self::NoSuchBackup => ("no-such-backup", "No such backup", StatusCode::NOT_FOUND),
            Self::NotRegistered => ("not-registered", "Not registered", StatusCode::BAD_REQUEST),
            Self::MethodNotAllowed => {
                ("method-not-allowed", "Method not allowed", StatusCode::METHOD_NOT_ALLOWED)
            }
            Self::RequestTimeout => {
                ("request-timeout", "Request too slow", StatusCode::REQUEST_TIMEOUT)
            }
            Self::AlreadyExists => ("already-exists", "Id is taken", StatusCode::CONFLICT),
            Self::Finished => ("finished", "Instance has ended", StatusCode::CONFLICT),
            Self::NotFinished => ("not-finished", "Instance has not ended", StatusCode::CONFLICT),
            Self::NotFailed => ("not-failed", "Instance has not failed", StatusCode::CONFLICT),
            Self::CannotRewind => ("cannot-rewind", "Cannot be rewound", StatusCode::CONFLICT),
            Self::Suspended => ("suspended", "Instance is suspended", StatusCode::CONFLICT),
            Self::Terminated => ("terminated", "Instance was terminated", StatusCode::CONFLICT),
            Self::Failed => ("failed", "Operation failed", StatusCode::UNPROCESSABLE_ENTITY),
            Self::BodyTooLarge => {
                ("body-too-large", "Body too large", StatusCode::PAYLOAD_TOO_LARGE)
            }
            Self::UriTooLong => ("uri-too-long", "URI too long", StatusCode::URI_TOO_LONG),
            Self::TooLong => {
                ("history-too-long", "History too long", StatusCode::UNPROCESSABLE_ENTITY)
            }
            Self::KeyReused => (
                "idempotency-key-reused",
                "Idempotency key used with another input",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
            Self::TooManyScans => {
                ("too-many-scans", "Too many scans", StatusCode::TOO_MANY_REQUESTS)
            }
            Self::Busy => ("busy", "Too many requests at once", StatusCode::SERVICE_UNAVAILABLE),
            Self::NoRoom => ("no-room", "No room for more work", StatusCode::SERVICE_UNAVAILABLE),
            Self::Unavailable => {
                ("unavailable", "Task hub not available", StatusCode::SERVICE_UNAVAILABLE)
            }
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        self.describe().2
    }

    /// The seconds after which the same request may succeed.
    pub(crate) fn retry_after(self) -> Option<u32> {
        match self {
            Self::TooManyScans | Self::Busy => Some(1),
            Self::NoRoom | Self::Unavailable => Some(5),
            _ => None,
        }
    }

    /// The origin of the error: the instance or entity itself, or the request.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Failed | Self::Terminated | Self::Suspended => "instance",
            _ => "api",
        }
    }
}

/// An error of a hub as the answer of an app's own route: an RFC 9457 problem with the same status
/// as in the routes of [`router`](crate::router).
///
/// ```
/// # use durable::prelude::*;
/// use axum::extract::State;
/// use durable_http::Problem;
///
/// # #[orchestrator]
/// # async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> { Ok(cents) }
/// // 409 if the id is taken, 503 with `Retry-After` if the disk is full or the hub shuts down.
/// async fn buy(State(hub): State<TaskHub>) -> Result<String, Problem> {
///     let run = hub.start(order(500).instance_id("order-17")).await?;
///     Ok(run.instance_id().to_string())
/// }
/// # fn is_handler<T, S>(_: impl axum::handler::Handler<T, S>) {}
/// # is_handler::<_, TaskHub>(buy);
/// ```
///
/// A problem can be made from [`StartError`], [`ManageError`], [`ResultError`], [`EntityError`],
/// [`ScheduleError`], [`BackupError`] and [`HubError`]. The failure of an instance is a 422 whose
/// `source` is `instance`, never a 5xx.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(crate) code: Code,
    pub(crate) detail: String,
    /// The methods of the route, if the request has another one.
    pub(crate) allow: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), allow: None }
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(Code::InvalidRequest, detail)
    }

    /// A route has only these methods.
    pub(crate) fn other_methods(methods: &[&Method]) -> Self {
        let methods: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
        let detail = format!("this route takes {} only", methods.join(", "));
        // `HEAD` is answered wherever `GET` is.
        let head = methods.contains(&"GET").then_some("HEAD");
        let allow: Vec<_> = methods.into_iter().chain(head).collect();
        Self { allow: Some(allow.join(", ")), ..Self::new(Code::MethodNotAllowed, detail) }
    }

    /// The members that RFC 9457 names, and ours.
    pub(crate) fn members(&self, status: StatusCode, about: &About<'_>) -> Object {
        let (name, title, _) = self.code.describe();
        Object::new()
            .with("type", &format!("urn:durable:error:{name}"))
            .with("title", title)
            .with("status", &status.as_u16())
            .with("detail", &self.detail)
            .with_some("instance", about.path.as_ref())
            .with("code", name)
            .with("retryable", &self.code.retry_after().is_some())
            .with("source", self.code.source())
            .with("requestId", &about.request_id)
    }

    /// Returns the status of the answer.
    ///
    /// ```
    /// use durable::client::HubError;
    /// use durable_http::Problem;
    ///
    /// assert_eq!(Problem::from(HubError::ShutDown).status(), 503);
    /// ```
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    fn of(code: Code, error: &dyn Error) -> Self {
        let mut detail = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            detail = format!("{detail}: {error}");
            source = error.source();
        }
        Self::new(code, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let about = About { request_id: Uuid::new_v4(), path: None };
        tracing::debug!(request_id = %about.request_id, code = ?self.code, "refused");
        v1::problem(&self, &about)
    }
}

impl From<HubError> for Problem {
    fn from(error: HubError) -> Self {
        let code = match &error {
            HubError::NoSuchInstance(_) => Code::NoSuchInstance,
            HubError::InvalidInstanceId(_) | HubError::Unreadable { .. } | HubError::NotShared => {
                Code::InvalidRequest
            }
            HubError::OtherOrchestration { .. } => Code::AlreadyExists,
            _ => Code::Unavailable,
        };
        Self::of(code, &error)
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        let code = match error {
            BackupError::Hub(error) => return error.into(),
            BackupError::Store(StoreError::BackupTarget { .. }) => Code::AlreadyExists,
            BackupError::Store(StoreError::Unsupported { .. }) => Code::InvalidRequest,
            BackupError::Store(StoreError::DiskFull { .. } | StoreError::Exhausted { .. }) => {
                Code::NoRoom
            }
            _ => Code::Unavailable,
        };
        Self::of(code, &error)
    }
}

impl From<StartError> for Problem {
    fn from(error: StartError) -> Self {
        let code = match error {
            StartError::Hub(error) => return error.into(),
            StartError::AlreadyExists { .. } => Code::AlreadyExists,
            StartError::NotRegistered { .. } => Code::NotRegistered,
            StartError::NoRoom(_) => Code::NoRoom,
            _ => Code::InvalidRequest,
        };
        Self::of(code, &error)
    }
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        let code = match error {
            ManageError::Hub(error) => return error.into(),
            ManageError::Start(error) => return (*error).into(),
            ManageError::Finished { .. } => Code::Finished,
            ManageError::NotFinished { .. } => Code::NotFinished,
            ManageError::NotFailed { .. } => Code::NotFailed,
            ManageError::CannotRewind { .. } => Code::CannotRewind,
            ManageError::StillSuspended(_) => Code::Suspended,
            ManageError::NoRoom(_) => Code::NoRoom,
            _ => Code::InvalidRequest,
        };
        Self::of(code, &error)
    }
}

impl From<EntityError> for Problem {
    fn from(error: EntityError) -> Self {
        let code = match error {
            EntityError::Hub(error) => return error.into(),
            EntityError::NotRegistered { .. } => Code::NotRegistered,
            EntityError::NoRoom(_) => Code::NoRoom,
            EntityError::Failed(_) => Code::Failed,
            _ => Code::InvalidRequest,
        };
        Self::of(code, &error)
    }
}

impl From<ResultError> for Problem {
    fn from(error: ResultError) -> Self {
        let code = match error {
            ResultError::Hub(error) => return error.into(),
            ResultError::Failed(_) => Code::Failed,
            ResultError::Suspended(_) => Code::Suspended,
            ResultError::Terminated(_) => Code::Terminated,
            _ => Code::InvalidRequest,
        };
        Self::of(code, &error)
    }
}

impl From<ScheduleError> for Problem {
    fn from(error: ScheduleError) -> Self {
        let code = match error {
            ScheduleError::Hub(error) => return error.into(),
            ScheduleError::Start(error) => return (*error).into(),
            ScheduleError::Manage(error) => return (*error).into(),
            ScheduleError::NoSuchSchedule(_) => Code::NoSuchSchedule,
            ScheduleError::AlreadyExists(_) => Code::AlreadyExists,
            ScheduleError::Ended(_) => Code::Finished,
            _ => Code::InvalidRequest,
        };
        Self::of(code, &error)
    }
}
