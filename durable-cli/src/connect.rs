//! How a command finds its hub: by address, by folder, by profile, or in this program.

use std::path::Path;

use durable::TaskHub;
use durable::client::{OpenError, TaskHubBuilder};
use durable::store::StoreError;
use durable_http::client::Client;
use durable_http::{HttpOptions, Role};

use crate::args::Global;
use crate::config;
use crate::error::CliError;
use crate::frozen::Frozen;
use crate::session::{Io, Opened};

/// The address at which a server listens by default.
pub(crate) const DEFAULT_HUB: &str = "http://127.0.0.1:7071";

/// The socket in a folder through which a process serves its hub. Only the user who runs the
/// process can connect to the socket, so it needs no key.
const SOCKET: &str = "hub.sock";

/// The key of routes that only this process can reach.
const READ_KEY: &str = "read";

/// The functions that this program can run.
pub(crate) enum Code {
    None,
    Linked(Box<TaskHubBuilder>),
    /// The caller has already created a client.
    Client(Client),
}

pub(crate) struct Connected {
    pub(crate) client: Client,
    pub(crate) opened: Option<Opened>,
}

impl Connected {
    fn to(client: Client) -> Self {
        Self { client, opened: None }
    }

    fn opened(hub: TaskHub) -> Self {
        let options = HttpOptions::new().max_scans_per_second(u32::MAX);
        let client = Client::in_process(durable_http::router(&hub, options));
        Self { client, opened: Some(Opened { hub, is_read_only: false }) }
    }

    /// Connects to a hub through routes that refuse changes, because the key may only read.
    fn read_only(hub: TaskHub) -> Result<Self, CliError> {
        let options = HttpOptions::new().max_scans_per_second(u32::MAX).key(Role::Read, READ_KEY);
        let client = Client::in_process(durable_http::router(&hub, options)).with_key(READ_KEY)?;
        Ok(Self { client, opened: Some(Opened { hub, is_read_only: true }) })
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.opened.as_ref().is_some_and(|opened| opened.is_read_only)
    }

    pub(crate) async fn close(self) -> Result<(), CliError> {
        let Some(Opened { hub, .. }) = self.opened else { return Ok(()) };
        hub.shutdown().await.map_err(|error| CliError::Failed(crate::error::chain(&error)))
    }
}

/// Connects to the first of these that is given: `--hub`, `--path`, `--profile`, `DURABLE_HUB`,
/// `DURABLE_PROFILE`, the hub of this program, and the default address.
pub(crate) async fn connect(
    global: &Global,
    code: Code,
    io: &mut Io,
) -> Result<Connected, CliError> {
    if let Some(place) = &global.hub {
        return at(place, None, io).map(Connected::to);
    }
    if let Some(path) = &global.path {
        return folder(path, io).await;
    }
    if let Some(name) = &global.profile {
        return profile(name, io).await;
    }
    if let Code::Client(client) = code {
        return Ok(Connected::to(client));
    }
    if let Some(place) = io.variable("DURABLE_HUB") {
        return at(place, None, io).map(Connected::to);
    }
    if let Some(name) = io.variable("DURABLE_PROFILE").map(str::to_owned) {
        return profile(&name, io).await;
    }
    match code {
        Code::Linked(builder) => linked(*builder, io).await,
        Code::None | Code::Client(_) => at(DEFAULT_HUB, None, io).map(Connected::to),
    }
}

/// Which hub [`connect`] chooses, and why.
pub(crate) fn target(global: &Global, code: &Code, io: &Io) -> String {
    if let Some(place) = &global.hub {
        return format!("{place} (`--hub`)");
    }
    if let Some(path) = &global.path {
        return format!("the folder {} (`--path`)", path.display());
    }
    if let Some(name) = &global.profile {
        return format!("the profile {name} (`--profile`)");
    }
    if let Code::Client(client) = code {
        return client.place().to_owned();
    }
    if let Some(place) = io.variable("DURABLE_HUB") {
        return format!("{place} (`DURABLE_HUB`)");
    }
    if let Some(name) = io.variable("DURABLE_PROFILE") {
        return format!("the profile {name} (`DURABLE_PROFILE`)");
    }
    match code {
        Code::Linked(_) => "the hub of this program".to_owned(),
        Code::None | Code::Client(_) => format!("{DEFAULT_HUB} (the default)"),
    }
}

fn at(place: &str, key: Option<&str>, io: &Io) -> Result<Client, CliError> {
    let client = Client::connect(place)?;
    match key.or_else(|| io.variable("DURABLE_KEY")) {
        Some(key) => Ok(client.with_key(key)?),
        None => Ok(client),
    }
}

async fn profile(name: &str, io: &mut Io) -> Result<Connected, CliError> {
    let config::Profile { hub, path, key } = config::profile(name, io)?;
    match (hub, path) {
        (Some(place), _) => at(&place, key.as_deref(), io).map(Connected::to),
        (None, Some(path)) => folder(Path::new(&path), io).await,
        (None, None) => {
            Err(CliError::Usage(format!("the profile `{name}` has neither `hub` nor `path`")))
        }
    }
}

/// Connects to the hub of this program, or to the process that has its folder open.
async fn linked(builder: TaskHubBuilder, io: &Io) -> Result<Connected, CliError> {
    match builder.open().await {
        Ok(hub) => Ok(Connected::opened(hub)),
        Err(OpenError::InUse { path, owner }) => served(&path, owner, io).map(Connected::to),
        Err(error) => Err(CliError::Open(Box::new(error))),
    }
}

/// Connects to the process that has the folder open, or opens the folder for reading.
async fn folder(path: &Path, io: &mut Io) -> Result<Connected, CliError> {
    if !path.is_dir() {
        return Err(CliError::NotFound(format!("there is no folder `{}`", path.display())));
    }
    let store = match Frozen::open(path) {
        Ok(store) => store,
        Err(StoreError::InUse { owner, .. }) => {
            return served(path, owner, io).map(Connected::to);
        }
        Err(error) => return Err(CliError::Open(Box::new(error))),
    };
    for damage in store.damage() {
        io.tell(&format!("warning: {}\n", crate::error::chain(damage)));
    }
    let hub = TaskHub::builder().store(store).only_registered().open().await;
    Connected::read_only(hub.map_err(|error| CliError::Open(Box::new(error)))?)
}

/// Connects to the process that has a folder open, if it serves the folder's hub.
fn served(path: &Path, owner: Option<u32>, io: &Io) -> Result<Client, CliError> {
    if let Some(place) = socket(path) {
        return at(&place, None, io);
    }
    let owner = owner.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"));
    let folder = path.display();
    Err(CliError::Unreachable(format!(
        "`{folder}` is open in {owner}, and has no socket `{SOCKET}`; give the address that the process \
         serves, such as `--hub {DEFAULT_HUB}`, or let it listen on `unix:{folder}/{SOCKET}`"
    )))
}

/// The address of the socket in a folder, if there is one.
pub(crate) fn socket(folder: &Path) -> Option<String> {
    let socket = folder.join(SOCKET);
    socket.exists().then(|| format!("unix:{}", socket.display()))
}
