//! A PostgreSQL server of the tests' own, started from the binaries that are installed.

#![expect(clippy::disallowed_methods, reason = "this waits for a server to start")]
#![allow(dead_code, reason = "no program of tests uses all of it")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use durable::store::Store;
use durable::testing::conformance::StoreUnderTest;
use durable_postgres::{PostgresOptions, PostgresStore};
use tempfile::TempDir;

/// A server with a folder of its own. It is stopped when this value is dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Removed with this value.
    folder: TempDir,
    binaries: PathBuf,
    port: u16,
    server: Mutex<Option<Child>>,
}

impl Cluster {
    /// Makes a new cluster and starts its server.
    pub(crate) fn start() -> Self {
        let binaries = binaries();
        let folder = tempfile::tempdir().expect("a temporary folder");
        // The server refuses to run as root, and its user must reach the folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let data = folder.path().join("data");
        fs::create_dir(&data).expect("a folder");
        if let Some(user) = user() {
            chown(&data, Some(user), None).expect("a folder of the server's user");
        }
        let mut initdb = command(&binaries.join("initdb"));
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "--pgdata"]).arg(&data);
        let made = initdb.output().expect("initdb");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let server = Mutex::new(Some(serve(&binaries, &data, port)));
        let cluster = Self { folder, binaries, port, server };
        cluster.wait_until_ready();
        cluster
    }

    /// The URL of the database.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Stops the server, in a mode of `pg_ctl stop`, and starts it again.
    pub(crate) fn restart(&self, mode: &str) {
        let data = self.folder.path().join("data");
        let mut stop = command(&self.binaries.join("pg_ctl"));
        stop.args(["stop", "--wait", "--mode", mode, "--pgdata"]).arg(&data);
        let stopped = stop.output().expect("pg_ctl");
        assert!(stopped.status.success(), "{}", String::from_utf8_lossy(&stopped.stderr));
        self.end_server();
        let server = serve(&self.binaries, &data, self.port);
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        self.wait_until_ready();
    }

    /// Ends the server at once, if it runs.
    fn end_server(&self) {
        let server = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut server) = server {
            drop(server.stdin.take());
            drop(server.wait());
        }
    }

    fn wait_until_ready(&self) {
        let begun = Instant::now();
        loop {
            let mut ready = command(&self.binaries.join("pg_isready"));
            ready.args(["--quiet", "--host=127.0.0.1"]).arg(format!("--port={}", self.port));
            if ready.status().is_ok_and(|status| status.success()) {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "the server does not start: {self:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.end_server();
    }
}

/// The server that the tests of this program share.
pub(crate) fn shared() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(Cluster::start)
}

/// The options of a schema of its own in the shared server.
pub(crate) fn schema(name: &str) -> PostgresOptions {
    let options = PostgresOptions::new(shared().url()).expect("a URL");
    options.schema(name).expect("a name")
}

/// Connects, on a thread of its own because a test may run in an async runtime.
pub(crate) fn connect(options: PostgresOptions) -> PostgresStore {
    let connect = || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(PostgresStore::connect_with(options)).expect("a store")
    };
    std::thread::scope(|scope| scope.spawn(connect).join()).expect("a connection")
}

/// Runs a statement in the schema of a hub, as an operator would.
#[allow(dead_code, reason = "not every program of tests needs it")]
pub(crate) fn execute(options: &PostgresOptions, sql: &str) {
    let schema = schema_of(options);
    let mut psql = command(&shared().binaries.join("psql"));
    psql.arg("--quiet").arg("--dbname").arg(shared().url());
    psql.arg("--command").arg(format!("SET search_path = {schema}; {sql}"));
    let done = psql.output().expect("psql");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// The name of the schema of a hub.
pub(crate) fn schema_of(options: &PostgresOptions) -> String {
    let options = format!("{options:?}");
    let (_, rest) = options.split_once("schema: \"").expect("a schema");
    rest.split_once('"').expect("a schema").0.to_owned()
}

/// A schema that does not exist yet.
#[derive(Debug)]
#[allow(dead_code, reason = "not every program of tests needs it")]
pub(crate) struct Schema(String);

#[allow(dead_code, reason = "not every program of tests needs it")]
impl Schema {
    pub(crate) fn new() -> Self {
        Self(unique("hub"))
    }
}

impl StoreUnderTest for Schema {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(connect(schema(&self.0)))
    }
}

/// A name that no other test of this program uses.
pub(crate) fn unique(prefix: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Starts a server that stops, at once and without a checkpoint, when its standard input is closed:
/// also if this process is killed, or ends without dropping the [`Cluster`].
fn serve(binaries: &Path, data: &Path, port: u16) -> Child {
    let log = fs::File::create(data.join("../log")).expect("a file");
    let mut server = command(Path::new("/bin/sh"));
    server.args(["-c", "\"$@\" </dev/null & server=$!; cat; kill -QUIT $server; wait", "sh"]);
    server.arg(binaries.join("postgres"));
    server.arg("-D").arg(data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    for setting in ["unix_socket_directories=", "fsync=off", "max_connections=500"] {
        server.args(["-c", setting]);
    }
    server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres")
}

/// A command that runs as the server's user.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user() {
        command.uid(user).current_dir("/");
    }
    command
}

/// The user for the server if the tests run as root, which it refuses.
fn user() -> Option<u32> {
    let is_root =
        fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    if !is_root {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let id_of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    Some(id_of("postgres").or_else(|| id_of("nobody")).expect("a user other than root"))
}

/// The folder of `initdb` and `postgres`.
fn binaries() -> PathBuf {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    versions.sort_by_key(|path| {
        let version = path.parent().and_then(|version| version.file_name()?.to_str()?.parse().ok());
        version.unwrap_or(0_u32)
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = versions.into_iter().rev().chain(std::env::split_paths(&path));
    let mut found = found.filter(|folder| folder.join("initdb").exists());
    found.next().expect(
        "these tests start a PostgreSQL server: install its binaries, for example with \
         `apt-get install postgresql`",
    )
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("an address").port()
}
