//! The header field `Retry-After`.

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::response::HttpResponse;

impl HttpResponse {
    /// Returns the wait that the header field `Retry-After` requests: its number of seconds, or the
    /// time from `now` until its date. A date in the past is a wait of zero. `None` if the response
    /// has no valid `Retry-After`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use durable::http::HttpResponse;
    ///
    /// let now = "2026-01-02T03:04:00Z".parse()?;
    /// let busy = HttpResponse::new(503).with_header("Retry-After", "120");
    /// assert_eq!(busy.retry_after(now), Some(Duration::from_secs(120)));
    /// let busy = HttpResponse::new(503).with_header("Retry-After", "Fri, 02 Jan 2026 03:05:00 GMT");
    /// assert_eq!(busy.retry_after(now), Some(Duration::from_secs(60)));
    /// # Ok::<(), chrono::ParseError>(())
    /// ```
    pub fn retry_after(&self, now: DateTime<Utc>) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let until = http_date(value)?;
        Some((until - now).to_std().unwrap_or_default())
    }
}

/// A date in one of the three forms of RFC 9110, section 5.6.7.
fn http_date(value: &str) -> Option<DateTime<Utc>> {
    let forms = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let mut dates = forms.iter().map(|form| NaiveDateTime::parse_from_str(value, form));
    dates.find_map(Result::ok).map(|date| date.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_in_any_form_of_http() {
        let now = "1994-11-06T08:49:00Z".parse().unwrap();
        let wait = |value: &str| {
            let response = HttpResponse::new(503).with_header("retry-after", value);
            response.retry_after(now).map(|wait| wait.as_secs())
        };
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait(" 0 "), Some(0));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(37));
        assert_eq!(wait("Sunday, 06-Nov-94 08:49:37 GMT"), Some(37));
        assert_eq!(wait("Sun Nov  6 08:49:37 1994"), Some(37));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0), "a date in the past");
        for invalid in ["", "-5", "1.5", "soon", "Sun, 06 Nov 1994"] {
            assert_eq!(wait(invalid), None, "{invalid}");
        }
        assert_eq!(wait("99999999999999999999999"), Some(u64::MAX));
        assert_eq!(HttpResponse::new(503).retry_after(now), None);
    }
}
