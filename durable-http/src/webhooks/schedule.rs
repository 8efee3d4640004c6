//! The wait before a retry: the scheduled one, or a longer `Retry-After`, with jitter.
//!
//! Jitter only extends a wait, because a receiver that sends a `Retry-After` does not want an earlier
//! request. It is computed from the id of the message and the number of the attempt.

use std::time::Duration;

use sha2::{Digest, Sha256};

/// Jitter extends a wait by at most this many thousandths.
const JITTER: u128 = 200;

/// The longest `Retry-After` that is honored. A longer one, which may be an error of the receiver,
/// would delay the delivery beyond the schedule.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// The wait after this attempt, in milliseconds.
pub(super) fn millis(
    scheduled: Duration,
    retry_after: Option<Duration>,
    id: &str,
    attempt: usize,
) -> u64 {
    let requested = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    let wait = scheduled.max(requested).as_millis();
    u64::try_from(wait + wait * thousandths(id, attempt) / 1000).unwrap_or(u64::MAX)
}

/// Evenly distributed from 0 to `JITTER`.
fn thousandths(id: &str, attempt: usize) -> u128 {
    let digest = Sha256::digest(format!("{id} {attempt}"));
    let sample = digest.iter().take(8).fold(0, |sample, byte| sample << 8 | u128::from(*byte));
    sample % (JITTER + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn jitter_extends_a_wait_by_up_to_a_fifth_and_depends_on_message_and_attempt() {
        let waits: Vec<_> =
            (0..1000).map(|it| millis(10 * SECOND, None, &format!("msg_{it}"), 1)).collect();
        let (shortest, longest) = (waits.iter().min().unwrap(), waits.iter().max().unwrap());
        assert!((10_000..10_100).contains(shortest), "{shortest}");
        assert!((11_900..=12_000).contains(longest), "{longest}");
        let mean = waits.iter().sum::<u64>() / 1000;
        assert!((10_900..11_100).contains(&mean), "{mean}");
        assert_eq!(millis(10 * SECOND, None, "msg_7", 1), waits[7]);
        assert_ne!(millis(10 * SECOND, None, "msg_7", 2), waits[7]);
    }

    #[test]
    fn retry_after_makes_a_wait_longer_but_never_shorter_or_longer_than_a_day() {
        let seconds = |retry_after| millis(60 * SECOND, Some(retry_after), "msg_1", 1) / 1000;
        assert!((60..=72).contains(&seconds(SECOND)));
        assert!((600..=720).contains(&seconds(600 * SECOND)));
        let day = 24 * 60 * 60;
        assert!((day..=day * 6 / 5).contains(&seconds(Duration::MAX)));
        assert_eq!(millis(Duration::MAX, None, "msg_1", 1), u64::MAX);
    }
}
