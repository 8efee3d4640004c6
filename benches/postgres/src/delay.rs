//! A TCP proxy that makes the server seem far away.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use durable::{Error, Result};

use crate::clock::now;

/// The URL of a proxy for the server at this URL. Bytes arrive half of the round trip later on the other
/// side, in both directions. Threads sleep, because the timers of the runtime are too coarse.
pub(crate) fn proxy(url: &str, round_trip: Duration) -> Result<String> {
    let parts = url.rsplit_once('@').and_then(|(user, rest)| Some((user, rest.split_once('/')?)));
    let Some((user, (server, database))) = parts else {
        return Err(Error::msg("a delay needs a URL `postgres://USER@HOST:PORT/DATABASE`"));
    };
    let server = server.to_owned();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A client whose connection cannot be passed on sees its end.
            drop(connect(client, &server, round_trip / 2));
        }
    });
    Ok(format!("{user}@{address}/{database}"))
}

fn connect(client: TcpStream, server: &str, later: Duration) -> std::io::Result<()> {
    let server = TcpStream::connect(server)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    pump(client.try_clone()?, server.try_clone()?, later);
    pump(server, client, later);
    Ok(())
}

/// Passes bytes on, each so much later than it arrived, until the connection ends.
fn pump(mut from: TcpStream, mut to: TcpStream, later: Duration) {
    let (arrived, leaving) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            match from.read(&mut buffer) {
                Ok(count @ 1..) => {
                    if arrived.send((now() + later, buffer[..count].to_vec())).is_err() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                _ => break,
            }
        }
    });
    thread::spawn(move || {
        for (at, bytes) in leaving {
            thread::sleep(at.saturating_duration_since(now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
}
