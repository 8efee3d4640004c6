//! Watching an instance whose partition may be on any node, by reading its record repeatedly.

use std::time::Duration;

use tokio::sync::watch;

use crate::hub::custom_status::Watched;
use crate::hub::drive::Drive;
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
                let Some(record) = hub.found(&instance_id).await else {
                    return drop(reply.send(None));
                };
                let status = record.custom_status.clone();
                if record.runtime_status.is_finished() {
                    return drop(reply.send(Some(Watched::ended(status).subscribe())));
                }
                let mut watched = Watched::new(status);
                let _ = reply.send(Some(watched.clone().subscribe()));
                let mut next = Some(record);
                while let Some(record) = next.filter(|record| watched.continues(record)) {
                    drop(record);
                    hub.inner.activities.timer.sleep(INTERVAL).await;
                    next = hub.found(&instance_id).await;
                    if let Some(record) = &next {
                        for (sender, status) in watched.changes(record) {
                            let _ = sender.send(status);
                        }
                    }
                }
            }),
            Mail::Follow { instance_id, reply } => drive.spawn(async move {
                let Some(mut last) = hub.found(&instance_id).await else {
                    return drop(reply.send(None));
                };
                let (sender, receiver) = watch::channel(());
                let _ = reply.send(Some(receiver));
                while !sender.is_closed() && !last.runtime_status.is_finished() {
                    hub.inner.activities.timer.sleep(INTERVAL).await;
                    let Some(record) = hub.found(&instance_id).await else { return };
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

    async fn found(&self, id: &InstanceId) -> Option<InstanceRecord> {
        let id = id.clone();
        self.read(move |store| store.instance(&id)).await.ok().flatten()
    }
}
