//! Cron patterns: validation, and the times that a pattern matches.
//!
//! Pure functions of pattern and time, because the schedule orchestrator calls them.

use chrono::{DateTime, Timelike, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// The fields of a pattern, with seconds first if there are six.
const FIELDS: [&str; 6] = ["second", "minute", "hour", "day of month", "month", "day of week"];

/// Explains what is wrong with an invalid pattern.
pub(super) fn check(pattern: &str) -> Result<(), String> {
    let fields: Vec<&str> = pattern.split_whitespace().collect();
    let is_nickname = pattern.trim_start().starts_with('@');
    if !is_nickname && !matches!(fields.len(), 5 | 6) {
        let found = match fields.len() {
            1 => "1 field".to_owned(),
            count => format!("{count} fields"),
        };
        return Err(format!(
            "it has {found}; write 5 of them (minute, hour, day of month, month, day of week), or 6 \
             with the second in front"
        ));
    }
    let cron = parse(pattern).map_err(|error| {
        if is_nickname {
            return "there is no such name; there are `@yearly`, `@monthly`, `@weekly`, `@daily` and \
                    `@hourly`"
                .to_owned();
        }
        wrong_field(&fields).unwrap_or(error)
    })?;
    match cron.find_next_occurrence(&DateTime::UNIX_EPOCH, true) {
        Ok(_) => Ok(()),
        Err(_) => Err("there is no such day in any year".to_owned()),
    }
}

/// The first time at `from` or later.
pub(super) fn next(pattern: &str, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
    // The parser works on whole seconds; a second that has already begun does not count.
    let inclusive = from.nanosecond() == 0;
    parse(pattern).ok()?.find_next_occurrence(&from, inclusive).ok()
}

/// The last time at `until` or earlier.
pub(super) fn last(pattern: &str, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let until = until.with_nanosecond(0)?;
    parse(pattern).ok()?.find_previous_occurrence(&until, true).ok()
}

fn parse(pattern: &str) -> Result<Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(pattern).map_err(|error| error.to_string())
}

/// The invalid field. The parser does not name it, so each field is tried with all others as `*`.
fn wrong_field(fields: &[&str]) -> Option<String> {
    let names = &FIELDS[FIELDS.len().checked_sub(fields.len())?..];
    fields.iter().zip(names).enumerate().find_map(|(place, (field, name))| {
        let mut stars = vec!["*"; fields.len()];
        stars[place] = *field;
        let error = parse(&stars.join(" ")).err()?;
        let reason = error.trim_start_matches("Component error: ").trim_end_matches('.');
        Some(format!("the {name} cannot be `{field}`: {reason}"))
    })
}
