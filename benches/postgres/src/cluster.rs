//! A server of this program's own, with the settings of a new cluster: commits are synced to disk.

use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{fs, io};

use durable::{Error, Result};
use tempfile::TempDir;

/// A server that stops, without a checkpoint, when this is dropped or the process ends.
pub(crate) struct Cluster {
    _folder: TempDir,
    port: u16,
    server: Child,
}

impl Cluster {
    pub(crate) fn start() -> Result<Self> {
        let binaries = binaries()?;
        let folder = tempfile::tempdir()?;
        // The server refuses to run as root, and its user must reach the folder.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let data = folder.path().join("data");
        fs::create_dir(&data)?;
        if let Some(user) = user()? {
            chown(&data, Some(user), None)?;
        }
        let mut initdb = command(&binaries.join("initdb"))?;
        initdb.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]);
        let made = initdb.arg("--pgdata").arg(&data).output()?;
        if !made.status.success() {
            return Err(Error::msg(String::from_utf8_lossy(&made.stderr)));
        }
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut server = command(Path::new("/bin/sh"))?;
        server.args(["-c", "\"$@\" </dev/null & server=$!; cat; kill -QUIT $server; wait", "sh"]);
        server.arg(binaries.join("postgres")).arg("-D").arg(&data);
        server.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        server.args(["-c", "unix_socket_directories=", "-c", "max_wal_size=4GB"]);
        let log = fs::File::create(folder.path().join("log"))?;
        let server = server.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn()?;
        let cluster = Self { _folder: folder, port, server };
        let ready = || {
            let mut ready = command(&binaries.join("pg_isready"))?;
            ready.args(["--quiet", "--host=127.0.0.1"]).arg(format!("--port={port}"));
            Ok::<_, Error>(ready.status()?.success())
        };
        while !ready()? {}
        Ok(cluster)
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        drop(self.server.wait());
    }
}

/// A command that runs as the server's user.
fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(program);
    if let Some(user) = user()? {
        command.uid(user).current_dir("/");
    }
    Ok(command)
}

/// The user for the server if this runs as root.
fn user() -> Result<Option<u32>> {
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self")?) != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let id_of = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        line.split(':').nth(2)?.parse().ok()
    };
    let id = id_of("postgres").or_else(|| id_of("nobody"));
    id.map(Some).ok_or_else(|| Error::msg("there is no user other than root"))
}

/// The folder of `initdb` and `postgres`.
fn binaries() -> Result<PathBuf> {
    let installed: io::Result<Vec<_>> = fs::read_dir("/usr/lib/postgresql")?.collect();
    let mut found: Vec<_> = installed?.iter().map(|it| it.path().join("bin")).collect();
    found.sort();
    found.pop().ok_or_else(|| Error::msg("install the binaries of PostgreSQL"))
}
