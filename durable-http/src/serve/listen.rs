//! Binding addresses and Unix sockets.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, lookup_host};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

use super::ServeError;

/// The wait after a connection could not be accepted, usually for lack of file descriptors.
const AFTER_FAILURE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, PathBuf),
}

pub(super) enum Accepted {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Listener {
    pub(super) async fn bind(place: &str, has_keys: bool) -> Result<Vec<Self>, ServeError> {
        let refused = |source| ServeError::Bind { place: place.to_owned(), source };
        #[cfg(unix)]
        if let Some(path) = place.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            return Ok(vec![bind_socket(path).map_err(refused)?]);
        }
        let invalid = |source| ServeError::InvalidPlace { place: place.to_owned(), source };
        let addresses: Vec<_> = lookup_host(place).await.map_err(invalid)?.collect();
        let reachable = addresses.iter().find(|address| !address.ip().is_loopback());
        if let (Some(address), false) = (reachable, has_keys) {
            return Err(ServeError::NoKey(*address));
        }
        let mut listeners = Vec::new();
        for address in addresses {
            listeners.push(Self::Tcp(TcpListener::bind(address).await.map_err(refused)?));
        }
        Ok(listeners)
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Self::Unix(..) => None,
        }
    }

    pub(super) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Tcp(_) => None,
            #[cfg(unix)]
            Self::Unix(_, path) => Some(path.clone()),
        }
    }

    pub(super) async fn accept(&self) -> Accepted {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => {
                    listener.accept().await.map(|(stream, _)| Accepted::Tcp(stream))
                }
                #[cfg(unix)]
                Self::Unix(listener, _) => {
                    listener.accept().await.map(|(stream, _)| Accepted::Unix(stream))
                }
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    // The connection may be closed already, or file descriptors may be exhausted
                    // temporarily.
                    tokio::time::sleep(AFTER_FAILURE).await;
                }
            }
        }
    }
}

/// Binds a socket that only this user can connect to. If the process of an existing socket has
/// ended, the socket is replaced.
#[cfg(unix)]
fn bind_socket(path: PathBuf) -> io::Result<Listener> {
    use std::fs;
    use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
    use std::os::unix::net::UnixStream as Blocking;

    match fs::symlink_metadata(&path) {
        Ok(found) if found.file_type().is_socket() && Blocking::connect(&path).is_err() => {
            fs::remove_file(&path)?;
        }
        Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
        Err(_) => {}
    }
    // In a new private folder, no other user can connect before the permissions are set.
    let mut folder = path.clone().into_os_string();
    folder.push(".d");
    let folder = PathBuf::from(folder);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let hidden = folder.join("s");
    drop(fs::remove_file(&hidden));
    let listener = UnixListener::bind(&hidden)?;
    fs::set_permissions(&hidden, fs::Permissions::from_mode(0o600))?;
    fs::rename(&hidden, &path)?;
    drop(fs::remove_dir(&folder));
    Ok(Listener::Unix(listener, path))
}
