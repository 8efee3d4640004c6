//! Why a command failed.

use std::error::Error;
use std::path::PathBuf;

use durable_http::client::ClientError;

use crate::exit::{self, Exit};

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotFound(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("{0}")]
    TimedOut(String),
    #[error("cannot open the hub")]
    Open(#[source] Box<dyn Error + Send + Sync>),
    #[error("cannot read `{}`", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{what} is not JSON")]
    Json { what: String, source: serde_json::Error },
    #[error("{0}")]
    Failed(String),
    #[error(
        "the folder is open for reading only; change it through the process that runs it, or with \
         the program that has its code"
    )]
    ReadOnly,
    /// The command has already reported everything.
    #[error("")]
    Reported(Exit),
}

impl CliError {
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Client(ClientError::Problem(problem)) => {
                exit::of_problem(&problem.code, problem.status)
            }
            Self::Client(ClientError::TimedOut { .. }) | Self::TimedOut(_) => Exit::TimedOut,
            Self::Client(ClientError::InvalidPlace(_) | ClientError::InvalidKey)
            | Self::Usage(_)
            | Self::Json { .. } => Exit::Usage,
            Self::Client(ClientError::Unreachable { .. } | ClientError::NotAHub { .. })
            | Self::Unreachable(_)
            | Self::Open(_) => Exit::Unreachable,
            Self::ReadOnly => Exit::Refused,
            Self::NotFound(_) | Self::File { .. } => Exit::NotFound,
            Self::Reported(exit) => *exit,
            Self::Client(_) | Self::Write { .. } | Self::Failed(_) => Exit::Failed,
        }
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        // Some libraries repeat their source.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
