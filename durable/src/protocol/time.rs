//! Points in time as they are stored: microseconds, UTC.

use std::fmt;

use chrono::{DateTime, Datelike, SubsecRound, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in microseconds, UTC.
///
/// In a human-readable format it is written as RFC 3339, elsewhere as microseconds since 1970.
///
/// ```
/// use durable::protocol::Timestamp;
/// use std::time::Duration;
///
/// let start = Timestamp::from_micros(1_000_000).unwrap();
/// let end = start.after(Duration::from_secs(60));
/// assert_eq!(end.since(start), Duration::from_secs(60));
/// assert_eq!(end.to_string(), "1970-01-01T00:01:01.000000Z");
/// ```
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
        match self.digits() {
            Some(digits) => f.write_str(std::str::from_utf8(&digits).unwrap_or_default()),
            None => write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S%.6fZ")),
        }
    }
}

impl Timestamp {
    /// The text of a time in one of the years 0 to 9999, outside leap seconds. Lists and histories
    /// have many times, and interpreting a format takes 10 times as long.
    fn digits(self) -> Option<[u8; 27]> {
        let micros = self.0.timestamp_subsec_micros();
        let year = u32::try_from(self.0.year()).ok().filter(|year| *year <= 9999)?;
        if micros >= 1_000_000 {
            return None;
        }
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |end: usize, mut number: u32| {
            for digit in text[..end].iter_mut().rev().take_while(|byte| byte.is_ascii_digit()) {
                *digit = b"0123456789"[(number % 10) as usize];
                number /= 10;
            }
        };
        put(4, year);
        put(7, self.0.month());
        put(10, self.0.day());
        put(13, self.0.hour());
        put(16, self.0.minute());
        put(19, self.0.second());
        put(26, micros);
        Some(text)
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
            match self.digits() {
                Some(digits) => {
                    serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default())
                }
                None => serializer.collect_str(self),
            }
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

    #[test]
    fn a_time_is_written_as_rfc_3339_with_microseconds() {
        let micros = [
            0,
            1,
            999_999,
            -1,
            1_767_323_045_123_450,
            951_782_400_000_000,
            253_402_300_799_999_999,
            253_402_300_800_000_000,
            -62_167_219_200_000_000,
            -62_167_219_200_000_001,
        ];
        let leap = DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap();
        let times = micros.map(|micros| Timestamp::from_micros(micros).unwrap());
        for time in times.into_iter().chain([Timestamp::MAX, Timestamp(leap)]) {
            let text = time.0.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
            assert_eq!(time.to_string(), text);
            assert_eq!(serde_json::to_string(&time).unwrap(), format!("\"{text}\""));
        }
        let time = Timestamp::from_micros(1_767_323_045_123_450).unwrap();
        assert_eq!(time.to_string(), "2026-01-02T03:04:05.123450Z");
    }
}
