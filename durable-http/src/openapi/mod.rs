//! The `OpenAPI` description of a dialect, made from its table of routes.
//!
//! A route and its description are one entry of the table, so neither exists without the other. The
//! described parameters are those that the route accepts. Only the schemas are written separately,
//! in `components.json`; the tests check every answer against them.

mod document;

pub(crate) use document::document;

use crate::problem::{Code, Problem};
use crate::query::Query;

/// The description of a route for clients.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operation {
    /// Its name, from which generators of clients make the name of a function.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    /// Keys of query parameters in the components. The name of a parameter is the part of its key
    /// after the last `.`.
    pub(crate) query: &'static [&'static str],
    /// Headers that it reads.
    pub(crate) headers: &'static [&'static str],
    pub(crate) body: Body,
    pub(crate) answers: &'static [Answer],
    /// The errors besides those that every route has.
    pub(crate) errors: &'static [Code],
}

/// Status, body, description and headers of an answer.
pub(crate) type Answer = (u16, Content, &'static str, &'static [&'static str]);

/// The body of an answer; a text is the name of a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content {
    Nothing,
    Json(&'static str),
    /// Server-sent events, whose `data` is JSON of this schema.
    Events(&'static str),
}

/// The body of a request; a text is the name of a schema.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Body {
    Nothing,
    Optional(&'static str),
    Required(&'static str),
}

impl Operation {
    pub(crate) const NEW: Self = Self {
        id: "",
        summary: "",
        query: &[],
        headers: &[],
        body: Body::Nothing,
        answers: &[],
        errors: &[],
    };

    /// Refuses parameters that the operation does not have. Every operation has the key, `code`.
    pub(crate) fn check(&self, query: &Query) -> Result<(), Problem> {
        let is_known = |given: &&str| {
            given.eq_ignore_ascii_case("code") || self.query.iter().any(|key| name(key) == *given)
        };
        let Some(unknown) = query.names().find(|given| !is_known(given)) else { return Ok(()) };
        let known: Vec<_> = self.query.iter().map(|key| name(key)).collect();
        Err(Problem::invalid(format!(
            "`{}` is not a parameter here; parameters are {}",
            unknown.escape_debug(),
            if known.is_empty() { "none".to_owned() } else { known.join(", ") }
        )))
    }
}

/// The name of the parameter with this key.
fn name(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}
