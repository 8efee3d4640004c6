//! The rules of determinism: why something is rejected, and what to write instead. The names are in
//! `table/`.
//!
//! The code is that of the .NET analyzers of Durable Task if they have the same rule; our own codes
//! start at 21. Every code has a page in `docs/errors`, which quotes the rule.

/// Something that a replayed function must not do.
pub(crate) struct Rule {
    pub(crate) code: &'static str,
    /// Why it is forbidden.
    pub(crate) why: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
}

pub(crate) const CLOCK: Rule = Rule {
    code: "DURABLE0001",
    why: "the clock returns a different time in every replay",
    instead: "`ctx.current_utc_datetime()`, or take the time in an activity",
};
pub(crate) const RANDOM_ID: Rule = Rule {
    code: "DURABLE0002",
    why: "a random id is different in every replay",
    instead: "`ctx.new_guid()`, which is the same in every replay",
};
pub(crate) const SLEEP: Rule = Rule {
    code: "DURABLE0003",
    why: "the wait is not recorded, so every replay would wait again, and it blocks every other \
          instance of the partition",
    instead: "`ctx.create_timer(duration).await`; to give up on something, \
              `durable::timeout(duration, task).await`",
};
pub(crate) const THREAD: Rule = Rule {
    code: "DURABLE0004",
    why: "work that runs alongside the orchestrator is not recorded, and every replay starts it again",
    instead: "an activity; several at once with `durable::join_all(..)`, or `.spawn()` on a call",
};
/// Uses the thread that happens to run the function.
pub(crate) const THIS_THREAD: Rule = Rule {
    code: "DURABLE0004",
    why: "an orchestrator runs on the thread that owns its partition, which may be a different \
          one in a replay",
    instead: "`ctx.instance_id()` or `ctx.execution_id()`, which are the same in every replay; \
              remove `yield_now()`, because an orchestrator yields whenever it awaits",
};
pub(crate) const IO: Rule = Rule {
    code: "DURABLE0005",
    why: "the outside world may have changed when the function is replayed, and the I/O would be \
          repeated",
    instead: "an activity that does the I/O and returns its result; for HTTP, `ctx.call_http(..)`",
};
/// Ends the process.
pub(crate) const EXIT: Rule = Rule {
    code: "DURABLE0005",
    why: "it ends the process with every other instance in it, and again in every replay",
    instead: "`return Err(..)`, which ends this instance only",
};
pub(crate) const ENVIRONMENT: Rule = Rule {
    code: "DURABLE0006",
    why: "the environment may differ when the function is replayed, perhaps on another machine",
    instead: "an input of the orchestration, or an activity that reads it",
};
pub(crate) const PRINT: Rule = Rule {
    code: "DURABLE0010",
    why: "it would be printed again in every replay",
    instead: "`tracing::info!(..)` and the like, which are silent in a replay, or an activity",
};
pub(crate) const ENDLESS: Rule = Rule {
    code: "DURABLE0011",
    why: "every iteration adds to the history, which a replay reads from the beginning, and this \
          loop has no `break` and no `return`",
    instead: "`ctx.continue_as_new(input)`, which starts over with an empty history, or a way \
              out of the loop",
};
pub(crate) const RANDOM: Rule = Rule {
    code: "DURABLE0021",
    why: "random numbers are different in every replay",
    instead: "`ctx.random_u64()`, which is the same in every replay; for an id, `ctx.new_guid()`",
};
pub(crate) const UNORDERED: Rule = Rule {
    code: "DURABLE0022",
    why: "its order differs between processes, so a loop over it would take a different path in \
          a replay",
    instead: "`BTreeMap` or `BTreeSet`",
};
pub(crate) const SHARED: Rule = Rule {
    code: "DURABLE0023",
    why: "it is shared by all instances and reset in every process, so a replay would find a \
          different value",
    instead: "a `const`, an input, or an activity",
};
pub(crate) const LOCK: Rule = Rule {
    code: "DURABLE0024",
    why: "changes by other threads are not recorded, so a replay would find a different value",
    instead: "plain local values, because an orchestrator runs alone and its branches one at a \
              time; for data from outside, `ctx.wait_for_external_event(name).await`",
};
pub(crate) const FOREIGN: Rule = Rule {
    code: "DURABLE0025",
    why: "it polls its futures in an order of its own, which is not recorded and may differ in a \
          replay",
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
    why: "the attribute cannot see what this macro does with the `.await`, so it cannot check it",
    instead: "`let value = ...await;` before the macro, and `value` in it",
};

/// A macro that may not evaluate an argument which changes the state of the context.
pub(crate) const LEFT_OUT: Rule = Rule {
    code: "DURABLE0027",
    why: "this macro does not evaluate its arguments in every run: a log line is skipped in a \
          replay and below its level, so every later id, random number or request would differ",
    instead: "`let value = ..;` before the macro, and `value` in it",
};
/// The body of an activity, called in place.
pub(crate) const IN_PLACE: Rule = Rule {
    code: "DURABLE0028",
    why: "the body of the activity would run inside the orchestrator: it would not be recorded \
          or retried, and would run again in every replay",
    instead: "an awaited call of the activity instead of its body: `activity(..).await`; `run` is \
              for unit tests",
};

/// All rules, for looking up the codes in `#[durable::allow]`.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_quotes_its_rule() {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for Rule { code, why, instead } in ALL {
            let path = format!("{}/../durable/docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
            let page = words(&std::fs::read_to_string(&path).expect("every rule has a page"));
            let quote = words(&format!("why: {why} write: {instead} if it is safe"));
            assert!(page.contains(&quote), "docs/errors/{code}.md does not say `{quote}`");
        }
    }
}
