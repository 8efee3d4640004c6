//! Numbers, sizes, durations and times as text.

use chrono::{DateTime, Datelike, TimeDelta, Utc};

/// `1,284`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 instance`, `2 instances`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// `18.2 KB`, in powers of 1024.
pub(crate) fn bytes(bytes: u64) -> String {
    let mut size = bytes;
    let mut tenths = 0;
    for unit in ["B", "KB", "MB", "GB", "TB"] {
        if size < 1024 || unit == "TB" {
            return if unit == "B" || size >= 100 {
                format!("{} {unit}", count(size))
            } else {
                format!("{size}.{tenths} {unit}")
            };
        }
        tenths = size % 1024 * 10 / 1024;
        size /= 1024;
    }
    count(bytes)
}

/// At most two units: `7 ms`, `6.1 s`, `41 s`, `2 m 09 s`, `9 h 33 m`, `2 d 3 h`. A negative
/// duration is shown as zero.
pub(crate) fn duration(duration: TimeDelta) -> String {
    let millis = duration.num_milliseconds().max(0);
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if millis < 1000 => format!("{millis} ms"),
        () if seconds < 10 => format!("{seconds}.{} s", millis % 1000 / 100),
        () if minutes < 1 => format!("{seconds} s"),
        () if hours < 1 => format!("{minutes} m {:02} s", seconds % 60),
        () if days < 1 => format!("{hours} h {:02} m", minutes % 60),
        () => format!("{days} d {} h", hours % 24),
    }
}

/// A short duration: `840 us`, or as [`duration`].
pub(crate) fn micros(micros: u64) -> String {
    if micros < 1000 {
        return format!("{micros} us");
    }
    duration(TimeDelta::microseconds(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// A whole span: `1 minute`, `15 minutes`.
pub(crate) fn span(duration: TimeDelta) -> String {
    let seconds = duration.num_seconds().max(0).unsigned_abs();
    for (unit, noun) in [(86_400, "day"), (3600, "hour"), (60, "minute")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return counted(seconds / unit, noun);
        }
    }
    counted(seconds, "second")
}

/// `14:06`, with the day if it is not today.
pub(crate) fn minute(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let is_today = time.date_naive() == now.date_naive();
    time.format(if is_today { "%H:%M" } else { "%b %-d %H:%M" }).to_string()
}

/// `14:06:20`, with the day if it is not today, and the year if it is not this year.
pub(crate) fn time(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let format = if time.date_naive() == now.date_naive() {
        "%H:%M:%S"
    } else if time.year() == now.year() {
        "%b %-d %H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    time.format(format).to_string()
}

/// `2026-11-28 14:06:20.004 UTC`.
pub(crate) fn exact(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// For the attribute `datetime`, and for queries of the API.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// `25 m 48 s ago`, or `in 5 s`.
pub(crate) fn ago(time: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let passed = now - time;
    if passed < TimeDelta::zero() {
        format!("in {}", duration(-passed))
    } else {
        format!("{} ago", duration(passed))
    }
}

/// At most this many characters, with an ellipsis if there are more.
pub(crate) fn cut(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_separators() {
        let counts = [0, 999, 1000, 48_912, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "48,912", "1,234,567"]);
        assert_eq!([counted(1, "row"), counted(0, "row")], ["1 row", "0 rows"]);
    }

    #[test]
    fn sizes_have_one_decimal_below_a_hundred() {
        let sizes = [0, 1023, 1024, 18_637, 120_000, 3 << 30, u64::MAX].map(bytes);
        let wanted = ["0 B", "1,023 B", "1.0 KB", "18.2 KB", "117 KB", "3.0 GB", "16,777,215 TB"];
        assert_eq!(sizes, wanted);
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let of = |millis| duration(TimeDelta::milliseconds(millis));
        let durations = [-5, 7, 6_100, 41_000, 129_000, 34_380_000, 183_600_000].map(of);
        assert_eq!(durations, ["0 ms", "7 ms", "6.1 s", "41 s", "2 m 09 s", "9 h 33 m", "2 d 3 h"]);
    }

    #[test]
    fn times_name_the_day_if_it_is_another_one() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let now = at("2026-11-28T14:32:08Z");
        let shown = ["2026-11-28T14:06:20Z", "2026-11-27T14:06:20Z", "2025-11-27T14:06:20Z"]
            .map(|text| time(at(text), now));
        assert_eq!(shown, ["14:06:20", "Nov 27 14:06", "2025-11-27 14:06"]);
        assert_eq!(ago(at("2026-11-28T14:06:20Z"), now), "25 m 48 s ago");
        assert_eq!(ago(at("2026-11-28T14:32:13Z"), now), "in 5.0 s");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(cut("h\u{e9}llo", 2), "h\u{e9}\u{2026}");
        assert_eq!(cut("h\u{e9}llo", 5), "h\u{e9}llo");
    }
}
