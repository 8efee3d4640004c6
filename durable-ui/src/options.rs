//! The configuration of the dashboard.

use durable_http::HttpOptions;

/// How the dashboard is served, and to whom.
///
/// ```
/// use durable_http::{HttpOptions, Role};
/// use durable_ui::UiOptions;
///
/// let http = HttpOptions::new().key(Role::Operate, "the key of the team");
/// let options = UiOptions::new().http(http).name("shop");
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to `router`"]
pub struct UiOptions {
    pub(crate) http: HttpOptions,
    pub(crate) name: Option<String>,
    pub(crate) is_read_only: bool,
}

impl UiOptions {
    /// No keys, loopback hosts only, actions allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// The keys, allowed hosts and limits, as for [`durable_http::router`]. They do not apply to a
    /// [`remote`](crate::remote) hub, which has its own.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.http = options;
        self
    }

    /// The name beside the logo and in the titles of pages; by default the name of the task hub.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Whether the dashboard only shows. Then it refuses every change, also with a key that
    /// permits it, and its pages have no actions. By default it depends on the key.
    pub fn read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }
}
