//! A request for a page, and what every page needs to know about it.

use std::path::PathBuf;

use axum::extract::OriginalUri;
use axum::http::HeaderMap;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use chrono::{DateTime, Utc};

use crate::api::{Api, Failure, model};
use crate::app::App;
use crate::links::Links;
use crate::query::{Query, decode};

/// The cookie with the key of the API.
pub(crate) const KEY_COOKIE: &str = "durable_key";

/// A request, before its access is known.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) app: App,
    pub(crate) links: Links,
    /// The decoded segments of the path below the prefix; none for the overview.
    pub(crate) path: Vec<String>,
    pub(crate) query: Query,
    pub(crate) theme: Option<Theme>,
    pub(crate) key: Option<String>,
    pub(crate) api: Api,
}

/// A request whose access has been checked.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) path: Vec<String>,
    pub(crate) query: Query,
    pub(crate) api: Api,
    pub(crate) view: View,
}

/// What a screen needs besides its model.
#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) links: Links,
    pub(crate) theme: Option<Theme>,
    /// The name of the hub.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) access: Access,
    /// The time of the hub.
    pub(crate) now: DateTime<Utc>,
    /// Whether there is a key to forget.
    pub(crate) has_key: bool,
    /// The address of a trace, with `{trace_id}` in place of its id.
    pub(crate) trace_url: Option<String>,
    /// The folder of the program's source.
    pub(crate) source_root: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Theme {
    Light,
    Dark,
}

/// What the reader may do. Actions that are not allowed are left out of pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Access {
    Read,
    Operate,
    Admin,
}

impl View {
    /// The page of a trace, if there is one.
    pub(crate) fn trace_link(&self, trace_id: &str) -> Option<String> {
        self.trace_url.as_ref().map(|url| url.replace("{trace_id}", trace_id))
    }
}

impl Access {
    pub(crate) fn may_operate(self) -> bool {
        self >= Self::Operate
    }

    pub(crate) fn may_delete(self) -> bool {
        self == Self::Admin
    }
}

impl Theme {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl Asked {
    pub(crate) fn new(app: App, parts: &Parts) -> Self {
        let links = Links::new(prefix(parts));
        let segments = parts.uri.path().split('/').filter(|it| !it.is_empty());
        let key = cookie(&parts.headers, KEY_COOKIE).map(|key| decode(&key));
        let theme = match cookie(&parts.headers, "theme").as_deref() {
            Some("dark") => Some(Theme::Dark),
            Some("light") => Some(Theme::Light),
            _ => None,
        };
        Self {
            links,
            path: segments.map(decode).collect(),
            query: Query::parse(parts.uri.query()),
            theme,
            api: Api::new(app.api(), parts, key.as_deref()),
            key,
            app,
        }
    }

    /// Asks the API for the access of the request's key.
    ///
    /// # Errors
    /// If the key is missing or unknown, or the host is not allowed.
    pub(crate) async fn admitted(self) -> Result<Call, (View, Failure)> {
        let granted: Result<model::Granted, _> = self.api.get("access", &Query::default()).await;
        let mut view = self.view();
        match granted {
            Ok(granted) => {
                let options = self.app.options();
                view.name = options.name.clone().unwrap_or(granted.task_hub_name);
                view.version = granted.version;
                view.now = granted.now;
                view.access = match granted.role.as_str() {
                    _ if options.is_read_only => Access::Read,
                    "admin" => Access::Admin,
                    "operate" => Access::Operate,
                    _ => Access::Read,
                };
                let Self { path, query, api, .. } = self;
                Ok(Call { path, query, api, view })
            }
            Err(failure) => Err((view, failure)),
        }
    }

    /// A view that contains only what is known without the API.
    fn view(&self) -> View {
        View {
            links: self.links.clone(),
            theme: self.theme,
            name: self.app.options().name.clone().unwrap_or_default(),
            version: String::new(),
            access: Access::Read,
            now: DateTime::UNIX_EPOCH,
            has_key: self.key.is_some(),
            trace_url: self.app.options().trace_url.clone(),
            source_root: self.app.options().source_root.clone(),
        }
    }
}

impl Call {
    /// The region of the page that the client wants to replace; `None` for a whole page.
    pub(crate) fn fragment(&self) -> Option<&str> {
        self.query.get("fragment")
    }

    /// The number in the query, or `default`.
    ///
    /// # Errors
    /// If the parameter is not a number.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, Failure> {
        let Some(text) = self.query.get(name) else { return Ok(default) };
        let invalid = |_| Failure::invalid(format!("`{name}` is `{text}`; give a number"));
        text.parse().map_err(invalid)
    }
}

/// The part of the path at which the app mounts the dashboard.
fn prefix(parts: &Parts) -> &str {
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |uri| &uri.0);
    let prefix = uri.path().strip_suffix(parts.uri.path()).unwrap_or_else(|| {
        // Nested without a slash at the end: the inner path is `/`, the outer one has none.
        if parts.uri.path() == "/" { uri.path() } else { "" }
    });
    prefix.trim_end_matches('/')
}

fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|it| it.split_once('='));
    let (_, value) = pairs.find(|(given, _)| given.trim() == name)?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}
