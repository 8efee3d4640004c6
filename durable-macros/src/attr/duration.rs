//! Durations in options: `"30s"`, `"1.5h"`, `"1h30m"`.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

/// The units with their length in nanoseconds.
const UNITS: [(&str, u128); 5] = [
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
/// The maximum number of decimals that are read.
const DECIMALS_MAX: u32 = 9;

/// The ways in which a duration can be wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    NotATime,
    NoUnit,
    UnknownUnit(String),
    Zero,
    TooLong,
}

/// Reads a duration: numbers with or without decimals, each followed by a unit.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let mut nanoseconds = 0_u128;
    let mut rest = text;
    while !rest.is_empty() {
        let number = leading(rest, |it| it.is_ascii_digit() || it == '.');
        rest = &rest[number.len()..];
        let unit = leading(rest, |it| !(it.is_ascii_digit() || it == '.'));
        rest = &rest[unit.len()..];
        let part = part(number, unit)?;
        nanoseconds = nanoseconds.checked_add(part).ok_or(Wrong::TooLong)?;
    }
    if nanoseconds == 0 {
        return Err(if text.is_empty() { Wrong::NotATime } else { Wrong::Zero });
    }
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).map_err(|_| Wrong::TooLong)?;
    let below = u32::try_from(nanoseconds % 1_000_000_000).map_err(|_| Wrong::TooLong)?;
    Ok(Duration::new(seconds, below))
}

/// The part of `text` before the first character that is not `wanted`.
fn leading(text: &str, wanted: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|it| !wanted(it)).unwrap_or(text.len())]
}

/// One number with a unit, in nanoseconds.
fn part(number: &str, unit: &str) -> Result<u128, Wrong> {
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) {
        return Err(Wrong::NotATime);
    }
    if unit.is_empty() {
        return Err(Wrong::NoUnit);
    }
    let Some((_, length)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(Wrong::UnknownUnit(unit.trim().to_owned()));
    };
    let whole: u64 = whole.parse().map_err(|_| Wrong::TooLong)?;
    let mut nanoseconds = u128::from(whole) * length;
    let mut place = *length;
    for digit in decimals.bytes().take(DECIMALS_MAX as usize) {
        place /= 10;
        nanoseconds += u128::from(digit - b'0') * place;
    }
    Ok(nanoseconds)
}

/// A duration in generated code.
pub(super) fn time(duration: Duration) -> TokenStream {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanoseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let cases = [
            ("500ms", 500),
            ("30s", 30_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            ("1.5s", 1_500),
            ("0.25h", 900_000),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("0m30s", 30_000),
        ];
        for (text, milliseconds) in cases {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        assert_eq!(parse("0.000001ms"), Ok(Duration::from_nanos(1)));
    }

    #[test]
    fn an_invalid_duration_is_named() {
        let unknown = |unit: &str| Wrong::UnknownUnit(unit.to_owned());
        let cases = [
            ("", Wrong::NotATime),
            ("soon", Wrong::NotATime),
            ("s", Wrong::NotATime),
            ("-5s", Wrong::NotATime),
            ("1.s", Wrong::NotATime),
            (".5s", Wrong::NotATime),
            ("1.2.3s", Wrong::NotATime),
            ("30", Wrong::NoUnit),
            ("1h30", Wrong::NoUnit),
            ("30sec", unknown("sec")),
            ("30 seconds", unknown("seconds")),
            ("30S", unknown("S")),
            ("0s", Wrong::Zero),
            ("0.0000000001s", Wrong::Zero),
            ("99999999999999999999s", Wrong::TooLong),
            ("18446744073709551615d", Wrong::TooLong),
        ];
        for (text, wrong) in cases {
            assert_eq!(parse(text), Err(wrong), "{text}");
        }
    }
}
