//! The names that break the rules of determinism.

mod paths;

pub(crate) use self::paths::PATHS;
use crate::rules::{
    CLOCK, ENVIRONMENT, FOREIGN, IO, PRINT, RANDOM, RANDOM_ID, Rule, SHARED, SLEEP, THREAD,
};

/// Macros that break a rule, by their last name, unless they come from `durable`.
pub(crate) const MACROS: &[(&Rule, &[&str])] = &[
    (&PRINT, &["print", "println", "eprint", "eprintln", "dbg"]),
    (&RANDOM_ID, &["nanoid"]),
    (&SHARED, &["thread_local", "lazy_static"]),
    (&FOREIGN, &["select", "select_biased", "join", "try_join"]),
    (&IO, &["query", "query_as", "query_scalar", "sql_query"]),
];

/// The names of a module that matter in a glob import: `use std::env::*`.
pub(crate) const GLOBS: &[(&str, &[&str])] = &[
    (
        "std::env",
        &[
            "args",
            "args_os",
            "current_dir",
            "current_exe",
            "temp_dir",
            "var",
            "var_os",
            "vars",
            "vars_os",
        ],
    ),
    (
        "std::fs",
        &[
            "File",
            "OpenOptions",
            "canonicalize",
            "copy",
            "create_dir",
            "create_dir_all",
            "exists",
            "metadata",
            "read",
            "read_dir",
            "read_to_string",
            "remove_dir",
            "remove_dir_all",
            "remove_file",
            "rename",
            "write",
        ],
    ),
    ("std::io", &["stderr", "stdin", "stdout"]),
    ("std::net", &["TcpListener", "TcpStream", "UdpSocket"]),
    ("std::process", &["Command", "abort", "exit", "id"]),
    ("std::sync::mpsc", &["channel", "sync_channel"]),
    (
        "std::thread",
        &[
            "available_parallelism",
            "current",
            "park",
            "scope",
            "sleep",
            "sleep_ms",
            "spawn",
            "yield_now",
        ],
    ),
    ("tokio", &["join", "spawn", "try_join"]),
    ("tokio::fs", &["File", "read", "read_dir", "read_to_string", "write"]),
    ("tokio::task", &["block_in_place", "spawn", "spawn_blocking", "spawn_local", "yield_now"]),
    ("tokio::time", &["interval", "interval_at", "sleep", "sleep_until", "timeout", "timeout_at"]),
    ("rand", &["random", "random_bool", "random_range", "rng", "thread_rng"]),
    (
        "rand::prelude",
        &[
            "SmallRng",
            "StdRng",
            "ThreadRng",
            "random",
            "random_bool",
            "random_range",
            "rng",
            "thread_rng",
        ],
    ),
    ("rand::rngs", &["OsRng", "SmallRng", "StdRng", "SysRng", "ThreadRng"]),
    ("tracing", LOGS),
    ("log", LOGS),
    ("futures::future", &["join", "join_all", "select", "select_all", "try_join", "try_join_all"]),
];

/// Rules that also apply in functions and macros of the same file that no attribute checks, because
/// breaking them there is always wrong.
pub(crate) const REACHED: [&Rule; 8] =
    [&CLOCK, &RANDOM_ID, &SLEEP, &THREAD, &IO, &ENVIRONMENT, &PRINT, &RANDOM];

/// Methods that break a rule, whatever type they are called on.
pub(crate) const METHODS: &[(&Rule, &[&str])] = &[
    (&THREAD, &["par_bridge", "par_chunks", "par_iter", "par_iter_mut", "into_par_iter"]),
    (&IO, &["to_socket_addrs"]),
    (&FOREIGN, &["now_or_never"]),
];

/// Methods that break a rule on values of these types, or on values that functions of these types
/// return.
pub(crate) const METHODS_OF: &[(&Rule, &[&str], &[&str])] = &[
    (&CLOCK, &["Instant", "SystemTime", "UNIX_EPOCH"], &["elapsed"]),
    (
        &IO,
        &["Path", "PathBuf"],
        &[
            "canonicalize",
            "exists",
            "is_dir",
            "is_file",
            "is_symlink",
            "metadata",
            "read_dir",
            "read_link",
            "symlink_metadata",
            "try_exists",
        ],
    ),
];

/// Modules in the table. Naming only the module breaks nothing.
pub(crate) const MODULES: &[&str] = &[
    "env", "fs", "future", "io", "mpsc", "net", "os", "process", "runtime", "signal", "sync",
    "task", "thread",
];

/// The crates of log macros.
pub(crate) const LOGGERS: &[&str] = &["log", "tracing"];

/// Log macros, which are allowed and made silent in a replay.
pub(crate) const LOGS: &[&str] = &["trace", "debug", "info", "warn", "error", "event", "log"];

/// Other macros that do not always evaluate their arguments, so that an await in them may not run.
pub(crate) const LAZY: &[&str] = &[
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "span",
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// Methods of a context, a call or an operation that advance the numbering of what is recorded, so
/// that skipping one of them shifts everything after it. `ctx.start(..)` is another such method.
pub(crate) const ADVANCING: &[&str] = &[
    "clear_custom_status",
    "new_guid",
    "patched",
    "random_f64",
    "random_u64",
    "send_event",
    "set_custom_status",
    "signal",
    "signal_at",
    "spawn",
];

/// Macros whose arguments are expressions, which can be checked.
pub(crate) const EXPRESSIONS: &[&str] = &[
    "vec",
    "format",
    "format_args",
    "matches",
    "assert",
    "assert_eq",
    "assert_ne",
    "debug_assert",
    "debug_assert_eq",
    "debug_assert_ne",
    "panic",
    "todo",
    "unimplemented",
    "unreachable",
    "write",
    "writeln",
    "pin",
    "anyhow",
    "bail",
    "ensure",
    "json",
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "event",
    "log",
];

/// Crates that re-export names of the table and are not in it themselves.
const RE_EXPORTING: &[&str] = &[
    "actix_rt",
    "actix_web",
    "async_std",
    "axum",
    "futures_lite",
    "futures_util",
    "hashbrown",
    "instant",
    "log",
    "minstant",
    "mongodb",
    "poem",
    "rocket",
    "rustc_hash",
    "smol",
    "std",
    "tracing",
    "wasm_timer",
    "web_time",
];

/// Whether the table knows a crate. A `Mutex` of an unknown crate is another type.
pub(crate) fn is_known(name: &str) -> bool {
    let is_first = |entry: &&str| {
        let first = entry.split("::").next().unwrap_or_default();
        let first = first.split('|').next().unwrap_or_default();
        match first.strip_suffix('*') {
            Some(family) => name.starts_with(family),
            None => name == first,
        }
    };
    let mut entries = PATHS.iter().flat_map(|(_, entries)| entries.iter());
    entries.any(is_first) || RE_EXPORTING.contains(&name)
}
