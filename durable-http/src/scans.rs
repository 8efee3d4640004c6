//! A token bucket for requests that scan the hub.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Scans {
    per_second: f64,
    state: Mutex<Option<State>>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    tokens: f64,
    at: Instant,
}

impl Scans {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), state: Mutex::new(None) }
    }

    /// Takes a token, if one is available.
    pub(crate) fn take(&self) -> bool {
        let (now, most) = (Instant::now(), self.per_second * 2.0);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { tokens, at } = state.unwrap_or(State { tokens: most, at: now });
        let tokens = (tokens + (now - at).as_secs_f64() * self.per_second).min(most);
        let has_one = tokens >= 1.0;
        let tokens = if has_one { tokens - 1.0 } else { tokens };
        *state = Some(State { tokens, at: now });
        has_one
    }
}
