//! The answers of the server, as errors of the store.

use std::error::Error as _;
use std::io;

use durable::store::StoreError;
use tokio_postgres::Error;

/// What an error of the driver means for the call that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A condition that a statement checks does not hold; the transaction was rolled back.
    Refused,
    /// The server could not do it now, and rolled it back: a deadlock, a timeout, too many
    /// connections, a shutdown before the transaction began.
    Again,
    /// The connection ended before the answer.
    Lost,
    /// Trying again would not help.
    Broken,
}

pub(crate) fn meaning(error: &Error) -> Meaning {
    let Some(code) = error.code() else {
        let is_io = error.source().is_some_and(<dyn std::error::Error>::is::<io::Error>);
        return if error.is_closed() || is_io { Meaning::Lost } else { Meaning::Broken };
    };
    match code.code() {
        // Division by zero, on purpose; and a unique key that exists.
        "22012" | "23505" => Meaning::Refused,
        // Serialization failure, deadlock, cancelled by a timeout, lock not available, too many
        // connections, disk full, out of memory.
        "40001" | "40P01" | "57014" | "55P03" | "53300" | "53100" | "53200" => Meaning::Again,
        // The session was ended: by an administrator, a crash, a shutdown, a timeout.
        "25P03" | "57P01" | "57P02" | "57P03" | "57P05" => Meaning::Lost,
        code if code.starts_with("08") => Meaning::Lost,
        _ => Meaning::Broken,
    }
}

/// An error that cannot be mended by trying again, or that was given up on.
pub(crate) fn failed(doing: &str) -> impl Fn(Error) -> StoreError {
    move |error| match meaning(&error) {
        Meaning::Lost | Meaning::Again => StoreError::unavailable(doing, error),
        Meaning::Refused | Meaning::Broken => StoreError::backend(doing, error),
    }
}
