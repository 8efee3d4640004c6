//! Points in time as they are stored: microseconds, UTC.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time, in microseconds, UTC.
///
/// Serde writes it as RFC 3339 in human-readable formats, and as microseconds since 1970 in all
/// others.
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
pub struct Timestamp(i64);

impl Timestamp {
    const MIN: Self = Self(DateTime::<Utc>::MIN_UTC.timestamp_micros());

    /// The last point in time that `chrono` can represent, in whole microseconds.
    pub const MAX: Self = Self(DateTime::<Utc>::MAX_UTC.timestamp_micros());

    /// Truncates `time` to microseconds, so that the result does not change when it is stored and
    /// read. A time in a leap second becomes a time in the second after it.
    pub fn new(time: DateTime<Utc>) -> Self {
        Self(time.timestamp_micros()).min(Self::MAX)
    }

    /// Returns the same point in time as a `chrono` value.
    pub fn to_datetime(self) -> DateTime<Utc> {
        // Every `Timestamp` is in the range of `chrono`.
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }

    /// Returns the time after this delay, or the last time that can be represented.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(micros(duration))).min(Self::MAX)
    }

    /// The time this long ago at this point, or the first time that can be represented.
    pub(crate) fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(micros(duration))).max(Self::MIN)
    }

    /// Returns the time that has passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        if self > earlier {
            Duration::from_micros(self.0.abs_diff(earlier.0))
        } else {
            Duration::ZERO
        }
    }

    /// Returns the time this many microseconds after 1970, if it is a valid date.
    pub fn from_micros(micros: i64) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&Self(micros)).then_some(Self(micros))
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.digits() {
            Some(digits) => f.write_str(std::str::from_utf8(&digits).unwrap_or_default()),
            None => write!(f, "{}", self.to_datetime().format("%Y-%m-%dT%H:%M:%S%.6fZ")),
        }
    }
}

impl Timestamp {
    /// The text of a time in one of the years 0 to 9999. Lists and histories have many times, and
    /// interpreting a format takes 10 times as long.
    fn digits(self) -> Option<[u8; 27]> {
        let time = self.to_datetime();
        let year = u32::try_from(time.year()).ok().filter(|year| *year <= 9999)?;
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |end: usize, mut number: u32| {
            for digit in text[..end].iter_mut().rev().take_while(|byte| byte.is_ascii_digit()) {
                *digit = b"0123456789"[(number % 10) as usize];
                number /= 10;
            }
        };
        put(4, year);
        put(7, time.month());
        put(10, time.day());
        put(13, time.hour());
        put(16, time.minute());
        put(19, time.second());
        put(26, time.timestamp_subsec_micros());
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
            serializer.serialize_i64(self.0)
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
        let never = Timestamp::default().after(Duration::MAX);
        assert_eq!(never, Timestamp::MAX);
        assert_eq!(read_value::<Timestamp>(&written(&never)).unwrap(), never);
        assert_eq!(Timestamp::new(never.to_datetime()), never);
    }

    #[test]
    fn a_time_in_a_leap_second_is_the_same_after_storing() {
        let time = Timestamp::new(DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap());
        assert_eq!(time.to_string(), "2017-01-01T00:00:00.500000Z");
        assert_eq!(read_value::<Timestamp>(&written(&time)).unwrap(), time);
    }

    #[test]
    fn a_time_cannot_leave_the_range_of_dates() {
        assert_eq!(Timestamp::MIN.before(Duration::from_micros(1)), Timestamp::MIN);
        assert_eq!(Timestamp::MAX.after(Duration::from_micros(1)), Timestamp::MAX);
        assert_eq!(Timestamp::new(DateTime::<Utc>::MAX_UTC), Timestamp::MAX);
        for (micros, range) in [(Timestamp::MIN.0, -1), (Timestamp::MAX.0, 1)] {
            assert!(Timestamp::from_micros(micros).is_some());
            assert!(Timestamp::from_micros(micros + range).is_none());
            assert_eq!(Timestamp::new(Timestamp(micros).to_datetime()), Timestamp(micros));
        }
        let all = Timestamp::MAX.since(Timestamp::MIN);
        assert_eq!(Timestamp::MIN.after(all), Timestamp::MAX);
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
        let times = micros.map(|micros| Timestamp::from_micros(micros).unwrap());
        for time in times.into_iter().chain([Timestamp::MIN, Timestamp::MAX]) {
            let text = time.to_datetime().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
            assert_eq!(time.to_string(), text);
            assert_eq!(serde_json::to_string(&time).unwrap(), format!("\"{text}\""));
        }
        let time = Timestamp::from_micros(1_767_323_045_123_450).unwrap();
        assert_eq!(time.to_string(), "2026-01-02T03:04:05.123450Z");
    }
}
