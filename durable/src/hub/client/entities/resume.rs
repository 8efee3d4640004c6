//! Entities that are set aside, because an operation crashes the process.

use tokio::sync::oneshot;

use crate::hub::error::HubError;
use crate::hub::mail::{Mail, Resumption};
use crate::hub::task_hub::TaskHub;
use crate::protocol::EntityId;

impl TaskHub {
    /// Resumes an entity that is set aside because its next operation crashes the process
    /// ([DURABLE0106]). The entity runs the same operation again, so remove the cause first.
    /// Returns whether the entity was set aside or held back.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::EntityQuery;
    ///
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// for entity in hub.query(&EntityQuery::new().set_aside()).await?.items {
    ///     println!("{}: {:?}", entity.entity_id, entity.suspension);
    ///     hub.resume_entity(&entity.entity_id).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    ///
    /// [DURABLE0106]: crate::guide::error_codes::DURABLE0106
    pub async fn resume_entity(&self, entity_id: &EntityId) -> Result<bool, HubError> {
        self.let_run(entity_id, Resumption::Retry).await
    }

    /// Resumes an entity that is set aside because its next operation crashes the process
    /// ([DURABLE0106]), but skips that operation: the operation fails with
    /// [`FailureDetails::PROCESS_ENDED`](crate::protocol::FailureDetails::PROCESS_ENDED), and the
    /// entity continues with the next one. Returns whether the entity was set aside; if not, no
    /// operation is skipped.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::EntityId;
    ///
    /// # async fn go_on(hub: TaskHub) -> Result<()> {
    /// let account = EntityId::new("account", "c-88213")?;
    /// if hub.skip_operation(&account).await? {
    ///     println!("the operation that crashed the process has failed");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the hub was shut down, or its store failed.
    ///
    /// [DURABLE0106]: crate::guide::error_codes::DURABLE0106
    pub async fn skip_operation(&self, entity_id: &EntityId) -> Result<bool, HubError> {
        self.let_run(entity_id, Resumption::Skip).await
    }

    async fn let_run(&self, entity_id: &EntityId, how: Resumption) -> Result<bool, HubError> {
        self.check()?;
        let (reply, was_held) = oneshot::channel();
        let id = entity_id.instance_id().clone();
        let mail = Mail::ResumeEntity { id: id.clone(), how, reply: reply.into() };
        self.request(&id, mail).await?;
        self.replied(was_held).await
    }
}
