//! Answers by task, and the reference pages.
//!
//! [activities]: self::activities
//! [orchestrators]: self::orchestrators
//! [concurrency]: self::concurrency
//! [timers_and_events]: self::timers_and_events
//! [retries]: self::retries
//! [errors]: self::errors
//! [long_running]: self::long_running
//! [entities]: self::entities
//! [instances]: self::instances
//! [schedules]: self::schedules
//! [http_calls]: self::http_calls
//! [testing]: self::testing
//! [changing_code]: self::changing_code
//! [stores]: self::stores
//! [determinism]: self::determinism
//! [observability]: self::observability
//! [operations]: self::operations
//! [scale_out]: self::scale_out
//! [security]: self::security
#![doc = include_str!("../docs/guide/README.md")]

// These modules exist in the documentation only, and their examples run as tests. Each page is a
// file of `docs`, so that it can be read on a forge too. A page links to another by a label, which
// its last lines define for a forge, and `links!` for rustdoc: of two definitions the first one
// counts.

macro_rules! links {
    () => {
        "[activities]: crate::guide::activities
[orchestrators]: crate::guide::orchestrators
[concurrency]: crate::guide::concurrency
[timers_and_events]: crate::guide::timers_and_events
[retries]: crate::guide::retries
[errors]: crate::guide::errors
[long_running]: crate::guide::long_running
[entities]: crate::guide::entities
[instances]: crate::guide::instances
[schedules]: crate::guide::schedules
[http_calls]: crate::guide::http_calls
[testing]: crate::guide::testing
[changing_code]: crate::guide::changing_code
[stores]: crate::guide::stores
[determinism]: crate::guide::determinism
[observability]: crate::guide::observability
[operations]: crate::guide::operations
[scale_out]: crate::guide::scale_out
[security]: crate::guide::security
[design]: crate::guide::design
[error_codes]: crate::guide::error_codes
[DURABLE0001]: crate::guide::error_codes::DURABLE0001
[DURABLE0002]: crate::guide::error_codes::DURABLE0002
[DURABLE0003]: crate::guide::error_codes::DURABLE0003
[DURABLE0004]: crate::guide::error_codes::DURABLE0004
[DURABLE0005]: crate::guide::error_codes::DURABLE0005
[DURABLE0006]: crate::guide::error_codes::DURABLE0006
[DURABLE0010]: crate::guide::error_codes::DURABLE0010
[DURABLE0011]: crate::guide::error_codes::DURABLE0011
[DURABLE0021]: crate::guide::error_codes::DURABLE0021
[DURABLE0022]: crate::guide::error_codes::DURABLE0022
[DURABLE0023]: crate::guide::error_codes::DURABLE0023
[DURABLE0024]: crate::guide::error_codes::DURABLE0024
[DURABLE0025]: crate::guide::error_codes::DURABLE0025
[DURABLE0026]: crate::guide::error_codes::DURABLE0026
[DURABLE0027]: crate::guide::error_codes::DURABLE0027
[DURABLE0028]: crate::guide::error_codes::DURABLE0028
[DURABLE0101]: crate::guide::error_codes::DURABLE0101
[DURABLE0102]: crate::guide::error_codes::DURABLE0102
[DURABLE0103]: crate::guide::error_codes::DURABLE0103
[DURABLE0104]: crate::guide::error_codes::DURABLE0104
[DURABLE0105]: crate::guide::error_codes::DURABLE0105
[DURABLE0106]: crate::guide::error_codes::DURABLE0106
"
    };
}

macro_rules! pages {
    ($($name:ident: $file:literal $(with $feature:literal)?, [$($item:literal),*];)*) => {
        $(
            // Without the feature, the examples of the page do not compile.
            $(#[cfg(any(not(doctest), feature = $feature))])?
            #[doc = links!()]
            #[doc = include_str!(concat!("../docs/", $file))]
            #[doc = "# In this crate\n"]
            $(#[doc = concat!("* [`", $item, "`](crate::", $item, ")")])*
            pub mod $name {}
        )*
    };
}

pages! {
    activities: "guide/activities.md", ["Activity", "ActivityContext", "State"];
    orchestrators: "guide/orchestrators.md", ["Orchestrator", "OrchestrationContext", "Call"];
    concurrency: "guide/concurrency.md", [
        "join", "try_join", "join_all", "try_join_all", "race", "select_all", "as_completed", "timeout"
    ];
    timers_and_events: "guide/timers_and_events.md", [
        "OrchestrationContext::create_timer", "OrchestrationContext::wait_for_external_event",
        "OrchestrationContext::wait_for_event", "OrchestrationContext::send_event", "ExternalEvent",
        "timeout"
    ];
    retries: "guide/retries.md", ["RetryPolicy", "retry::RetryContext", "Call::retry", "Call::timeout"];
    errors: "guide/errors.md", ["Error", "error::NonRetriable", "TaskFailed", "client::ResultError"];
    long_running: "guide/long_running.md", [
        "OrchestrationContext::start", "OrchestrationContext::continue_as_new"
    ];
    entities: "guide/entities.md", [
        "Entity", "EntityContext", "entity::Operation", "OrchestrationContext::lock_entities",
        "TaskHub::signal_entity", "TaskHub::call_entity", "client::EntityQuery"
    ];
    instances: "guide/instances.md", ["TaskHub", "InstanceHandle", "OrchestrationHandle", "client::InstanceQuery"];
    schedules: "guide/schedules.md", ["schedule::Schedule", "schedule::ScheduleHandle", "TaskHub::create_schedule"];
    http_calls: "guide/http_calls.md" with "http", ["OrchestrationContext", "client::TaskHubBuilder"];
    testing: "guide/testing.md" with "testing", [
        "client::TaskHubBuilder::in_memory", "client::TaskHubBuilder::verify_replay"
    ];
    changing_code: "guide/changing_code.md", [
        "OrchestrationContext::patched", "client::VersionMatch", "client::TaskHubBuilder::verify_on_open"
    ];
    stores: "guide/stores.md", ["store", "client::TaskHubBuilder::durability", "client::TaskHubBuilder::live_bytes"];
    observability: "observability.md", ["TaskHub::lifecycle", "client::LifecycleEvent", "protocol::TraceContext"];
    operations: "operations.md", ["TaskHub::backup", "store::BackupReport", "TaskHub::shutdown_within"];
    scale_out: "scale-out.md", ["TaskHub::members", "client::TaskHubBuilder::client_only", "store::Cluster"];
    security: "security.md", ["store::EncodedStore", "store::PayloadCodec"];
    determinism: "determinism.md", ["OrchestrationContext", "client::TaskHubBuilder::verify_replay"];
    design: "design.md", ["store::SledStore", "store::SledOptions"];
}

macro_rules! codes {
    ($($code:ident)*) => {
        #[doc = links!()]
        #[doc = include_str!("../docs/errors/README.md")]
        #[allow(non_snake_case, reason = "the codes are written in capitals")]
        pub mod error_codes {
            $(
                #[doc = links!()]
                #[doc = include_str!(concat!("../docs/errors/", stringify!($code), ".md"))]
                pub mod $code {}
            )*
        }
    };
}

codes! {
    DURABLE0001 DURABLE0002 DURABLE0003 DURABLE0004 DURABLE0005 DURABLE0006 DURABLE0010 DURABLE0011
    DURABLE0021 DURABLE0022 DURABLE0023 DURABLE0024 DURABLE0025 DURABLE0026 DURABLE0027 DURABLE0028
    DURABLE0101 DURABLE0102 DURABLE0103 DURABLE0104 DURABLE0105 DURABLE0106
}
