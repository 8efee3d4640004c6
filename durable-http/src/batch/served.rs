//! The hubs that this process serves.
//!
//! An activity is not told which hub runs it, and the shared state of a hub is set before its
//! routes exist. So the routes register their hub here, and an activity looks for the hub that has
//! its instance.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use durable::client::HubError;
use durable::{ActivityContext, Error, Result, TaskHub};

use crate::app::App;

static SERVED: Mutex<Vec<Weak<App>>> = Mutex::new(Vec::new());

/// Registers the hub of these routes while the routes exist.
pub(crate) fn serve(app: &Arc<App>) {
    let mut served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    served.retain(|app| app.strong_count() > 0);
    served.push(Arc::downgrade(app));
}

/// The hub that runs this activity.
///
/// # Errors
/// None of the served hubs has the instance. A retry succeeds once its hub is served.
pub(super) async fn hub_of(ctx: &ActivityContext) -> Result<TaskHub> {
    let hubs: Vec<_> = {
        let served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
        served.iter().filter_map(Weak::upgrade).map(|app| app.hub.clone()).collect()
    };
    for hub in hubs {
        let instance = hub.instance(ctx.instance_id().as_str()).map_err(Error::from)?;
        match instance.status().await {
            Ok(status) if status.execution_id == ctx.execution_id() => return Ok(hub),
            Ok(_) | Err(HubError::NoSuchInstance(_) | HubError::ShutDown) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::msg("the hub of this batch is not served; a batch goes on while it is"))
}
