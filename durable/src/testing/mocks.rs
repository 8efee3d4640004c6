//! Mocks of functions, and the record of calls of activities and mocks.
//!
//! They are the [`Interceptor`] of a test's hub, which the registry asks before it runs a function.
//! A mock has the name and version of the function that it replaces, and is found by them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

#[cfg(feature = "http")]
use super::http_mock::HttpMock;
use crate::__private_0_1::finish;
use crate::activity::{ActivityContext, ActivityRun};
use crate::definition::{Body, Definition, Entry};
use crate::protocol::{FailureDetails, Json};
use crate::registry::{Interceptor, Replacement};

/// The mock of an activity.
type Activity =
    dyn Fn(&ActivityContext, &Json) -> Result<ActivityRun, FailureDetails> + Send + Sync;
/// Whether it is an activity, its name and its version.
type Key = (bool, &'static str, Option<&'static str>);

/// The mocks of a hub.
#[derive(Clone, Default)]
pub(crate) struct Mocks {
    activities: BTreeMap<Key, Arc<Activity>>,
    orchestrators: BTreeMap<Key, Replacement>,
    calls: Option<Calls>,
    #[cfg(feature = "http")]
    pub(super) http: HttpMock,
}

/// The recorded calls with their inputs, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<BTreeMap<Key, Vec<Json>>>>);

impl Mocks {
    /// No mocks; all calls are recorded.
    pub(super) fn noting_calls() -> Self {
        Self { calls: Some(Calls::default()), ..Self::default() }
    }

    pub(super) fn mock_activity<F: Definition>(
        &mut self,
        mock: impl Fn(&ActivityContext, F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) where
        F::Input: DeserializeOwned,
    {
        let body = move |context: &ActivityContext, input: &Json| {
            let result = answer::<F>(input, |input| mock(context, input));
            Ok(ActivityRun::Async(Box::pin(std::future::ready(result))))
        };
        self.activities.insert(key(&F::ENTRY), Arc::new(body));
    }

    /// The mock answers when this much time has passed.
    pub(super) fn mock_activity_after<F: Definition>(
        &mut self,
        time: Duration,
        mock: impl Fn(F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) where
        F::Input: DeserializeOwned,
    {
        let mock = Arc::new(mock);
        let body = move |_: &ActivityContext, input: &Json| {
            let (mock, input) = (Arc::clone(&mock), input.clone());
            let answer = async move { answer::<F>(&input, |input| mock(input)) };
            Ok(ActivityRun::After(time, Box::pin(answer)))
        };
        self.activities.insert(key(&F::ENTRY), Arc::new(body));
    }

    pub(super) fn never_ends<F: Definition>(&mut self) {
        let body = |context: &ActivityContext, _: &Json| {
            Ok(ActivityRun::Never(context.cancellation_token().clone()))
        };
        self.activities.insert(key(&F::ENTRY), Arc::new(body));
    }

    pub(super) fn mock_orchestrator<F: Definition>(
        &mut self,
        mock: impl Fn(F::Input) -> Result<F::Output, F::Error> + Send + Sync + 'static,
    ) where
        F::Input: DeserializeOwned,
    {
        let key = key(&F::ENTRY);
        let (mock, calls) = (Arc::new(mock), self.calls.clone());
        let run: Replacement = Arc::new(move |context, input| {
            // A replay repeats the same call.
            if let (Some(calls), false) = (&calls, context.is_replaying()) {
                calls.note(key, &input);
            }
            let mock = Arc::clone(&mock);
            Box::pin(async move { answer::<F>(&input, |input| mock(input)) })
        });
        self.orchestrators.insert(key, run);
    }

    /// The inputs of a function's calls, in order.
    pub(super) fn calls(&self, entry: &Entry) -> Vec<Json> {
        let calls = self.calls.as_ref();
        calls.and_then(|calls| calls.all().get(&key(entry)).cloned()).unwrap_or_default()
    }
}

impl Interceptor for Mocks {
    /// The call is recorded whether or not a mock replaces the activity.
    fn run_activity(
        &self,
        entry: &Entry,
        context: &ActivityContext,
        input: &Json,
    ) -> Option<Result<ActivityRun, FailureDetails>> {
        let key = key(entry);
        if let Some(calls) = &self.calls {
            calls.note(key, input);
        }
        #[cfg(feature = "http")]
        if let Some(run) = self.http.run(entry, context, input) {
            return Some(run);
        }
        self.activities.get(&key).map(|mock| mock(context, input))
    }

    fn orchestrator(&self, entry: &Entry) -> Option<Replacement> {
        self.orchestrators.get(&key(entry)).cloned()
    }

    fn replaces_activity(&self, entry: &Entry) -> bool {
        self.activities.contains_key(&key(entry))
    }
}

impl Calls {
    fn note(&self, key: Key, input: &Json) {
        self.all().entry(key).or_default().push(input.clone());
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Key, Vec<Json>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(entry: &Entry) -> Key {
    (matches!(entry.body, Body::Activity { .. }), entry.name, entry.version)
}

/// The result of a mock for a stored input.
fn answer<F: Definition>(
    input: &Json,
    mock: impl FnOnce(F::Input) -> Result<F::Output, F::Error>,
) -> Result<Json, FailureDetails>
where
    F::Input: DeserializeOwned,
{
    let input = serde_json::from_str(input.as_str()).map_err(|error| {
        let message =
            format!("the input of the mock of `{}` cannot be read: {error}", F::ENTRY.name);
        FailureDetails::new(FailureDetails::INVALID_INPUT, message).non_retriable()
    })?;
    finish::<F>(mock(input))
}

impl fmt::Debug for Mocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.activities.keys().chain(self.orchestrators.keys());
        f.debug_list().entries(names.map(|(_, name, _)| name)).finish()
    }
}
