//! How long the last commits took.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// How many commits are kept.
const KEPT: usize = 512;

/// The times of the last commits, in microseconds. Only one commit is in progress at a time, so two
/// threads never write to the same place.
#[derive(Debug)]
pub(crate) struct CommitTimes {
    last: [AtomicU32; KEPT],
    count: AtomicUsize,
}

/// The latency of the last commits; see
/// [`TaskHub::commit_latency`](crate::TaskHub::commit_latency).
///
/// ```
/// use std::time::Duration;
///
/// use durable::TaskHub;
///
/// /// Whether the disk or the database is too slow for this service.
/// fn is_slow(hub: &TaskHub) -> bool {
///     hub.commit_latency().is_some_and(|latency| latency.p99 > Duration::from_millis(500))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommitLatency {
    /// The number of measured commits: the newest ones, at most 512.
    pub commits: usize,
    /// Half of these commits took at most this long.
    pub p50: Duration,
    /// 99 of 100 of these commits took at most this long.
    pub p99: Duration,
}

impl Default for CommitTimes {
    fn default() -> Self {
        Self { last: [const { AtomicU32::new(0) }; KEPT], count: AtomicUsize::new(0) }
    }
}

impl CommitTimes {
    pub(super) fn add(&self, time: Duration) {
        let place = self.count.load(Ordering::Relaxed) % KEPT;
        let micros = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.last[place].store(micros, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// `None` before the first commit.
    pub(crate) fn latency(&self) -> Option<CommitLatency> {
        let commits = self.count.load(Ordering::Relaxed).min(KEPT);
        let last = self.last.iter().take(commits);
        let mut micros: Vec<_> = last.map(|it| it.load(Ordering::Relaxed)).collect();
        micros.sort_unstable();
        let of = |percent: usize| {
            let rank = (commits * percent).div_ceil(100).checked_sub(1)?;
            micros.get(rank).map(|micros| Duration::from_micros((*micros).into()))
        };
        Some(CommitLatency { commits, p50: of(50)?, p99: of(99)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_commits_count() {
        let times = CommitTimes::default();
        assert_eq!(times.latency(), None);
        times.add(Duration::from_secs(9));
        let (p50, p99) = (Duration::from_secs(9), Duration::from_secs(9));
        assert_eq!(times.latency(), Some(CommitLatency { commits: 1, p50, p99 }));
        for micros in 1..=512 {
            times.add(Duration::from_micros(micros));
        }
        let (p50, p99) = (Duration::from_micros(256), Duration::from_micros(507));
        assert_eq!(times.latency(), Some(CommitLatency { commits: KEPT, p50, p99 }));
    }
}
