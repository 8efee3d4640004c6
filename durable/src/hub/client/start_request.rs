//! The request to start an instance, for typed calls, restarts and schedules.

use tokio::sync::oneshot::{self, Receiver};

use crate::definition::display_name;
use crate::hub::error::StartError;
use crate::hub::mail::{Mail, Origin, Start};
use crate::hub::reply_to::Replied;
use crate::hub::task_hub::TaskHub;
use crate::orchestration::Due;
use crate::protocol::{
    ExecutionId, ExecutionStarted, InstanceId, Json, RuntimeStatus, Tags, TraceContext,
};

/// Receives the partition's reply.
type Started = Receiver<Replied<Result<(), StartError>>>;

/// A request to start an instance.
#[derive(Clone, Debug)]
pub(crate) struct StartRequest {
    pub(crate) instance_id: InstanceId,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) input: Json,
    pub(crate) tags: Tags,
    pub(crate) trace_context: Option<TraceContext>,
    pub(crate) start_at: Option<Due>,
    /// An existing instance with this id is replaced if it has one of these statuses.
    pub(crate) replaces: Vec<RuntimeStatus>,
    /// Whether the id was generated for this request.
    pub(crate) is_new_id: bool,
}

impl TaskHub {
    /// Starts an instance. Returns its id when the start is durable.
    pub(crate) async fn request_start(
        &self,
        request: StartRequest,
    ) -> Result<InstanceId, StartError> {
        let (instance_id, mail, begun) = self.start_mail(request)?;
        let permit = self.admit(&mail).await?;
        self.send_admitted(&instance_id, mail, permit);
        self.replied(begun).await??;
        Ok(instance_id)
    }

    /// The mail that starts an instance, and where the partition replies. Not a part of
    /// [`request_start`](Self::request_start), because a future keeps room for all its variables.
    fn start_mail(&self, request: StartRequest) -> Result<(InstanceId, Mail, Started), StartError> {
        self.check()?;
        let StartRequest { instance_id, name, version, input, .. } = request;
        self.can_start(&name, version.as_deref(), &input)?;
        let mut started = ExecutionStarted::new(name, version, input, ExecutionId::generate());
        started.tags = request.tags;
        started.trace_context = request.trace_context.map(TraceContext::checked).transpose()?;
        started.scheduled_start = request.start_at.map(|due| due.from(self.now()));
        started.properties = self.inner.properties.as_ref().clone();
        let (reply, begun) = oneshot::channel();
        let start = Start {
            instance_id: instance_id.clone(),
            started: Box::new(started),
            replaces: request.replaces,
            is_new_id: request.is_new_id,
            origin: Origin::Client(reply.into()),
        };
        Ok((instance_id, Mail::Start(start), begun))
    }

    /// Checks that the orchestration is registered and the input is not too large.
    pub(crate) fn can_start(
        &self,
        name: &str,
        version: Option<&str>,
        input: &Json,
    ) -> Result<(), StartError> {
        if self.inner.registry.orchestrator_for(name, version).is_none() {
            return Err(StartError::NotRegistered {
                name: display_name(name, version),
                registered: self.inner.registry.orchestrator_names(),
            });
        }
        let check = self.inner.limits.check_payload("the input", input.as_str().len());
        check.map_err(|reason| StartError::InvalidInput { name: name.to_owned(), reason })
    }
}
