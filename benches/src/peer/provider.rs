//! duroxide's store behind a lock, with notifications of what it has written.
//!
//! Otherwise its dispatchers and clients contend for SQLite's own lock, where they wait in steps of
//! many milliseconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use duroxide::providers::sqlite::SqliteProvider;
use duroxide::providers::{
    DispatcherCapabilityFilter, ExecutionMetadata, OrchestrationItem, Provider, ProviderAdmin,
    ProviderError, ScheduledActivityIdentifier, SessionFetchConfig, TagFilter, WorkItem,
};
use duroxide::{Event, SystemStats};
use tokio::sync::oneshot::{Receiver, Sender, channel};

type Answer<T> = Result<T, ProviderError>;

/// The subscribers of each instance.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The instance of each orchestration item that is out.
    out: Mutex<HashMap<String, String>>,
    ended: Mutex<HashMap<String, Sender<String>>>,
    turned: Mutex<HashMap<String, Sender<()>>>,
    /// How many turns of each instance have been written.
    turns: Mutex<HashMap<String, u32>>,
}

impl Signals {
    /// Tells with which status an instance ends.
    pub(crate) fn ended(&self, instance: &str) -> Receiver<String> {
        register(&self.ended, instance)
    }

    /// Tells when a turn of an instance has been written.
    pub(crate) fn turned(&self, instance: &str) -> Receiver<()> {
        register(&self.turned, instance)
    }

    /// How many turns of an instance have been written.
    pub(crate) fn turns(&self, instance: &str) -> u32 {
        lock(&self.turns).get(instance).copied().unwrap_or_default()
    }

    fn fetched(&self, token: &str, instance: &str) {
        lock(&self.out).insert(token.to_owned(), instance.to_owned());
    }

    fn written(&self, token: &str, status: Option<String>) {
        let Some(instance) = lock(&self.out).remove(token) else { return };
        *lock(&self.turns).entry(instance.clone()).or_default() += 1;
        if let Some(waiting) = lock(&self.turned).remove(&instance) {
            // The receiver may be gone.
            let _ = waiting.send(());
        }
        if let Some(status) = status
            && let Some(waiting) = lock(&self.ended).remove(&instance)
        {
            let _ = waiting.send(status);
        }
    }
}

fn register<T>(waiting: &Mutex<HashMap<String, Sender<T>>>, instance: &str) -> Receiver<T> {
    let (sender, receiver) = channel();
    lock(waiting).insert(instance.to_owned(), sender);
    receiver
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A provider that one caller uses at a time.
pub(crate) struct OneAtATime {
    provider: SqliteProvider,
    turn: tokio::sync::Mutex<()>,
    signals: Arc<Signals>,
}

impl OneAtATime {
    pub(crate) fn new(provider: SqliteProvider) -> (Self, Arc<Signals>) {
        let signals = Arc::new(Signals::default());
        let turn = tokio::sync::Mutex::default();
        (Self { provider, turn, signals: Arc::clone(&signals) }, signals)
    }
}

#[async_trait]
impl Provider for OneAtATime {
    fn name(&self) -> &str {
        self.provider.name()
    }

    fn version(&self) -> &str {
        self.provider.version()
    }

    fn as_management_capability(&self) -> Option<&dyn ProviderAdmin> {
        self.provider.as_management_capability()
    }

    async fn fetch_orchestration_item(
        &self,
        lock_timeout: Duration,
        poll_timeout: Duration,
        filter: Option<&DispatcherCapabilityFilter>,
    ) -> Answer<Option<(OrchestrationItem, String, u32)>> {
        let _turn = self.turn.lock().await;
        let fetched =
            self.provider.fetch_orchestration_item(lock_timeout, poll_timeout, filter).await?;
        if let Some((item, token, _)) = &fetched {
            self.signals.fetched(token, &item.instance);
        }
        Ok(fetched)
    }

    async fn ack_orchestration_item(
        &self,
        lock_token: &str,
        execution_id: u64,
        history_delta: Vec<Event>,
        worker_items: Vec<WorkItem>,
        orchestrator_items: Vec<WorkItem>,
        metadata: ExecutionMetadata,
        cancelled_activities: Vec<ScheduledActivityIdentifier>,
    ) -> Answer<()> {
        let _turn = self.turn.lock().await;
        let (token, status) = (lock_token, metadata.status.clone());
        self.provider
            .ack_orchestration_item(
                lock_token,
                execution_id,
                history_delta,
                worker_items,
                orchestrator_items,
                metadata,
                cancelled_activities,
            )
            .await?;
        self.signals.written(token, status);
        Ok(())
    }

    async fn abandon_orchestration_item(
        &self,
        lock_token: &str,
        delay: Option<Duration>,
        ignore_attempt: bool,
    ) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.abandon_orchestration_item(lock_token, delay, ignore_attempt).await
    }

    async fn read(&self, instance: &str) -> Answer<Vec<Event>> {
        let _turn = self.turn.lock().await;
        self.provider.read(instance).await
    }

    async fn read_with_execution(&self, instance: &str, execution_id: u64) -> Answer<Vec<Event>> {
        let _turn = self.turn.lock().await;
        self.provider.read_with_execution(instance, execution_id).await
    }

    async fn append_with_execution(
        &self,
        instance: &str,
        execution_id: u64,
        new_events: Vec<Event>,
    ) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.append_with_execution(instance, execution_id, new_events).await
    }

    async fn enqueue_for_worker(&self, item: WorkItem) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.enqueue_for_worker(item).await
    }

    async fn fetch_work_item(
        &self,
        lock_timeout: Duration,
        poll_timeout: Duration,
        session: Option<&SessionFetchConfig>,
        tag_filter: &TagFilter,
    ) -> Answer<Option<(WorkItem, String, u32)>> {
        let _turn = self.turn.lock().await;
        self.provider.fetch_work_item(lock_timeout, poll_timeout, session, tag_filter).await
    }

    async fn ack_work_item(&self, token: &str, completion: Option<WorkItem>) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.ack_work_item(token, completion).await
    }

    async fn renew_work_item_lock(&self, token: &str, extend_for: Duration) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.renew_work_item_lock(token, extend_for).await
    }

    async fn renew_session_lock(
        &self,
        owner_ids: &[&str],
        extend_for: Duration,
        idle_timeout: Duration,
    ) -> Answer<usize> {
        let _turn = self.turn.lock().await;
        self.provider.renew_session_lock(owner_ids, extend_for, idle_timeout).await
    }

    async fn cleanup_orphaned_sessions(&self, idle_timeout: Duration) -> Answer<usize> {
        let _turn = self.turn.lock().await;
        self.provider.cleanup_orphaned_sessions(idle_timeout).await
    }

    async fn abandon_work_item(
        &self,
        token: &str,
        delay: Option<Duration>,
        ignore_attempt: bool,
    ) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.abandon_work_item(token, delay, ignore_attempt).await
    }

    async fn renew_orchestration_item_lock(&self, token: &str, extend_for: Duration) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.renew_orchestration_item_lock(token, extend_for).await
    }

    async fn enqueue_for_orchestrator(
        &self,
        item: WorkItem,
        delay: Option<Duration>,
    ) -> Answer<()> {
        let _turn = self.turn.lock().await;
        self.provider.enqueue_for_orchestrator(item, delay).await
    }

    async fn get_custom_status(
        &self,
        instance: &str,
        last_seen_version: u64,
    ) -> Answer<Option<(Option<String>, u64)>> {
        let _turn = self.turn.lock().await;
        self.provider.get_custom_status(instance, last_seen_version).await
    }

    async fn get_kv_value(&self, instance: &str, key: &str) -> Answer<Option<String>> {
        let _turn = self.turn.lock().await;
        self.provider.get_kv_value(instance, key).await
    }

    async fn get_kv_all_values(&self, instance: &str) -> Answer<HashMap<String, String>> {
        let _turn = self.turn.lock().await;
        self.provider.get_kv_all_values(instance).await
    }

    async fn get_instance_stats(&self, instance: &str) -> Answer<Option<SystemStats>> {
        let _turn = self.turn.lock().await;
        self.provider.get_instance_stats(instance).await
    }
}
