//! Strict reading of a request's parameters: an unknown or invalid parameter is an error.

use std::time::Duration;

use chrono::{DateTime, Utc};
use durable::RuntimeStatus;
use durable::client::PageToken;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::problem::Problem;
use crate::time;

const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

impl Call {
    pub(super) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, Problem> {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        let invalid = || not(name, text, "a date and time such as 2026-01-02T03:04:05Z");
        time::parse(text).map(Some).ok_or_else(invalid)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<usize>, Problem> {
        let Some(text) = self.query.get(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| not(name, text, "a number"))
    }

    pub(super) fn boolean(&self, name: &str) -> Result<bool, Problem> {
        let Some(text) = self.query.get(name) else { return Ok(false) };
        self.query.flag(name).ok_or_else(|| not(name, text, "true or false"))
    }

    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.number("limit")? {
            Some(0) => Err(not("limit", "0", "at least 1")),
            Some(limit) => Ok(limit.min(LIMIT_MAX)),
            None => Ok(LIMIT),
        }
    }

    pub(super) fn max_scanned(&self) -> Result<Option<usize>, Problem> {
        match self.number("maxScanned")? {
            Some(0) => Err(not("maxScanned", "0", "at least 1")),
            most => Ok(most),
        }
    }

    pub(super) fn after(&self) -> Result<Option<PageToken>, Problem> {
        let Some(text) = self.query.get("after") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| not("after", text, "the `next` of an answer"))
    }

    pub(super) fn statuses(&self) -> Result<Vec<RuntimeStatus>, Problem> {
        let status = |text: &str| {
            let status = serde_json::from_value(text.into());
            status.map_err(|_| {
                let statuses = "Pending, Running, Suspended, Completed, Failed or Terminated";
                not("status", text, statuses)
            })
        };
        self.query.list("status").map(status).collect()
    }

    /// How long the client wants to wait: `Prefer: wait=30` (RFC 7240).
    pub(super) fn preferred_wait(&self) -> Option<Duration> {
        let preferences = self.header("prefer")?.split([',', ';']).map(str::trim);
        let mut waits = preferences.filter_map(|preference| preference.strip_prefix("wait="));
        waits.next()?.trim_matches('"').parse().ok().map(Duration::from_secs)
    }

    /// The body as a `T`; an empty body is `{}`.
    pub(super) fn body_as<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let text = self.text()?.trim();
        let text = if text.is_empty() { "{}" } else { text };
        serde_json::from_str(text).map_err(|error| Problem::invalid(format!("the body: {error}")))
    }
}

fn not(name: &str, text: &str, wanted: &str) -> Problem {
    let text = text.escape_debug();
    Problem::invalid(format!("`{name}` is `{text}`; give {wanted}"))
}
