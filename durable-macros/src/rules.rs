//! The rules of determinism: what is refused, why, and what to write instead. `table.rs` has the names.
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
/// Asks or tells the thread that happens to run the function.
pub(crate) const THIS_THREAD: Rule = Rule {
    code: "DURABLE0004",
    why: "an orchestrator runs on whichever thread owns its partition, which is another one in a replay",
    instead: "`ctx.instance_id()` or `ctx.execution_id()`, which are the same in every replay; nothing in \
              place of `yield_now()`, since an orchestrator gives way whenever it awaits",
};
pub(crate) const IO: Rule = Rule {
    code: "DURABLE0005",
    why: "the world has changed when the function is replayed, and I/O would be done again",
    instead: "an activity that does it and returns what it found",
};
/// Ends the process.
pub(crate) const EXIT: Rule = Rule {
    code: "DURABLE0005",
    why: "it ends the process with every other instance in it, and again in every replay",
    instead: "`return Err(..)`, which ends this instance only",
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
    why: "every turn adds to the history, which a replay reads from its beginning, and this loop \
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

/// A macro that may leave out what its arguments ask of the context.
pub(crate) const LEFT_OUT: Rule = Rule {
    code: "DURABLE0027",
    why: "this macro does not evaluate its arguments in every run: a log line is left out in a replay and \
          below its level, so every later id, random number or request would differ",
    instead: "`let value = ..;` before the macro, and `value` in it",
};
/// The body of an activity, called in place.
pub(crate) const IN_PLACE: Rule = Rule {
    code: "DURABLE0028",
    why: "the body of the activity would run inside of the orchestrator: it is not recorded, not retried, \
          and runs again in every replay",
    instead: "a call of the activity, which is awaited: `charge(..).await`; `run` is for unit tests",
};

/// All rules, to tell whether a code that is allowed exists.
pub(crate) const ALL: [&Rule; 16] = [
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
    &IN_PLACE,
];
