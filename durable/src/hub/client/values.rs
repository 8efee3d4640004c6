//! The values of instances: input, output and failure, read from the ends of their histories.
//!
//! Rules:
//! 1. A history begins with the input and ends with the output, so only its first and last events
//!    are read. If they are not there, the whole history is.
//! 2. A record and its history are read one after the other. If the history was replaced in between
//!    (by a continue-as-new, a restart or a rewind), both are read again.

use std::ops::Range;

use serde::Serialize;

use super::page::{Page, PageToken, Paging, Query};
use super::query::InstanceQuery;
use super::registered::CodeHash;
use super::status::InstanceStatus;
use crate::hub::error::Unreadable;
use crate::payload::Payload;
use crate::protocol::{
    EventKind, FailureDetails, HistoryEvent, InstanceRecord, Json, Timestamp, TraceContext,
};
use crate::store::{Store, StoreError};

/// Up to this length a history is read as a whole.
const SHORT: u64 = 16;
/// How many events are read at each end of a longer history.
const ENDS: u64 = 4;
/// A page ends with the instance whose values exceed this, in bytes of JSON.
const PAGE_BYTES: usize = 4 * 1024 * 1024;

/// The status of an instance with its input, output and failure.
///
/// ```
/// use durable::client::{HubError, InstanceHandle};
///
/// /// The output of an instance that has ended, or the message of its failure.
/// async fn outcome(instance: &InstanceHandle) -> Result<Option<String>, HubError> {
///     let details = instance.details().await?;
///     let failure = details.failure.map(|failure| failure.message);
///     Ok(failure.or_else(|| details.output.map(|output| output.to_string())))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct InstanceDetails {
    /// The status. Serialized to JSON, its fields are inlined.
    #[serde(flatten)]
    pub status: InstanceStatus,
    /// Its input; after a continue-as-new, that of the current execution.
    pub input: Json,
    /// Its result, if it has completed.
    pub output: Option<Json>,
    /// Its failure, if it has failed or was terminated.
    pub failure: Option<FailureDetails>,
    /// The reason that was given for its termination, if it was terminated.
    pub termination_reason: Option<String>,
    /// The source of the orchestrator when the current execution began. If
    /// [`RegisteredFunction::code_hash`](crate::client::RegisteredFunction::code_hash) differs, the
    /// orchestrator has changed since. `None` if the execution began in a release that did not
    /// record this.
    pub code_hash: Option<CodeHash>,
    /// The trace that it belongs to, if it was started in one.
    pub trace_context: Option<TraceContext>,
}

impl InstanceDetails {
    /// Deserializes the input into a `T`: the parameter of the orchestrator, or a tuple if it has
    /// several.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # #[orchestrator]
    /// # async fn double(ctx: &OrchestrationContext, n: u32) -> Result<u32> { Ok(2 * n) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// # let hub = TaskHub::builder().in_memory().open().await?;
    /// let run = hub.start(double(4)).await?;
    /// run.result().await?;
    /// let details = run.details().await?;
    /// assert_eq!(details.input_as::<u32>()?, 4);
    /// assert_eq!(details.output_as::<u32>()?, Some(8));
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the input is not a `T`.
    pub fn input_as<T: Payload>(&self) -> Result<T, Unreadable> {
        self.read("input", &self.input)
    }

    /// Deserializes the output into a `T`; `None` if the instance has not completed.
    ///
    /// # Errors
    /// If the output is not a `T`.
    pub fn output_as<T: Payload>(&self) -> Result<Option<T>, Unreadable> {
        self.output.as_ref().map(|output| self.read("result", output)).transpose()
    }

    fn read<T: Payload>(&self, what: &str, json: &Json) -> Result<T, Unreadable> {
        json.read().map_err(|error| {
            let id = &self.status.instance_id;
            Unreadable::new::<T>(format!("the {what} of instance `{id}`"), error)
        })
    }
}

/// An [`InstanceQuery`] that returns instances with their input, output and failure; made by
/// [`InstanceQuery::with_values`].
///
/// A page ends early once its values exceed 4 MiB.
///
/// ```
/// # use durable::TaskHub;
/// use durable::client::{HubError, InstanceQuery};
///
/// async fn print_outputs(hub: &TaskHub) -> Result<(), HubError> {
///     let mut found = hub.stream(InstanceQuery::new().with_values().page_size(50));
///     while let Some(details) = found.try_next().await? {
///         println!("{} {:?}", details.status.instance_id, details.output);
///     }
///     Ok(())
/// }
/// ```
#[must_use = "a query does nothing until it is given to a hub"]
#[derive(Clone, Debug)]
pub struct InstanceDetailsQuery(InstanceQuery);

impl InstanceQuery {
    /// Returns each instance with its input, output and failure, as
    /// [`details`](crate::InstanceHandle::details) does, but with one read for each page.
    ///
    /// Only the ends of the histories are read, so that long histories cost no more than short ones.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// use durable::client::InstanceQuery;
    ///
    /// # #[orchestrator]
    /// # async fn double(ctx: &OrchestrationContext, n: u32) -> Result<u32> { Ok(2 * n) }
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// hub.start(double(4)).await?.result().await?;
    /// let page = hub.query(&InstanceQuery::new().of::<double>().with_values()).await?;
    /// assert_eq!(page.items[0].input_as::<u32>()?, 4);
    /// assert_eq!(page.items[0].output_as::<u32>()?, Some(8));
    /// # hub.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_values(self) -> InstanceDetailsQuery {
        InstanceDetailsQuery(self)
    }
}

impl InstanceDetailsQuery {
    /// Sets the maximum number of instances on a page; by default 100.
    pub fn page_size(self, instances: usize) -> Self {
        Self(self.0.page_size(instances))
    }

    /// Limits the records that are read, as [`InstanceQuery::max_scanned`] does.
    pub fn max_scanned(self, instances: usize) -> Self {
        Self(self.0.max_scanned(instances))
    }

    /// Finds only instances after this position: the [`next`](Page::next) of the previous page.
    pub fn after(self, token: impl Into<PageToken>) -> Self {
        Self(self.0.after(token))
    }
}

impl Query for InstanceDetailsQuery {
    type Item = InstanceDetails;

    fn paging(&mut self) -> &mut Paging {
        self.0.paging()
    }

    fn read_page(
        &self,
        store: &dyn Store,
        _now: Timestamp,
    ) -> Result<Page<InstanceDetails>, StoreError> {
        let found = self.0.find(store)?;
        let (mut items, mut bytes) = (Vec::new(), 0);
        let mut records = found.instances.into_iter();
        while let Some(record) = records.next() {
            let position = self.0.position(&record);
            let details = read(store, record, |record| self.0.matches(record))?;
            let Some(details) = details else { continue };
            bytes += details.bytes();
            items.push(details);
            if bytes > PAGE_BYTES && !records.as_slice().is_empty() {
                return Ok(Page::new(items, Some(position), found.scanned));
            }
        }
        Ok(Page::new(items, found.next, found.scanned))
    }
}

impl InstanceDetails {
    /// The size of its values, in bytes of JSON.
    fn bytes(&self) -> usize {
        let values = [Some(&self.input), self.output.as_ref(), self.status.custom_status.as_ref()];
        let failure = self.failure.as_ref().map_or(0, |failure| failure.message.len());
        values.into_iter().flatten().map(|value| value.as_str().len()).sum::<usize>() + failure
    }
}

/// Reads the values of an instance whose record has just been read. `None` if it was purged in the
/// meantime, or has changed so that it is not wanted.
pub(super) fn read(
    store: &dyn Store,
    mut record: InstanceRecord,
    is_wanted: impl Fn(&InstanceRecord) -> bool,
) -> Result<Option<InstanceDetails>, StoreError> {
    loop {
        let values = Values::read(store, &record)?;
        if values.are_complete(&record) {
            return Ok(Some(values.of(record)));
        }
        let now = store.instance(&record.instance_id)?;
        match now.filter(&is_wanted) {
            None => return Ok(None),
            Some(now) if now == record => return Ok(Some(values.of(record))),
            Some(now) => record = now,
        }
    }
}

/// What the events of a history say.
#[derive(Debug, Default)]
struct Values {
    input: Option<Json>,
    output: Option<Json>,
    failure: Option<FailureDetails>,
    termination_reason: Option<String>,
    code_hash: Option<CodeHash>,
    trace_context: Option<TraceContext>,
    have_end: bool,
}

impl Values {
    fn read(store: &dyn Store, record: &InstanceRecord) -> Result<Self, StoreError> {
        let read = |indices: Range<u64>| {
            store.history_page(&record.instance_id, record.execution_id, indices)
        };
        let len = record.history_len;
        let mut values = Self::default();
        if len > SHORT {
            values.add(read(0..ENDS)?);
            if record.runtime_status.is_finished() {
                values.add(read(len - ENDS..len)?);
            }
            if values.are_complete(record) {
                return Ok(values);
            }
            values = Self::default();
        }
        values.add(read(0..len)?);
        Ok(values)
    }

    fn add(&mut self, events: Vec<HistoryEvent>) {
        for event in events {
            match event.kind {
                EventKind::ExecutionStarted(started) => {
                    self.input = Some(started.input);
                    (self.code_hash, self.trace_context) =
                        (started.code_hash.map(CodeHash), started.trace_context);
                }
                EventKind::ExecutionTerminated { reason, .. } => {
                    self.termination_reason = Some(reason);
                }
                EventKind::ExecutionCompleted { result, failure, .. } => {
                    (self.output, self.failure, self.have_end) = (result, failure, true);
                }
                _ => {}
            }
        }
    }

    fn are_complete(&self, record: &InstanceRecord) -> bool {
        self.input.is_some() && (self.have_end || !record.runtime_status.is_finished())
    }

    fn of(self, record: InstanceRecord) -> InstanceDetails {
        InstanceDetails {
            status: record.into(),
            input: self.input.unwrap_or_else(Json::null),
            output: self.output,
            failure: self.failure,
            termination_reason: self.termination_reason,
            code_hash: self.code_hash,
            trace_context: self.trace_context,
        }
    }
}
