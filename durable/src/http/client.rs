//! What a hub needs to send requests: a sender, token sources and a policy.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use super::error::HttpError;
use super::policy::HttpPolicy;
use super::send::{DynSend, HttpSend};
use super::token::{DynTokenSource, Secret, TokenSource};
use super::transport::Transport;
use crate::activity::ActivityContext;

/// What a hub is opened with.
#[derive(Clone, Default)]
pub(crate) struct HttpOptions {
    pub(crate) policy: Option<HttpPolicy>,
    tokens: BTreeMap<String, Arc<dyn DynTokenSource>>,
    sender: Option<Arc<dyn DynSend>>,
}

impl HttpOptions {
    pub(crate) fn add_token_source(&mut self, name: String, source: impl TokenSource) {
        self.tokens.insert(name, Arc::new(source));
    }

    pub(crate) fn set_sender(&mut self, sender: impl HttpSend) {
        self.sender = Some(Arc::new(sender));
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpOptions")
            .field("policy", &self.policy)
            .field("tokens", &self.tokens.keys())
            .finish_non_exhaustive()
    }
}

/// The shared state of the built-in activity.
pub(crate) struct HttpClient {
    options: HttpOptions,
    /// The policy in force. It changes if the hub begins to take requests from outside.
    policy: RwLock<(HttpPolicy, Arc<dyn DynSend>)>,
}

impl HttpClient {
    pub(crate) fn new(options: HttpOptions) -> Self {
        let policy = options.policy.clone().unwrap_or_default();
        let policy = RwLock::new(in_force(&options, policy));
        Self { options, policy }
    }

    pub(super) fn policy(&self) -> HttpPolicy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(super) fn sender(&self) -> Arc<dyn DynSend> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner).1)
    }

    pub(super) async fn token(
        &self,
        name: &str,
        ctx: &ActivityContext,
    ) -> Result<Secret, HttpError> {
        let failed = |message: String, unknown| {
            Err(HttpError::Token { name: name.to_owned(), message, unknown })
        };
        let Some(source) = self.options.tokens.get(name) else {
            let known: Vec<_> = self.options.tokens.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!(
                "the hub has no token source of this name (it has: {known}); add it with \
                 `TaskHub::builder().token_source(..)`"
            );
            return failed(message, true);
        };
        match source.token(ctx).await {
            Ok(secret) => Ok(secret),
            Err(error) => failed(error.to_string(), error.details().non_retriable),
        }
    }

    /// Puts the policy of exposed hubs in force, unless the hub was opened with one.
    pub(crate) fn expose(&self) {
        if self.options.policy.is_none() {
            let policy = HttpPolicy::new().deny_private();
            let in_force = in_force(&self.options, policy);
            *self.policy.write().unwrap_or_else(PoisonError::into_inner) = in_force;
        }
    }
}

/// Each policy gets a new [`Transport`], because open connections were made under the previous
/// policy.
fn in_force(options: &HttpOptions, policy: HttpPolicy) -> (HttpPolicy, Arc<dyn DynSend>) {
    let sender = options.sender.clone();
    let sender = sender.unwrap_or_else(|| Arc::new(Transport::new(policy.clone())));
    (policy, sender)
}
