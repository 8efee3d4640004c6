//! Retry policies: whether, when and how often a failed call is retried.
//!
//! Pass a [`RetryPolicy`] to a single call with [`Call::retry`](crate::Call::retry), or set it for
//! every call of an activity with `#[activity(retry(..))]`. [`RetryPolicy::handle`] decides with
//! code, based on a [`RetryContext`]. The runtime retries, so a retry adds one event to the
//! history, and the orchestrator sees only the last result.

// Reads no clock and draws no random number: both are passed to `RetryPolicy::decide`, so that a
// replay decides as the first run did.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::TaskError;
use crate::panics::Guarded;
use crate::protocol::FailureDetails;

/// The default maximum interval.
const LONGEST_INTERVAL: Duration = Duration::from_hours(1);

/// When and how often a failed call is retried; Durable Functions' `RetryPolicy`.
///
/// The first retry comes after `first_retry_interval`. Each further interval is the previous one
/// times [`backoff_coefficient`](Self::backoff_coefficient), which is 1 by default.
///
/// ```
/// use std::time::Duration;
///
/// use durable::RetryPolicy;
///
/// // Five attempts, with 1, 2, 4 and 8 seconds between them.
/// const PATIENT: RetryPolicy =
///     RetryPolicy::new(5, Duration::from_secs(1)).backoff_coefficient(2.0);
///
/// // The same, but only for errors that another attempt may avoid.
/// let picky = PATIENT.handle(|retry| retry.failure().error_type != "shop::SoldOut");
/// ```
///
/// A non-retriable failure, by [`Error::non_retriable`](crate::Error::non_retriable) or by its own
/// type ([`NonRetriable`](crate::error::NonRetriable)), is never retried. If many instances fail at
/// the same time, [`jitter`](Self::jitter) spreads their retries.
#[derive(Clone)]
#[must_use = "a policy does nothing until it is given to a call"]
pub struct RetryPolicy {
    settings: RetrySettings,
    handle: Option<Arc<Guarded<Box<Handle>>>>,
}

type Handle = dyn Fn(&RetryContext) -> bool + Send + Sync;

/// The plain values of a policy, which an attribute can put into a `const`.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetrySettings {
    pub max_number_of_attempts: u32,
    pub first_retry_interval: Duration,
    pub backoff_coefficient: f64,
    /// `None` means an hour, or the first interval if that is longer.
    pub max_retry_interval: Option<Duration>,
    pub retry_timeout: Option<Duration>,
    pub jitter: f64,
}

impl RetrySettings {
    pub const fn new(max_number_of_attempts: u32, first_retry_interval: Duration) -> Self {
        Self {
            max_number_of_attempts,
            first_retry_interval,
            backoff_coefficient: 1.0,
            max_retry_interval: None,
            retry_timeout: None,
            jitter: 0.0,
        }
    }
}

impl RetryPolicy {
    /// Makes up to this many attempts, *including the first*: 1 means no retry. The first retry
    /// comes after `first_retry_interval`.
    pub const fn new(max_number_of_attempts: u32, first_retry_interval: Duration) -> Self {
        Self {
            settings: RetrySettings::new(max_number_of_attempts, first_retry_interval),
            handle: None,
        }
    }

    /// Sets the factor between successive intervals; at least 1.
    pub const fn backoff_coefficient(mut self, coefficient: f64) -> Self {
        self.settings.backoff_coefficient = coefficient;
        self
    }

    /// Sets the longest interval; at least `first_retry_interval`. The default is an hour, or
    /// `first_retry_interval` if that is longer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::RetryPolicy;
    /// // 10, 20, 30, 30, 30 ... seconds
    /// let policy = RetryPolicy::new(100, Duration::from_secs(10))
    ///     .backoff_coefficient(2.0)
    ///     .max_retry_interval(Duration::from_secs(30));
    /// ```
    pub const fn max_retry_interval(mut self, interval: Duration) -> Self {
        self.settings.max_retry_interval = Some(interval);
        self
    }

    /// Begins no attempt after this time, counted from the beginning of the first attempt; at least
    /// `first_retry_interval`. A running attempt is not stopped.
    pub const fn retry_timeout(mut self, timeout: Duration) -> Self {
        self.settings.retry_timeout = Some(timeout);
        self
    }

    /// Shortens each interval by a random fraction of up to this much, from 0 to 1: with 0.2, a
    /// wait of ten seconds becomes a wait of eight to ten. A replay waits as long as the first run
    /// did.
    pub const fn jitter(mut self, fraction: f64) -> Self {
        self.settings.jitter = fraction;
        self
    }

    /// Calls `handle` after every failure to decide whether to retry, while the number of attempts
    /// and the time allow it.
    ///
    /// `handle` is called once per failed attempt, and its decision is recorded; a replay reads the
    /// decision instead of calling `handle`. If the instance is suspended when the attempt fails,
    /// `handle` is called when the instance is resumed. It is called again only if the decision was
    /// lost before it became durable: through a crash, or because that step suspended the instance.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::RetryPolicy;
    /// let policy = RetryPolicy::new(5, Duration::from_secs(1)).handle(|retry| {
    ///     retry.failure().is_caused_by::<std::io::Error>() || retry.last_attempt_number() < 2
    /// });
    /// ```
    pub fn handle(
        mut self,
        handle: impl Fn(&RetryContext) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.handle = Some(Arc::new(Guarded::new(Box::new(handle))));
        self
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("settings", &self.settings)
            .field("has_handle", &self.handle.is_some())
            .finish()
    }
}

/// The failed attempt on which [`RetryPolicy::handle`] decides.
///
/// ```
/// use durable::RetryPolicy;
/// use durable::retry::RetryContext;
/// use std::time::Duration;
///
/// /// Gives up early if the server says that it is closed.
/// fn should_retry(context: &RetryContext) -> bool {
///     !(context.last_attempt_number() > 2 && context.failure().message.contains("closed"))
/// }
/// let policy = RetryPolicy::new(10, Duration::from_secs(1)).handle(should_retry);
/// # let _ = policy;
/// ```
#[derive(Clone, Debug)]
pub struct RetryContext {
    failure: FailureDetails,
    last_attempt_number: u32,
    total_retry_time: Duration,
}

impl RetryContext {
    /// Returns the failure of the last attempt.
    pub fn failure(&self) -> &FailureDetails {
        &self.failure
    }

    /// Returns the user's own error that made the attempt fail, directly or as a cause, as its
    /// original value; `None` if there is no error of type `E`, for example after a panic or a
    /// timeout.
    ///
    /// To let an error type decide for all policies, implement
    /// [`NonRetriable`](crate::error::NonRetriable).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use durable::RetryPolicy;
    /// # use serde::{Deserialize, Serialize};
    /// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
    /// enum PaymentError {
    ///     #[error("declined")]
    ///     Declined,
    ///     #[error("the bank does not answer")]
    ///     Unavailable,
    /// }
    ///
    /// let policy = RetryPolicy::new(5, Duration::from_secs(1))
    ///     .handle(|retry| !matches!(retry.error(), Some(PaymentError::Declined)));
    /// ```
    pub fn error<E: TaskError>(&self) -> Option<E> {
        self.failure.error()
    }

    /// Returns the number of the failed attempt, counted from 1.
    pub fn last_attempt_number(&self) -> u32 {
        self.last_attempt_number
    }

    /// Returns the time since the first attempt began, as the history records it.
    pub fn total_retry_time(&self) -> Duration {
        self.total_retry_time
    }
}

/// The [`RetryPolicy`] is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the retry policy's `{field}` is {value}; it has to be {rule}")]
pub(crate) struct InvalidRetryPolicy {
    field: &'static str,
    value: String,
    rule: String,
}

/// The decision about a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// The call has failed.
    GiveUp,
    /// The next attempt begins after this time.
    RetryAfter(Duration),
}

impl RetryPolicy {
    /// A policy declared in an attribute.
    pub(crate) const fn declared(settings: RetrySettings) -> Self {
        Self { settings, handle: None }
    }

    /// Whether the policy is valid. An invalid policy is useless, but never panics.
    pub(crate) fn check(&self) -> Result<(), InvalidRetryPolicy> {
        let settings = &self.settings;
        let first = settings.first_retry_interval;
        let least = || format!("at least `first_retry_interval`, which is {first:?}");
        let invalid = |field, value: &dyn fmt::Debug, rule: String| {
            Err(InvalidRetryPolicy { field, value: format!("{value:?}"), rule })
        };
        if settings.max_number_of_attempts == 0 {
            let rule = "at least 1, since it counts the first attempt".to_owned();
            return invalid("max_number_of_attempts", &0, rule);
        }
        if first.is_zero() {
            return invalid("first_retry_interval", &first, "more than zero".to_owned());
        }
        let coefficient = settings.backoff_coefficient;
        if !(coefficient.is_finite() && coefficient >= 1.0) {
            let rule = "a number from 1.0 on".to_owned();
            return invalid("backoff_coefficient", &coefficient, rule);
        }
        if let Some(longest) = settings.max_retry_interval.filter(|longest| *longest < first) {
            return invalid("max_retry_interval", &longest, least());
        }
        if let Some(timeout) = settings.retry_timeout.filter(|timeout| *timeout < first) {
            return invalid("retry_timeout", &timeout, least());
        }
        if !(0.0..=1.0).contains(&settings.jitter) {
            return invalid("jitter", &settings.jitter, "a fraction from 0.0 to 1.0".to_owned());
        }
        Ok(())
    }

    /// The decision about `failure` of attempt number `attempt`, counted from 1, at the time
    /// `since_first` after the first attempt began. `chance` is from 0 to 1 and the same in every
    /// replay.
    ///
    /// The limits come before the handler, which cannot exceed them and is not called beyond them.
    pub(crate) fn decide(
        &self,
        failure: &FailureDetails,
        attempt: u32,
        since_first: Duration,
        chance: f64,
    ) -> Decision {
        let settings = &self.settings;
        if failure.non_retriable || attempt >= settings.max_number_of_attempts {
            return Decision::GiveUp;
        }
        let delay = settings.delay(attempt.saturating_sub(1), chance);
        let begins = since_first.saturating_add(delay);
        if settings.retry_timeout.is_some_and(|timeout| begins > timeout) {
            return Decision::GiveUp;
        }
        let is_wanted = self.handle.as_ref().is_none_or(|handle| {
            (handle.get())(&RetryContext {
                failure: failure.clone(),
                last_attempt_number: attempt,
                total_retry_time: since_first,
            })
        });
        if is_wanted { Decision::RetryAfter(delay) } else { Decision::GiveUp }
    }
}

impl RetrySettings {
    /// The wait before retry number `n`, counted from 0.
    fn delay(&self, n: u32, chance: f64) -> Duration {
        let first = self.first_retry_interval;
        let longest = self.max_retry_interval.unwrap_or(LONGEST_INTERVAL).max(first);
        let delay = first.as_secs_f64() * power(self.backoff_coefficient, n);
        // A wait that does not fit a `Duration` is longer than the longest.
        let delay = Duration::try_from_secs_f64(delay).map_or(longest, |delay| delay.min(longest));
        let taken_off = (self.jitter * chance).clamp(0.0, 1.0);
        Duration::try_from_secs_f64(delay.as_secs_f64() * (1.0 - taken_off)).unwrap_or(delay)
    }
}

/// `base` to the power of `exponent`.
///
/// Not `f64::powi`: its last digit may differ between machines, and a replay would then wait a
/// different time.
fn power(mut base: f64, mut exponent: u32) -> f64 {
    let mut power = 1.0;
    while exponent > 0 {
        if exponent % 2 == 1 {
            power *= base;
        }
        base *= base;
        exponent /= 2;
    }
    power
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn failure() -> FailureDetails {
        FailureDetails::new("test", "no")
    }

    /// The intervals, in seconds, until the policy gives up, if attempts take no time and without
    /// jitter.
    fn waits(policy: &RetryPolicy) -> Vec<f64> {
        let (mut waits, mut now) = (Vec::new(), Duration::ZERO);
        for attempt in 1..20 {
            let Decision::RetryAfter(wait) = policy.decide(&failure(), attempt, now, 0.0) else {
                return waits;
            };
            now += wait;
            waits.push(wait.as_secs_f64());
        }
        panic!("no end of {waits:?}");
    }

    #[test]
    fn the_first_attempt_is_counted() {
        assert_eq!(waits(&RetryPolicy::new(1, SECOND)), [0.0; 0]);
        assert_eq!(waits(&RetryPolicy::new(3, SECOND)), [1.0, 1.0]);
    }

    #[test]
    fn intervals_grow_up_to_the_longest() {
        let policy = RetryPolicy::new(6, SECOND).backoff_coefficient(2.0);
        assert_eq!(waits(&policy), [1.0, 2.0, 4.0, 8.0, 16.0]);
        let policy = policy.max_retry_interval(5 * SECOND);
        assert_eq!(waits(&policy), [1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    #[test]
    fn an_interval_is_no_longer_than_an_hour_unless_the_first_is() {
        let policy = RetryPolicy::new(4, 50 * 60 * SECOND).backoff_coefficient(3.0);
        assert_eq!(waits(&policy), [3000.0, 3600.0, 3600.0]);
        let policy = RetryPolicy::new(3, 7200 * SECOND).backoff_coefficient(3.0);
        assert_eq!(waits(&policy), [7200.0, 7200.0]);
        policy.check().unwrap();
    }

    #[test]
    fn no_attempt_begins_after_the_timeout() {
        let policy = RetryPolicy::new(20, SECOND).backoff_coefficient(2.0);
        assert_eq!(waits(&policy.clone().retry_timeout(7 * SECOND)), [1.0, 2.0, 4.0]);
        let short = Duration::from_millis(6999);
        assert_eq!(waits(&policy.retry_timeout(short)), [1.0, 2.0]);
    }

    #[test]
    fn jitter_shortens_intervals() {
        let policy = RetryPolicy::new(3, 10 * SECOND).jitter(0.2);
        let wait = |chance| policy.decide(&failure(), 1, Duration::ZERO, chance);
        assert_eq!(wait(0.0), Decision::RetryAfter(10 * SECOND));
        assert_eq!(wait(0.5), Decision::RetryAfter(9 * SECOND));
        assert_eq!(wait(1.0), Decision::RetryAfter(8 * SECOND));
    }

    #[test]
    fn a_non_retriable_failure_is_never_retried() {
        let policy = RetryPolicy::new(3, SECOND).handle(|_| panic!("asked"));
        let decision = policy.decide(&failure().non_retriable(), 1, Duration::ZERO, 0.0);
        assert_eq!(decision, Decision::GiveUp);
    }

    #[test]
    fn the_handler_decides_within_the_limits() {
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        let policy = RetryPolicy::new(3, SECOND).retry_timeout(5 * SECOND).handle(move |retry| {
            assert_eq!(retry.failure().message, "no");
            assert_eq!(retry.total_retry_time(), retry.last_attempt_number() * SECOND);
            count.fetch_add(1, Ordering::Relaxed);
            retry.last_attempt_number() < 2
        });
        let decide = |attempt, seconds| policy.decide(&failure(), attempt, seconds * SECOND, 0.0);
        assert_eq!(decide(1, 1), Decision::RetryAfter(SECOND));
        assert_eq!(decide(2, 2), Decision::GiveUp);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
        assert_eq!(decide(3, 3), Decision::GiveUp);
        assert_eq!(decide(1, 5), Decision::GiveUp);
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_broken_rule_is_named() {
        let good = RetryPolicy::new(3, SECOND);
        let half = Duration::from_millis(500);
        let cases = [
            (RetryPolicy::new(0, SECOND), "max_number_of_attempts` is 0; it has to be at least 1"),
            (
                RetryPolicy::new(3, Duration::ZERO),
                "first_retry_interval` is 0ns; it has to be more",
            ),
            (good.clone().backoff_coefficient(0.5), "backoff_coefficient` is 0.5; it has to be a"),
            (good.clone().backoff_coefficient(f64::NAN), "backoff_coefficient` is NaN"),
            (good.clone().backoff_coefficient(f64::INFINITY), "backoff_coefficient` is inf"),
            (
                good.clone().max_retry_interval(half),
                "max_retry_interval` is 500ms; it has to be at",
            ),
            (good.clone().retry_timeout(half), "retry_timeout` is 500ms; it has to be at least"),
            (good.clone().jitter(1.5), "jitter` is 1.5; it has to be a fraction from 0.0 to 1.0"),
            (good.clone().jitter(-0.1), "jitter` is -0.1"),
            (good.clone().jitter(f64::NAN), "jitter` is NaN"),
        ];
        for (policy, expected) in cases {
            let message = policy.check().unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        good.max_retry_interval(SECOND).retry_timeout(SECOND).jitter(1.0).check().unwrap();
    }

    #[test]
    fn a_declared_policy_equals_a_built_one() {
        let settings = RetrySettings { backoff_coefficient: 2.0, ..RetrySettings::new(4, SECOND) };
        assert_eq!(waits(&RetryPolicy::declared(settings)), [1.0, 2.0, 4.0]);
    }

    #[test]
    fn no_policy_panics() {
        let times = [Duration::ZERO, Duration::from_nanos(1), SECOND, Duration::MAX];
        let numbers = [0.0, 1.0, -1.0, 1.5, f64::MAX, f64::MIN, f64::NAN, f64::INFINITY];
        for first in times {
            for longest in times {
                for number in numbers {
                    let policy = RetryPolicy::new(u32::MAX, first)
                        .backoff_coefficient(number)
                        .max_retry_interval(longest)
                        .jitter(number)
                        .retry_timeout(Duration::MAX);
                    for attempt in [0, 1, 2, 1000, u32::MAX - 1, u32::MAX] {
                        for chance in numbers {
                            let _: Decision = policy.decide(&failure(), attempt, longest, chance);
                        }
                    }
                }
            }
        }
    }
}
