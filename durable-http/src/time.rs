//! Dates and times as Durable Functions writes and reads them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use durable::protocol::Timestamp;

/// To the second: `2026-01-02T03:04:05Z`.
pub(crate) fn seconds(time: Timestamp) -> String {
    let text = time.to_string();
    let (seconds, _) = text.rsplit_once('.').unwrap_or((&text, ""));
    format!("{seconds}Z")
}

/// As .NET writes a `DateTime`: without the zeros at the end of the fraction.
pub(crate) fn dotnet(time: Timestamp) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    format!("{text}Z")
}

/// A date and time with or without offset, fraction and time of day. Without an offset it is UTC.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    let text = padded(text.trim());
    if let Ok(time) = DateTime::parse_from_rfc3339(&text) {
        return Some(time.to_utc());
    }
    // A `+` in a query that is not encoded is a space.
    if let Some((time, offset)) = text.rsplit_once(' ')
        && let Ok(time) = DateTime::parse_from_rfc3339(&format!("{time}+{offset}"))
    {
        return Some(time.to_utc());
    }
    let local =
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%m/%d/%Y %H:%M:%S"];
    let time = local.iter().find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok());
    let days = ["%Y-%m-%d", "%m/%d/%Y"];
    let day = || days.iter().find_map(|format| NaiveDate::parse_from_str(&text, format).ok());
    time.or_else(|| day()?.and_hms_opt(0, 0, 0)).map(|time| time.and_utc())
}

/// Python writes the year 1 without zeros in front.
fn padded(text: &str) -> String {
    match text.split_once('-') {
        Some((year, rest)) if year.len() < 4 && year.parse::<u16>().is_ok() => {
            format!("{year:0>4}-{rest}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_clients_write_them() {
        let read = |text| parse(text).map(|time| time.to_rfc3339());
        for text in [
            "2026-01-02T03:04:05.123456Z",
            "2026-01-02T04:04:05.123456+01:00",
            "2026-01-02T04:04:05.123456 01:00",
            "2026-01-02T03:04:05.123456",
            "2026-01-02 03:04:05.123456",
        ] {
            assert_eq!(read(text).unwrap(), "2026-01-02T03:04:05.123456+00:00", "{text}");
        }
        assert_eq!(read("2026-01-02").unwrap(), "2026-01-02T00:00:00+00:00");
        assert_eq!(read("1-01-01T00:00:00.000000Z").unwrap(), "0001-01-01T00:00:00+00:00");
        assert_eq!([read(""), read("soon"), read("2026-13-01")], [None, None, None]);
    }

    #[test]
    fn a_fraction_has_no_zeros_at_its_end() {
        let at = |micros| dotnet(Timestamp::from_micros(micros).unwrap());
        assert_eq!(at(1_000_000), "1970-01-01T00:00:01Z");
        assert_eq!(at(1_120_000), "1970-01-01T00:00:01.12Z");
        assert_eq!(at(10_000_000), "1970-01-01T00:00:10Z");
    }
}
