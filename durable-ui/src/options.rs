//! The configuration of the dashboard.

use std::path::PathBuf;

use durable_http::HttpOptions;

/// The options of the dashboard: how it is served, and to whom.
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
    pub(crate) trace_url: Option<String>,
    pub(crate) source_root: Option<PathBuf>,
}

impl UiOptions {
    /// Creates options with the defaults: no keys, loopback hosts only, actions allowed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the keys, allowed hosts and limits, as for [`durable_http::router`]. They do not apply
    /// to a [`remote`](crate::remote) hub, which has its own.
    pub fn http(mut self, options: HttpOptions) -> Self {
        self.http = options;
        self
    }

    /// Sets the name beside the logo and in the titles of pages; by default the name of the task
    /// hub.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the address of traces, with `{trace_id}` in place of the id. The page of an instance
    /// that was started in a trace then links to that trace.
    ///
    /// ```
    /// use durable_ui::UiOptions;
    ///
    /// let options = UiOptions::new().trace_url("https://jaeger.example.com/trace/{trace_id}");
    /// ```
    pub fn trace_url(mut self, url: impl Into<String>) -> Self {
        self.trace_url = Some(url.into());
        self
    }

    /// Sets the folder of the program's source, to which the paths in histories are relative; for a
    /// program in a workspace, this is the root of the workspace. The tab "Source" of an instance
    /// then shows the lines at which it waits, with links that open them in the editor. Everybody
    /// who may read the hub can read these lines, so this is meant for development.
    ///
    /// ```
    /// use durable_ui::UiOptions;
    ///
    /// let options = UiOptions::new().source_root(env!("CARGO_MANIFEST_DIR"));
    /// ```
    pub fn source_root(mut self, folder: impl Into<PathBuf>) -> Self {
        self.source_root = Some(folder.into());
        self
    }

    /// Sets whether the dashboard is read-only: it then refuses every change, even with a key that
    /// permits it, and its pages have no actions. By default, the role of the key decides.
    pub fn read_only(mut self, is_read_only: bool) -> Self {
        self.is_read_only = is_read_only;
        self
    }
}
