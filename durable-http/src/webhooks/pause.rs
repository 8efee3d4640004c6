//! The pause of an endpoint that responded that it receives too many requests. During a pause, no
//! delivery sends anything to the endpoint.
//!
//! A pause is kept only in memory: after a restart of the program, the next response begins it
//! again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// The pause after a response that asks for fewer requests but names no time.
const UNSPECIFIED: Duration = Duration::from_secs(5);

/// The longest pause. The `Retry-After` of one event may be an error of the receiver, and should not
/// delay all others for longer.
const MAX: Duration = Duration::from_hours(1);

/// When the pause of an endpoint ends. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Pause(Arc<Mutex<Option<DateTime<Utc>>>>);

impl Pause {
    /// Notes a response. Standard Webhooks recommends throttling requests after 429, 502 and 504; a
    /// 503 counts if it says how long the endpoint is unavailable.
    pub(super) fn note(&self, status: u16, retry_after: Option<Duration>, now: DateTime<Utc>) {
        let pause = match status {
            429 | 502 | 504 => retry_after.unwrap_or(UNSPECIFIED),
            503 => retry_after.unwrap_or_default(),
            _ => return,
        };
        let end = now + TimeDelta::from_std(pause.min(MAX)).unwrap_or_default();
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *until = (*until).max(Some(end));
    }

    /// The rest of the pause; `None` if a request may be sent.
    pub(super) fn rest(&self, now: DateTime<Utc>) -> Option<Duration> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (until? - now).to_std().ok().filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_lasts_as_long_as_the_longest_response_says_and_at_most_an_hour() {
        let (pause, second) = (Pause::default(), Duration::from_secs(1));
        let at = |seconds: u32| DateTime::UNIX_EPOCH + second * seconds;
        assert_eq!(pause.rest(at(0)), None);
        for status in [200, 404, 500, 503] {
            pause.note(status, None, at(0));
        }
        pause.note(500, Some(60 * second), at(0));
        assert_eq!(pause.rest(at(0)), None);
        pause.note(502, None, at(0));
        assert_eq!((pause.rest(at(4)), pause.rest(at(5))), (Some(second), None));
        pause.note(503, Some(60 * second), at(0));
        pause.clone().note(429, Some(second), at(10));
        assert_eq!((pause.rest(at(20)), pause.rest(at(60))), (Some(40 * second), None));
        pause.note(429, Some(Duration::MAX), at(60));
        assert_eq!(pause.rest(at(60)), Some(3600 * second));
    }
}
