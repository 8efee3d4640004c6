//! The answers of the server, as errors of the store.

use std::error::Error as _;
use std::io;

use durable::store::StoreError;
use tokio_postgres::Error;

/// The meaning of a driver error for the call that it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// A condition that a statement checks does not hold; the transaction was rolled back.
    Refused,
    /// The server could not run the transaction now, and rolled it back: a deadlock, a timeout, too
    /// many connections, no memory or disk space left.
    Again,
    /// The connection ended before the answer, or leads to a server that accepts no writes.
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
        // The session was ended: by an administrator, a crash, a shutdown, a timeout. It is unknown
        // whether the statement was completed. The server is a standby, which the primary may have
        // become: the name of the host may lead to another server by now.
        "25P03" | "57P01" | "57P02" | "57P03" | "57P05" | "40003" | "25006" => Meaning::Lost,
        // Cancelled by a timeout, lock not available.
        "57014" | "55P03" => Meaning::Again,
        // A limit of the server's configuration, which does not pass.
        "53400" => Meaning::Broken,
        code => match &code[..2] {
            // The connection failed.
            "08" => Meaning::Lost,
            // The transaction was rolled back, such as for a serialization failure or a deadlock;
            // and no disk space, memory or connection is left.
            "40" | "53" => Meaning::Again,
            _ => Meaning::Broken,
        },
    }
}

/// An error of stored data, with the place of the row.
pub(crate) fn in_row(table: &str, key: &[u8], error: StoreError) -> StoreError {
    match error {
        StoreError::Damaged { what, .. } => {
            let digits: Vec<_> = key.iter().map(|byte| format!("{byte:02x}")).collect();
            let key = digits.concat();
            StoreError::damaged(format!("table `{table}`, row with the key '\\x{key}': {what}"))
        }
        error => error,
    }
}

/// An error with its causes, as text.
pub(crate) fn chain(error: &StoreError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// An error that another attempt cannot fix, or after which the store has given up.
pub(crate) fn failed(doing: &str) -> impl Fn(Error) -> StoreError {
    move |error| match meaning(&error) {
        Meaning::Lost | Meaning::Again => StoreError::unavailable(doing, error),
        Meaning::Refused | Meaning::Broken => StoreError::backend(doing, error),
    }
}
