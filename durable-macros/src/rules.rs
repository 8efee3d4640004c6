//! The rules of determinism, as a table: what is refused, why, and what to write instead.
//!
//! Codes follow the .NET analyzers of Durable Task where the rule is the same; ours begin at 20.
//! Every code has a page in `docs/errors`.

/// A rule: what a function that is replayed must not do.
pub(crate) struct Rule {
    pub(crate) code: &'static str,
    /// Why, in the user's world.
    pub(crate) why: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
}

pub(crate) const CLOCK: Rule = Rule {
    code: "DURABLE0001",
    why: "the clock shows another time in every replay",
    instead: "`ctx.current_utc_datetime()`, or take the time in an activity",
};
pub(crate) const RANDOM_ID: Rule = Rule {
    code: "DURABLE0002",
    why: "a random id is another one in every replay",
    instead: "`ctx.new_guid()`, which is the same in every replay",
};
pub(crate) const SLEEP: Rule = Rule {
    code: "DURABLE0003",
    why: "the wait is not recorded, so it would happen again in every replay, and it holds up every \
          other instance of the partition",
    instead: "`ctx.create_timer(duration).await`; to give up on something, \
              `durable::timeout(duration, task).await`",
};
pub(crate) const THREAD: Rule = Rule {
    code: "DURABLE0004",
    why: "what runs beside the orchestrator is not recorded, and is started again in every replay",
    instead: "an activity; several at once with `durable::join_all(..)`, or `.spawn()` on a call",
};
pub(crate) const IO: Rule = Rule {
    code: "DURABLE0005",
    why: "the world has changed when the function is replayed, and I/O would be done again",
    instead: "an activity that does it and returns what it found",
};
pub(crate) const ENVIRONMENT: Rule = Rule {
    code: "DURABLE0006",
    why: "the environment may be another when the function is replayed, on another machine even",
    instead: "an input of the orchestration, or an activity that reads it",
};
pub(crate) const PRINT: Rule = Rule {
    code: "DURABLE0010",
    why: "it would be printed again in every replay",
    instead: "`tracing::info!(..)` and its like, which are silent in a replay here, or an activity",
};
pub(crate) const ENDLESS: Rule = Rule {
    code: "DURABLE0011",
    why: "every turn adds to the history, which a replay reads from its beginning, and this `loop` \
          has no `break` and no `return`",
    instead: "`ctx.continue_as_new(input)`, which begins again with an empty history, or a way out",
};
pub(crate) const RANDOM: Rule = Rule {
    code: "DURABLE0021",
    why: "random numbers are others in every replay",
    instead: "`ctx.random_u64()`, which is the same in every replay; for an id, `ctx.new_guid()`",
};
pub(crate) const UNORDERED: Rule = Rule {
    code: "DURABLE0022",
    why: "its order is another in every process, so a loop over it would go another way in a replay",
    instead: "`BTreeMap` or `BTreeSet`",
};
pub(crate) const SHARED: Rule = Rule {
    code: "DURABLE0023",
    why: "it is shared by all instances, and starts anew in every process, where a replay would find \
          another value",
    instead: "a `const`, an input, or an activity",
};
pub(crate) const LOCK: Rule = Rule {
    code: "DURABLE0024",
    why: "what others do to it meanwhile is not recorded, so a replay would find another value",
    instead: "plain local values, since an orchestrator runs alone, and its parts one at a time; for \
              what comes from outside, `ctx.wait_for_external_event(name).await`",
};
pub(crate) const FOREIGN: Rule = Rule {
    code: "DURABLE0025",
    why: "it takes its parts in an order of its own, which is not recorded and is another in a replay",
    instead: "`durable::join` or `durable::join_all` to wait for all, `durable::race` or \
              `durable::select_all` for the first",
};
pub(crate) const ASYNC_CLOSURE: Rule = Rule {
    code: "DURABLE0026",
    why: "the awaits in an `async` closure cannot be checked",
    instead: "a closure that returns a block: `|x| async move { .. }`",
};
pub(crate) const HIDDEN_AWAIT: Rule = Rule {
    code: "DURABLE0027",
    why: "what this macro makes of the `.await` cannot be seen, so it cannot be checked",
    instead: "`let value = ...await;` before the macro, and `value` in it",
};

/// All rules, to tell whether a code that is allowed exists.
pub(crate) const ALL: [&Rule; 15] = [
    &CLOCK,
    &RANDOM_ID,
    &SLEEP,
    &THREAD,
    &IO,
    &ENVIRONMENT,
    &PRINT,
    &ENDLESS,
    &RANDOM,
    &UNORDERED,
    &SHARED,
    &LOCK,
    &FOREIGN,
    &ASYNC_CLOSURE,
    &HIDDEN_AWAIT,
];

/// Functions, types and modules that break a rule: the end of a path, and what of it is enough.
///
/// A path in a function is first resolved through the `use`s that are seen, then compared:
/// `a::b::c` meets an entry `a::b` (something in it), and `b::c` at its end meets `::b::c`.
pub(crate) const PATHS: &[(&Rule, &[&str])] = &[
    (
        &CLOCK,
        &[
            "::Instant::now",
            "::Instant::elapsed",
            "::SystemTime::now",
            "::SystemTime::elapsed",
            "::Utc::now",
            "::Local::now",
            "::OffsetDateTime::now_utc",
            "::OffsetDateTime::now_local",
            "::UtcDateTime::now",
            "::_rdtsc",
            "::Timestamp::now",
            "::Zoned::now",
            "coarsetime",
            "quanta",
        ],
    ),
    (
        &RANDOM_ID,
        &[
            "::Uuid::new_v1",
            "::Uuid::new_v4",
            "::Uuid::new_v6",
            "::Uuid::new_v7",
            "::Uuid::now_v1",
            "::Uuid::now_v6",
            "::Uuid::now_v7",
            "::Ulid::new",
            "::Ulid::generate",
            "nanoid",
            "cuid",
            "cuid2",
            "snowflake::SnowflakeIdGenerator",
            "rs_snowflake",
            "ksuid",
            "svix_ksuid",
            "xid::new",
            "scru128",
            "::ObjectId::new",
        ],
    ),
    (
        &SLEEP,
        &[
            "::thread::sleep",
            "::thread::sleep_until",
            "::thread::park",
            "::thread::park_timeout",
            "tokio::time::sleep",
            "tokio::time::sleep_until",
            "tokio::time::timeout",
            "tokio::time::timeout_at",
            "tokio::time::interval",
            "tokio::time::interval_at",
            "async_std::task::sleep",
            "smol::Timer",
            "async_io::Timer",
            "futures_timer",
            "gloo_timers",
        ],
    ),
    (
        &THREAD,
        &[
            "::thread::spawn",
            "::thread::scope",
            "::thread::Builder",
            "::thread::current",
            "::thread::yield_now",
            "tokio::spawn",
            "tokio::task",
            "tokio::runtime",
            "::task::spawn",
            "::task::spawn_blocking",
            "::task::spawn_local",
            "::JoinSet::new",
            "rayon",
            "async_std::task",
            "smol::spawn",
            "smol::unblock",
            "smol::block_on",
            "::executor::block_on",
            "pollster",
            "crossbeam::scope",
            "crossbeam::thread",
            "::Handle::current",
        ],
    ),
    (
        &IO,
        &[
            "std::fs",
            "std::net::TcpStream",
            "std::net::TcpListener",
            "std::net::UdpSocket",
            "std::process",
            "std::io::stdin",
            "std::io::stdout",
            "std::io::stderr",
            "std::os",
            "std::path::absolute",
            "::Path::exists",
            "::Path::try_exists",
            "::Path::is_file",
            "::Path::is_dir",
            "::Path::is_symlink",
            "::Path::metadata",
            "::Path::symlink_metadata",
            "::Path::read_dir",
            "::Path::read_link",
            "::Path::canonicalize",
            "tokio::fs",
            "tokio::net",
            "tokio::process",
            "tokio::io",
            "tokio::signal",
            "::File::open",
            "::File::create",
            "::OpenOptions::new",
            "::TcpStream::connect",
            "::TcpListener::bind",
            "::UdpSocket::bind",
            "::fs::read",
            "::fs::read_to_string",
            "::fs::write",
            "::fs::remove_file",
            "::fs::create_dir_all",
            "::Command::new",
            "::process::exit",
            "::process::abort",
            "::process::id",
            "reqwest",
            "ureq",
            "hyper",
            "hyper_util",
            "isahc",
            "surf",
            "attohttpc",
            "sqlx",
            "diesel",
            "sea_orm",
            "rusqlite",
            "postgres",
            "tokio_postgres",
            "mongodb",
            "redis",
            "tonic",
            "lapin",
            "rdkafka",
            "async_nats",
            "aws_sdk_*",
            "aws_config",
            "azure_*",
            "google_cloud_*",
            "deadpool_*",
            "bb8",
            "r2d2",
            "memcache",
            "elasticsearch",
            "lettre",
            "tungstenite",
            "tokio_tungstenite",
            "kube::Client",
            "notify::recommended_watcher",
            "glob::glob",
            "object_store",
            "async_std::fs",
            "async_std::net",
            "async_fs",
            "async_net",
            "walkdir",
            "tempfile",
        ],
    ),
    (
        &ENVIRONMENT,
        &[
            "std::env",
            "::env::var",
            "::env::vars",
            "::env::var_os",
            "::env::args",
            "::env::current_dir",
            "::env::temp_dir",
            "dotenvy",
            "dotenv",
            "num_cpus",
            "hostname",
            "whoami",
            "::available_parallelism",
            "::Backtrace::capture",
            "::Backtrace::force_capture",
            "::TimeZone::system",
            "chrono::Local",
            "gethostname",
            "sysinfo",
            "machine_uid",
            "config::Config",
        ],
    ),
    (
        &RANDOM,
        &[
            "rand",
            "fastrand",
            "getrandom",
            "oorandom",
            "::RandomState",
            "::thread_rng",
            "::ThreadRng",
            "::OsRng",
            "::from_os_rng",
            "::from_entropy",
            "nanorand",
        ],
    ),
    (
        &UNORDERED,
        &[
            "::HashMap",
            "::HashSet",
            "::AHashMap",
            "::AHashSet",
            "::FxHashMap",
            "::FxHashSet",
            "::DashMap",
            "::DashSet",
        ],
    ),
    (
        &LOCK,
        &[
            "::Mutex",
            "::RwLock",
            "::Condvar",
            "::Once",
            "::OnceLock",
            "once_cell::sync",
            "::CancellationToken",
            "arc_swap",
            "crossbeam::channel",
            "crossbeam::atomic",
            "crossbeam::queue",
            "crossbeam_queue",
            "moka",
            "async_lock",
            "async_broadcast",
            "::LazyLock",
            "::Semaphore",
            "::Barrier",
            "::Notify",
            "std::sync::atomic::fence",
            "::AtomicBool",
            "::AtomicUsize",
            "::AtomicIsize",
            "::AtomicU8",
            "::AtomicU16",
            "::AtomicU32",
            "::AtomicU64",
            "::AtomicI8",
            "::AtomicI16",
            "::AtomicI32",
            "::AtomicI64",
            "::AtomicPtr",
            "parking_lot",
            "tokio::sync",
            "std::sync::mpsc",
            "::mpsc::channel",
            "::mpsc::unbounded_channel",
            "::oneshot::channel",
            "::broadcast::channel",
            "::watch::channel",
            "crossbeam_channel",
            "flume",
            "async_channel",
            "kanal",
        ],
    ),
    (
        &FOREIGN,
        &[
            "futures::future::join_all",
            "futures::future::try_join_all",
            "futures::future::select_all",
            "futures::future::select",
            "futures::future::join",
            "futures::future::try_join",
            "futures_util::future",
            "futures::join",
            "futures::select",
            "tokio::join",
            "tokio::try_join",
            "tokio::select",
            "::FuturesUnordered",
            "::FuturesOrdered",
            "::Waker::noop",
            "::Context::from_waker",
            "futures_concurrency",
        ],
    ),
];

/// Macros that break a rule, by their last name, unless they are `durable`'s.
pub(crate) const MACROS: &[(&Rule, &[&str])] = &[
    (&PRINT, &["print", "println", "eprint", "eprintln", "dbg"]),
    (&RANDOM_ID, &["nanoid"]),
    (&SHARED, &["thread_local", "lazy_static"]),
    (&FOREIGN, &["select", "select_biased", "join", "try_join"]),
    (&IO, &["query", "query_as", "query_scalar", "sql_query"]),
];

/// What of a module counts if all of it is brought in: `use std::env::*`.
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
        &["available_parallelism", "current", "park", "scope", "sleep", "spawn", "yield_now"],
    ),
    ("tokio", &["join", "spawn", "try_join"]),
    ("tokio::fs", &["File", "read", "read_dir", "read_to_string", "write"]),
    ("tokio::task", &["block_in_place", "spawn", "spawn_blocking", "spawn_local", "yield_now"]),
    ("tokio::time", &["interval", "interval_at", "sleep", "sleep_until", "timeout", "timeout_at"]),
    ("rand", &["random", "random_bool", "random_range", "rng", "thread_rng"]),
    ("rand::prelude", &["random", "random_bool", "random_range", "rng", "thread_rng"]),
    ("futures::future", &["join", "join_all", "select", "select_all", "try_join", "try_join_all"]),
];

/// Rules that count as well in a function or macro of the same file that no attribute looks into:
/// to break them is wrong whatever is made of it.
pub(crate) const REACHED: [&Rule; 8] =
    [&CLOCK, &RANDOM_ID, &SLEEP, &THREAD, &IO, &ENVIRONMENT, &PRINT, &RANDOM];

/// Methods that break a rule on any value.
pub(crate) const METHODS: &[(&Rule, &[&str])] = &[
    (&THREAD, &["par_bridge", "par_chunks", "par_iter", "par_iter_mut", "into_par_iter"]),
    (&IO, &["to_socket_addrs"]),
    (&FOREIGN, &["now_or_never"]),
];

/// Methods that break a rule on values of these types, or made by functions of them.
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

/// Modules that are entries of the table: naming one alone breaks nothing.
pub(crate) const MODULES: &[&str] = &[
    "env", "fs", "future", "io", "mpsc", "net", "os", "process", "runtime", "signal", "sync",
    "task", "thread",
];

/// Log macros: they are kept, and silent in a replay.
pub(crate) const LOGS: &[&str] = &["trace", "debug", "info", "warn", "error", "event", "log"];

/// Other macros that do not always evaluate their arguments, so that an await there would be made in
/// one program and not in another.
pub(crate) const LAZY: &[&str] = &["debug_assert", "debug_assert_eq", "debug_assert_ne"];

/// Macros whose arguments are expressions, into which the check can look.
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
