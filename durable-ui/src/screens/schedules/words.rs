//! A recurrence in words, as far as it has a short name.

use crate::format;

use super::Recurrence;

const DAYS: [&str; 7] =
    ["Sundays", "Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays"];

/// Such as `Every 5 minutes`, `Daily at 03:00`; times are UTC. `None` for a pattern without a short
/// name.
pub(super) fn in_words(recurrence: &Recurrence) -> Option<String> {
    match recurrence {
        Recurrence::EverySeconds(seconds) => Some(every(*seconds)),
        Recurrence::Cron(pattern) => of_pattern(pattern.trim()),
    }
}

fn every(seconds: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole"
    )]
    let whole = seconds.max(0.0) as u64;
    if seconds.fract() != 0.0 {
        return format!("Every {seconds} seconds");
    }
    for (unit, noun) in [(86_400, "day"), (3600, "hour"), (60, "minute")] {
        if whole > 0 && whole.is_multiple_of(unit) {
            return each(whole / unit, noun);
        }
    }
    each(whole, "second")
}

fn each(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("Every {noun}")
    } else {
        format!("Every {}", format::counted(number, noun))
    }
}

fn of_pattern(pattern: &str) -> Option<String> {
    let pattern = match pattern {
        "@hourly" => "0 * * * *",
        "@daily" | "@midnight" => "0 0 * * *",
        "@weekly" => "0 0 * * 0",
        "@monthly" => "0 0 1 * *",
        "@yearly" | "@annually" => return Some("January 1 at 00:00".to_owned()),
        other => other,
    };
    let fields: Vec<_> = pattern.split_whitespace().collect();
    let fields = match fields.as_slice() {
        [second, "*", "*", "*", "*", "*"] => return step(second, "second"),
        ["0", rest @ ..] if rest.len() == 5 => rest,
        rest => rest,
    };
    match *fields {
        [minute, "*", "*", "*", "*"] => match step(minute, "minute") {
            Some(words) => Some(words),
            None => Some(format!("Every hour at minute {}", number(minute, 59)?)),
        },
        ["0", hour, "*", "*", "*"] if hour.contains('/') => step(hour, "hour"),
        [minute, hour, "*", "*", day] => {
            Some(format!("{} at {}", weekdays(day)?, at(minute, hour)?))
        }
        [minute, hour, "L", "*", "*"] => {
            Some(format!("Last day of the month at {}", at(minute, hour)?))
        }
        [minute, hour, day, "*", "*"] => {
            Some(format!("Day {} of the month at {}", number(day, 31)?, at(minute, hour)?))
        }
        _ => None,
    }
}

fn step(field: &str, noun: &str) -> Option<String> {
    if field == "*" {
        return Some(each(1, noun));
    }
    Some(each(field.strip_prefix("*/")?.parse().ok()?, noun))
}

fn weekdays(field: &str) -> Option<String> {
    let all = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
    let upper = field.to_ascii_uppercase();
    match upper.as_str() {
        "*" => return Some("Daily".to_owned()),
        "1-5" | "MON-FRI" => return Some("Weekdays".to_owned()),
        _ => {}
    }
    let days: Option<Vec<_>> = upper
        .split(',')
        .map(|day| {
            let index = all.iter().position(|name| *name == day);
            index.or_else(|| Some(usize::try_from(number(day, 7)?).ok()? % 7)).map(|it| DAYS[it])
        })
        .collect();
    Some(days?.join(", "))
}

fn at(minute: &str, hour: &str) -> Option<String> {
    Some(format!("{:02}:{:02}", number(hour, 23)?, number(minute, 59)?))
}

fn number(field: &str, max: u32) -> Option<u32> {
    field.parse().ok().filter(|number| *number <= max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_recurrences_have_words_and_others_have_none() {
        let every = [1.0, 5.0, 60.0, 300.0, 5400.0, 86_400.0, 0.5];
        let every = every.map(|it| in_words(&Recurrence::EverySeconds(it)).unwrap());
        let wanted = [
            "Every second",
            "Every 5 seconds",
            "Every minute",
            "Every 5 minutes",
            "Every 90 minutes",
            "Every day",
            "Every 0.5 seconds",
        ];
        assert_eq!(every, wanted);
        for (pattern, words) in [
            ("* * * * *", "Every minute"),
            ("*/10 * * * *", "Every 10 minutes"),
            ("*/10 * * * * *", "Every 10 seconds"),
            ("5 * * * *", "Every hour at minute 5"),
            ("0 */6 * * *", "Every 6 hours"),
            ("0 3 * * *", "Daily at 03:00"),
            ("0 30 8 * * MON-FRI", "Weekdays at 08:30"),
            ("0 18 * * 7", "Sundays at 18:00"),
            ("0 18 * * mon,4", "Mondays, Thursdays at 18:00"),
            ("5 0 1 * *", "Day 1 of the month at 00:05"),
            ("0 0 L * *", "Last day of the month at 00:00"),
            ("@weekly", "Sundays at 00:00"),
        ] {
            assert_eq!(of_pattern(pattern).as_deref(), Some(words), "{pattern}");
        }
        for pattern in ["0 8-20 * * *", "0 0 * JAN MON#2", "15W * * * *", "", "x"] {
            assert_eq!(of_pattern(pattern), None, "{pattern}");
        }
    }
}
