//! A table of routes: which function answers which method and path.
//!
//! The tables are data, from which the description of the API is made as well.

use std::future::Future;
use std::pin::Pin;

use axum::http::Method;
use axum::response::Response;
use percent_encoding::percent_decode_str;

use crate::access::Role;
use crate::call::Call;
use crate::openapi::Operation;

/// The future that a handler returns.
pub(crate) type Answer<F> = Pin<Box<dyn Future<Output = Result<Response, F>> + Send>>;

#[derive(Debug)]
pub(crate) struct Route<F> {
    pub(crate) method: Method,
    /// Segments separated by `/`: a text, `{name}`, or `{name}:text`.
    pub(crate) template: &'static str,
    pub(crate) role: Role,
    /// Whether it may read many instances.
    pub(crate) is_scan: bool,
    /// Its description for clients. The dialect of Durable Functions is described elsewhere.
    pub(crate) operation: Option<Operation>,
    pub(crate) handler: fn(Call) -> Answer<F>,
}

impl<F> Route<F> {
    pub(crate) const fn new(
        method: Method,
        template: &'static str,
        role: Role,
        handler: fn(Call) -> Answer<F>,
    ) -> Self {
        Self { method, template, role, is_scan: false, operation: None, handler }
    }

    pub(crate) const fn scan(mut self) -> Self {
        self.is_scan = true;
        self
    }

    pub(crate) const fn described(mut self, operation: Operation) -> Self {
        self.operation = Some(operation);
        self
    }
}

/// The routes of a dialect. If two routes match a path, the first is taken.
#[derive(Debug)]
pub(crate) struct Table<F: 'static> {
    pub(crate) routes: &'static [&'static [Route<F>]],
    /// Whether texts in paths match without regard to case.
    pub(crate) ignores_case: bool,
    /// Whether the paths themselves prove that a request is allowed. Such routes need no key, and
    /// their paths are not logged.
    pub(crate) is_open: bool,
}

/// The values that a path has for the names of its template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The value of this name; empty if the template lacks it.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str())
    }
}

pub(crate) enum Found<F: 'static> {
    Route(&'static Route<F>, Params),
    /// The path exists, but only with these methods.
    Methods(Vec<&'static Method>),
    Nothing,
}

impl<F> Table<F> {
    /// Finds the route of a path below the base, as it is in the request.
    pub(crate) fn find(&'static self, method: &Method, path: &str) -> Found<F> {
        let path = path.trim_matches('/');
        let segments: Vec<_> = path.split('/').collect();
        let mut methods = Vec::new();
        for route in self.routes.iter().copied().flatten() {
            let Some(params) = self.fit(route.template, &segments) else { continue };
            if route.method == *method {
                return Found::Route(route, params);
            }
            methods.push(&route.method);
        }
        if methods.is_empty() { Found::Nothing } else { Found::Methods(methods) }
    }

    fn fit(&self, template: &'static str, segments: &[&str]) -> Option<Params> {
        let mut params = Vec::new();
        let mut given = segments.iter();
        for wanted in template.split('/') {
            let given = given.next()?;
            let Some((name, suffix)) = wanted.strip_prefix('{').and_then(|it| it.split_once('}'))
            else {
                if self.is_same(wanted, given) {
                    continue;
                }
                return None;
            };
            let split = given.len().checked_sub(suffix.len())?;
            let (value, end) = given.split_at_checked(split)?;
            if value.is_empty() || !self.is_same(suffix, end) {
                return None;
            }
            params.push((name, percent_decode_str(value).decode_utf8().ok()?.into_owned()));
        }
        given.next().is_none().then_some(Params(params))
    }

    fn is_same(&self, wanted: &str, given: &str) -> bool {
        if self.ignores_case { wanted.eq_ignore_ascii_case(given) } else { wanted == given }
    }
}

/// A handler that fits a table, from an `async fn`.
macro_rules! handler {
    ($function:path) => {
        |call| Box::pin($function(call))
    };
}
pub(crate) use handler;

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: Call) -> Answer<()> {
        Box::pin(std::future::ready(Err(())))
    }

    const ROUTES: &[Route<()>] = &[
        Route::new(Method::GET, "things", Role::Read, nothing),
        Route::new(Method::GET, "things/{id}", Role::Read, nothing),
        Route::new(Method::POST, "things/{id}:stop", Role::Operate, nothing),
        Route::new(Method::POST, "things/{id}/raise/{event}", Role::Operate, nothing),
    ];
    static TABLE: Table<()> = Table { routes: &[ROUTES], ignores_case: true, is_open: false };

    fn found(method: &Method, path: &str) -> String {
        match TABLE.find(method, path) {
            Found::Route(route, params) => format!("{} {:?}", route.template, params.0),
            Found::Methods(methods) => format!("{methods:?}"),
            Found::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn paths_match_templates_ignoring_case_and_outer_slashes() {
        let get = |path| found(&Method::GET, path);
        let post = |path| found(&Method::POST, path);
        assert_eq!(get("/THINGS/"), "things []");
        assert_eq!(get("things/a%20b+c"), r#"things/{id} [("id", "a b+c")]"#);
        assert_eq!(post("things/a:b:STOP"), r#"things/{id}:stop [("id", "a:b")]"#);
        assert_eq!(
            post("/things/a/Raise/x%2Fy/"),
            r#"things/{id}/raise/{event} [("id", "a"), ("event", "x/y")]"#
        );
        assert_eq!(post("things"), "[GET]");
        for path in ["", "thing", "things/a/b", "things//raise/e", "things/%FF", "things/:stop"] {
            assert_eq!(post(path).replace("[GET]", "nothing"), "nothing", "{path}");
        }
    }
}
