//! The command line of `durable`: see what instances do, find out why they are stuck, and get them going.
//!
//! The binary `durable` talks to a running hub over HTTP, or reads the folder of a hub that no
//! process has open. With one call, your own program gets the same command line, with its
//! orchestrators linked in:
//!
//! ```rust,no_run
//! use durable::prelude::*;
//!
//! #[orchestrator]
//! async fn order(ctx: &OrchestrationContext, cents: u32) -> Result<u32> {
//!     Ok(cents)
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     // `shop list --status failed`, `shop start order -i 500 --wait`, ...
//!     durable_cli::run(TaskHub::builder().path("./hub"))
//! }
//! ```
//!
//! Rules:
//! 1. A command is a view over `/api/v1`, through `durable_http::client`. Hubs in the same process
//!    and folders are accessed through the same routes.
//! 2. The result is on stdout; progress, prompts and errors are on stderr.
//! 3. Each cause of failure has its own exit code: see [`Exit`].

// Read next: `args/` (the commands), `connect.rs` (how a hub is found), `output/` (how results are
// written), `commands/` (what each command does).

#![warn(clippy::expect_used, clippy::unwrap_used)]

/// Compiles the sample of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod args;
mod commands;
mod complete;
mod config;
mod connect;
mod error;
mod exit;
mod frozen;
mod output;
mod session;
mod time;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use durable::client::TaskHubBuilder;
use durable_http::client::{Client, ClientError};

use args::Cli;
use connect::Code;
use error::CliError;
use session::Session;

pub use exit::Exit;
pub use session::Io;

/// Runs the command given by the arguments of this process, without the code of a program.
///
/// ```rust,no_run
/// fn main() -> std::process::ExitCode {
///     durable_cli::main()
/// }
/// ```
pub fn main() -> ExitCode {
    complete::answer_the_shell();
    block_on(Code::None)
}

/// Runs the command given by the arguments of this process, with the code linked into this program.
///
/// A command that names no hub opens the hub of `builder`. If another process has the folder of
/// that hub open, the command goes to that process instead.
///
/// ```rust,no_run
/// use durable::TaskHub;
///
/// fn main() -> std::process::ExitCode {
///     durable_cli::run(TaskHub::builder().path("./hub"))
/// }
/// ```
pub fn run(builder: TaskHubBuilder) -> ExitCode {
    complete::answer_the_shell();
    block_on(Code::Linked(Box::new(builder)))
}

fn block_on(code: Code) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return Exit::Failed.into();
        }
    };
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let exit = runtime.block_on(execute(cli, code, &mut Io::of_process()));
    runtime.shutdown_background();
    exit.into()
}

/// Runs one command against the hub of `client`. `arguments` begins with the name of the program.
///
/// ```
/// # use durable::prelude::*;
/// use durable_cli::{Exit, Io, run_on};
/// use durable_http::HttpOptions;
/// use durable_http::client::Client;
///
/// # #[tokio::main]
/// # async fn main() -> Result<()> {
/// let hub = TaskHub::builder().in_memory().open().await?;
/// let client = Client::in_process(durable_http::router(&hub, HttpOptions::new()));
/// let mut io = Io::captured();
/// let exit = run_on(client, ["durable", "count"], &mut io).await;
/// assert_eq!((exit, io.output()), (Exit::Ok, "0\n".to_owned()));
/// # hub.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub async fn run_on<A>(client: Client, arguments: impl IntoIterator<Item = A>, io: &mut Io) -> Exit
where
    A: Into<OsString> + Clone,
{
    match Cli::try_parse_from(arguments) {
        Ok(cli) => execute(cli, Code::Client(client), io).await,
        Err(error) if error.use_stderr() => {
            io.tell(&error.render().to_string());
            Exit::Usage
        }
        Err(error) => {
            io.write(&error.render().to_string());
            Exit::Ok
        }
    }
}

async fn execute(cli: Cli, code: Code, io: &mut Io) -> Exit {
    let Cli { command, mut global } = cli;
    if let Some(folder) = commands::folder(&command) {
        global.path = Some(folder.to_owned());
    }
    let done = match commands::run_without_hub(&command, &global, io) {
        Some(done) => done,
        None if matches!(command, args::Command::Doctor) => {
            commands::doctor(&global, code, io).await
        }
        None => on_a_hub(command, global, code, io).await,
    };
    match done {
        Ok(()) => Exit::Ok,
        Err(CliError::Reported(exit)) => exit,
        Err(error) => {
            io.tell(&format!("error: {}\n", error::chain(&error)));
            if let CliError::Client(ClientError::Unreachable { .. }) = error {
                io.tell("`durable doctor` says how the hub was chosen; `--hub` and `--path` choose another\n");
            }
            error.exit()
        }
    }
}

async fn on_a_hub(
    command: args::Command,
    global: args::Global,
    code: Code,
    io: &mut Io,
) -> Result<(), CliError> {
    let connected = connect::connect(&global, code, io).await?;
    let is_read_only = connected.is_read_only();
    let (client, opened) = (connected.client.clone(), connected.opened.clone());
    let is_service = matches!(command, args::Command::Ui(_));
    let interrupted = io.interrupted();
    let mut session = Session::new(client, opened, global, io);
    let done = tokio::select! {
        done = commands::run(command, &mut session) => done,
        // A service has no other end.
        () = interrupted => if is_service { Ok(()) } else { Err(CliError::Reported(Exit::Interrupted)) },
    };
    // A hub that this program has opened is closed also after Ctrl+C, so that its folder can be opened
    // without a recovery. A second Ctrl+C ends the process at once.
    let closed = tokio::select! {
        closed = connected.close() => closed,
        () = io.interrupted() => Err(CliError::Reported(Exit::Interrupted)),
    };
    match done {
        Err(error) if is_read_only && error.exit() == Exit::Refused => Err(CliError::ReadOnly),
        done => done.and(closed),
    }
}
