//! A running command: its client, its options, and its input and output.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Cursor, IsTerminal, Read, Write};

use chrono::{DateTime, Utc};
use durable::TaskHub;
use durable_http::client::Client;

use crate::args::Global;
use crate::error::CliError;

/// The input, output and environment of a command.
///
/// ```
/// # use durable::prelude::*;
/// use durable_cli::{Exit, Io, run_on};
/// use durable_http::client::Client;
///
/// /// Answers the question of `purge` with yes.
/// async fn purge(client: Client, id: &str) -> bool {
///     let mut io = Io::captured().with_input("y\n");
///     run_on(client, ["durable", "purge", id], &mut io).await == Exit::Ok
/// }
/// ```
pub struct Io {
    out: Sink,
    err: Sink,
    input: Box<dyn BufRead + Send>,
    /// Whether a person reads stdout.
    pub(crate) is_terminal: bool,
    /// Whether a person can answer a question.
    pub(crate) can_ask: bool,
    pub(crate) environment: BTreeMap<String, String>,
    /// Whether Ctrl+C ends the command.
    is_interruptible: bool,
    now: Option<DateTime<Utc>>,
}

enum Sink {
    Out,
    Err,
    Captured(Vec<u8>),
}

impl Sink {
    fn write(&mut self, text: &str) {
        self.write_bytes(text.as_bytes());
    }

    fn write_bytes(&mut self, text: &[u8]) {
        // A reader that has left, such as `head`, wants no more.
        let _gone = match self {
            Self::Out => {
                let mut out = io::stdout().lock();
                out.write_all(text).and_then(|()| out.flush())
            }
            Self::Err => io::stderr().lock().write_all(text),
            Self::Captured(bytes) => bytes.write_all(text),
        };
    }

    fn text(&self) -> String {
        match self {
            Self::Captured(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Out | Self::Err => String::new(),
        }
    }
}

impl Io {
    pub(crate) fn of_process() -> Self {
        Self {
            out: Sink::Out,
            err: Sink::Err,
            input: Box::new(io::BufReader::new(io::stdin())),
            is_terminal: io::stdout().is_terminal(),
            can_ask: io::stdin().is_terminal() && io::stderr().is_terminal(),
            environment: std::env::vars().collect(),
            is_interruptible: true,
            now: None,
        }
    }

    /// Creates an `Io` that collects what a command writes. It has no input and no environment
    /// variables.
    pub fn captured() -> Self {
        Self {
            out: Sink::Captured(Vec::new()),
            err: Sink::Captured(Vec::new()),
            input: Box::new(Cursor::new(Vec::new())),
            is_terminal: false,
            can_ask: false,
            environment: BTreeMap::new(),
            is_interruptible: false,
            now: None,
        }
    }

    /// Sets the input of the command.
    #[must_use]
    pub fn with_input(mut self, text: impl Into<String>) -> Self {
        self.input = Box::new(Cursor::new(text.into().into_bytes()));
        self
    }

    /// Sets the time that ages are relative to; by default the system time.
    #[must_use]
    pub fn with_now(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Returns what the command has written to stdout, if the output is captured.
    pub fn output(&self) -> String {
        self.out.text()
    }

    /// Returns what the command has written to stderr, if the output is captured.
    pub fn errors(&self) -> String {
        self.err.text()
    }

    pub(crate) fn write(&mut self, text: &str) {
        self.out.write(text);
    }

    /// Writes bytes that are not text.
    pub(crate) fn write_bytes(&mut self, bytes: &[u8]) {
        self.out.write_bytes(bytes);
    }

    pub(crate) fn tell(&mut self, text: &str) {
        self.err.write(text);
    }

    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Waits for Ctrl+C; forever, if the caller of the command handles it.
    pub(crate) fn interrupted(&self) -> impl Future<Output = ()> + use<> {
        let is_interruptible = self.is_interruptible;
        async move {
            if !is_interruptible || tokio::signal::ctrl_c().await.is_err() {
                // If the signal cannot be caught, the system ends the process.
                std::future::pending::<()>().await;
            }
        }
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.now.unwrap_or_else(Utc::now)
    }

    pub(crate) fn lines(&mut self) -> Result<Vec<String>, CliError> {
        let lines: io::Result<Vec<_>> = self.input.by_ref().lines().collect();
        let lines = lines.map_err(|source| CliError::File { path: "-".into(), source })?;
        let lines = lines.iter().map(|line| line.trim().to_owned());
        Ok(lines.filter(|line| !line.is_empty()).collect())
    }

    pub(crate) fn all_input(&mut self) -> Result<String, CliError> {
        let mut text = String::new();
        let read = self.input.read_to_string(&mut text);
        read.map_err(|source| CliError::File { path: "-".into(), source })?;
        Ok(text)
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        let _unread = self.input.read_line(&mut line);
        line.trim().to_lowercase()
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Io").field("is_terminal", &self.is_terminal).finish_non_exhaustive()
    }
}

/// A hub that this program has opened for a command.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) hub: TaskHub,
    /// Whether it is a folder that is open for reading.
    pub(crate) is_read_only: bool,
}

pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    /// The hub, if this program has opened it for the command.
    pub(crate) opened: Option<Opened>,
    pub(crate) global: Global,
    pub(crate) io: &'a mut Io,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        client: Client,
        opened: Option<Opened>,
        global: Global,
        io: &'a mut Io,
    ) -> Self {
        Self { client, opened, global, io }
    }

    /// Ids as they were given; `-` stands for the lines of stdin.
    pub(crate) fn ids(&mut self, given: &[String]) -> Result<Vec<String>, CliError> {
        let mut ids = Vec::new();
        for id in given {
            if id == "-" {
                let lines = self.io.lines()?;
                if lines.is_empty() {
                    self.io.tell("stdin has no ids, so there is nothing to do\n");
                }
                ids.extend(lines);
            } else {
                ids.push(id.clone());
            }
        }
        Ok(ids)
    }

    /// Asks for a confirmation, unless `--yes` is given.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<(), CliError> {
        if self.global.yes {
            return Ok(());
        }
        if !self.io.can_ask {
            return Err(CliError::Usage(format!("{question}; confirm it with `--yes`")));
        }
        self.io.tell(&format!("{question}? [y/N] "));
        match self.io.answer().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(CliError::Failed("nothing was done".to_owned())),
        }
    }

    /// The reason as it was given, or the user and the machine.
    pub(crate) fn reason(&self, given: Option<&String>) -> String {
        if let Some(reason) = given {
            return reason.clone();
        }
        let user = self.io.variable("USER").unwrap_or("somebody");
        match self.io.variable("HOSTNAME") {
            Some(host) => format!("{user}@{host}"),
            None => user.to_owned(),
        }
    }

    /// Shows progress, but only to a person.
    pub(crate) fn progress(&mut self, text: &str) {
        if self.io.can_ask {
            self.io.tell(&format!("\r\x1b[K{text}"));
        }
    }
}
