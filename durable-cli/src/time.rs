//! Times and durations: how users write them, and how they are shown.

use std::time::Duration;

use chrono::{DateTime, Local, SecondsFormat, TimeDelta, Utc};

use crate::args::TimeFormat;

const UNITS: [(&str, u64); 5] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1), ("w", 604_800)];

/// A duration such as `90s`, `10m`, `2h` or `1h30m`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("`{text}` is not a duration; write 30s, 10m, 2h, 1h30m or 7d");
    let mut rest = text;
    let mut seconds = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
        let number: u64 = rest[..digits].parse().map_err(|_| invalid())?;
        let unit = UNITS.iter().find(|(unit, _)| rest[digits..].starts_with(unit));
        let (unit, length) = unit.ok_or_else(invalid)?;
        let part = number.checked_mul(*length).ok_or_else(invalid)?;
        seconds = seconds.checked_add(part).ok_or_else(invalid)?;
        rest = &rest[digits + unit.len()..];
    }
    if text.is_empty() { Err(invalid()) } else { Ok(Duration::from_secs(seconds)) }
}

/// A moment: a date and time, or a duration relative to now.
#[derive(Clone, Debug)]
pub(crate) enum Moment {
    At(DateTime<Utc>),
    Relative(Duration),
}

impl Moment {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(time.to_utc()));
        }
        duration(text).map(Self::Relative).map_err(|_| {
            format!("`{text}` is not a time; write 2026-01-02T03:04:05Z, or 30s, 10m, 2h, 7d")
        })
    }

    pub(crate) fn before(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => *time,
            Self::Relative(ago) => now - delta(*ago),
        }
    }

    pub(crate) fn after(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::At(time) => *time,
            Self::Relative(later) => now + delta(*later),
        }
    }
}

fn delta(duration: Duration) -> TimeDelta {
    // A thousand years are more than anybody means, and no overflow.
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX).min(TimeDelta::days(365_000))
}

/// How times are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: DateTime<Utc>,
    pub(crate) format: TimeFormat,
    pub(crate) utc: bool,
}

impl Clock {
    pub(crate) fn show(&self, time: DateTime<Utc>) -> String {
        match self.format {
            TimeFormat::Human => relative(time - self.now),
            TimeFormat::Unix => time.timestamp().to_string(),
            TimeFormat::Iso if self.utc => time.to_rfc3339_opts(SecondsFormat::Millis, true),
            TimeFormat::Iso => {
                time.with_timezone(&Local).to_rfc3339_opts(SecondsFormat::Millis, false)
            }
        }
    }

    /// How long something has lasted, such as `for 5m12s`.
    pub(crate) fn show_since(&self, time: DateTime<Utc>) -> String {
        match self.format {
            TimeFormat::Human => format!("for {}", human((self.now - time).abs())),
            TimeFormat::Iso | TimeFormat::Unix => format!("since {}", self.show(time)),
        }
    }

    pub(crate) fn show_some(&self, time: Option<DateTime<Utc>>) -> String {
        time.map(|time| self.show(time)).unwrap_or_default()
    }
}

fn relative(delta: TimeDelta) -> String {
    let length = human(delta.abs());
    if delta > TimeDelta::zero() { format!("in {length}") } else { format!("{length} ago") }
}

/// The two largest units of a duration.
pub(crate) fn human(delta: TimeDelta) -> String {
    let seconds = delta.num_seconds();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => {
            let millis = delta.num_milliseconds();
            if millis < 1000 { format!("{millis}ms") } else { format!("{seconds}s") }
        }
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m{:02}s", seconds % 60),
        (0, ..) => format!("{hours}h{minutes:02}m"),
        _ => format!("{days}d{hours:02}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_units() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("1h30m", 5400), ("7d", 604_800)] {
            assert_eq!(duration(text).unwrap().as_secs(), seconds, "{text}");
        }
        for text in ["", "5", "m", "1y", "-1s", "99999999999999999999s"] {
            assert!(duration(text).unwrap_err().starts_with(&format!("`{text}` is not")));
        }
    }

    #[test]
    fn durations_are_written_with_their_two_largest_units() {
        for (millis, text) in [
            (20, "20ms"),
            (5_400, "5s"),
            (65_000, "1m05s"),
            (3_725_000, "1h02m"),
            (90_000_000, "1d01h"),
        ] {
            assert_eq!(human(TimeDelta::milliseconds(millis)), text);
        }
    }
}
