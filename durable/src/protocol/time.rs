//! Points in time as they are stored: microseconds, UTC.

use std::fmt;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in microseconds, UTC.
///
/// In a human-readable format it is written as RFC 3339, elsewhere as microseconds since 1970.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The last point in time that `chrono` can represent, in whole microseconds.
    pub const MAX: Self = {
        let micros = DateTime::<Utc>::MAX_UTC.timestamp_micros();
        match DateTime::from_timestamp_micros(micros) {
            Some(end) => Self(end),
            None => panic!("the end of all calendars is a date"),
        }
    };

    /// Cuts `time` to microseconds, so that it equals itself after it is stored and read.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.trunc_subsecs(6))
    }

    /// The same point in time for `chrono`.
    pub fn to_datetime(self) -> DateTime<Utc> {
        self.0
    }

    /// The time after this delay, or the last time that can be represented.
    #[must_use]
    pub fn after(self, duration: std::time::Duration) -> Self {
        let later = TimeDelta::from_std(duration).ok();
        let later = later.and_then(|duration| self.0.checked_add_signed(duration));
        later.map_or(Self::MAX, Self::new)
    }

    /// The time this long ago at this point, or the first time that can be represented.
    pub(crate) fn before(self, duration: std::time::Duration) -> Self {
        let earlier = TimeDelta::from_std(duration).ok();
        let earlier = earlier.and_then(|duration| self.0.checked_sub_signed(duration));
        earlier.map_or(Self(DateTime::<Utc>::MIN_UTC), Self::new)
    }

    /// The time from `earlier` to this point; zero if this is not later.
    pub fn since(self, earlier: Self) -> std::time::Duration {
        (self.0 - earlier.0).to_std().unwrap_or_default()
    }

    /// The time this many microseconds after 1970, if it is a valid date.
    pub fn from_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_i64(self.0.timestamp_micros())
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            DateTime::<Utc>::deserialize(deserializer).map(Self::new)
        } else {
            let micros = i64::deserialize(deserializer)?;
            Self::from_micros(micros).ok_or_else(|| de::Error::custom("a time out of range"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::codec::{read_value, written};

    #[test]
    fn the_last_time_is_the_same_after_storing() {
        let never = Timestamp::default().after(std::time::Duration::MAX);
        assert_eq!(never, Timestamp::MAX);
        assert_eq!(read_value::<Timestamp>(&written(&never)).unwrap(), never);
        assert_eq!(Timestamp::new(never.to_datetime()), never);
    }
}
