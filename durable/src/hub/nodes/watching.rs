//! Watching an instance whose partition may be on any node, by reading its record repeatedly.

use std::time::Duration;

use tokio::sync::watch;

use crate::hub::custom_status::Watched;
use crate::hub::drive::Drive;
use crate::hub::error::HubError;
use crate::hub::mail::Mail;
use crate::hub::task_hub::TaskHub;
use crate::protocol::{InstanceId, InstanceRecord};

/// How often a watched record is read.
const INTERVAL: Duration = Duration::from_millis(200);

impl TaskHub {
    /// Serves a client that watches an instance.
    pub(super) fn watch_from_store(&self, drive: &Drive, mail: Mail) {
        let hub = self.clone();
        match mail {
            Mail::WatchStatus { instance_id, reply } => drive.spawn(async move {
                let record = match hub.record_of(&instance_id).await {
                    Ok(Some(record)) => record,
                    Ok(None) => return drop(reply.send(None)),
                    Err(_stopped) => return,
                };
                let status = record.custom_status.clone();
                if record.runtime_status.is_finished() {
                    return drop(reply.send(Some(Watched::ended(status).subscribe())));
                }
                let mut watched = Watched::new(status);
                let _ = reply.send(Some(watched.clone().subscribe()));
                let mut last = record;
                while watched.continues(&last) {
                    hub.inner.activities.timer.sleep(INTERVAL).await;
                    last = match hub.record_of(&instance_id).await {
                        Ok(Some(record)) => record,
                        // It has ended, and was purged.
                        Ok(None) => return watched.end(),
                        Err(_stopped) => return,
                    };
                    for (sender, status) in watched.changes(&last) {
                        let _ = sender.send(status);
                    }
                }
            }),
            Mail::Follow { instance_id, reply } => drive.spawn(async move {
                let mut last = match hub.record_of(&instance_id).await {
                    Ok(Some(record)) => record,
                    Ok(None) => return drop(reply.send(None)),
                    Err(_stopped) => return,
                };
                let (sender, receiver) = watch::channel(());
                let _ = reply.send(Some(receiver));
                while !sender.is_closed() && !last.runtime_status.is_finished() {
                    hub.inner.activities.timer.sleep(INTERVAL).await;
                    let Ok(Some(record)) = hub.record_of(&instance_id).await else { return };
                    if (record.execution_id, record.history_len)
                        != (last.execution_id, last.history_len)
                    {
                        let _ = sender.send(());
                    }
                    last = record;
                }
            }),
            mail => drop(mail),
        }
    }

    /// Reads the record of an instance. Tries again until it can be read, or the hub stops.
    async fn record_of(&self, id: &InstanceId) -> Result<Option<InstanceRecord>, HubError> {
        loop {
            let id = id.clone();
            match self.read(move |store| store.instance(&id)).await {
                Err(HubError::Store(error)) if !error.is_unreadable() => self.check()?,
                read => return read,
            }
            self.inner.activities.timer.sleep(INTERVAL).await;
        }
    }
}
