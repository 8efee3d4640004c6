//! The attributes of `durable`. Use them through that crate, which re-exports them.
//!
//! `function` drives the steps for a function: `attr` reads the options, `ast` the function,
//! `valid` checks both, `body` checks and rewrites the body of an orchestrator, `expand` writes the
//! item. If a rule is broken, `fallback` writes an inert item of the same name, so that its callers
//! compile. All errors of a function are reported at once.

mod allow;
mod ast;
mod attr;
mod body;
mod broken;
mod critical_section;
mod entity;
mod errors;
mod event;
mod expand;
mod fallback;
mod foreign;
mod function;
#[cfg(test)]
mod fuzz;
mod hash;
mod helper;
mod loops;
mod manifest;
mod names;
mod parameters;
mod paths;
mod rules;
mod scan;
mod source;
mod syntax;
mod table;
mod toml;
mod truth;
mod unread;
mod uses;
mod valid;
mod values;

use proc_macro::TokenStream;

use crate::ast::Kind;

/// Turns a function into an activity: a step that orchestrators call and that may do anything.
///
/// ```
/// use durable::prelude::*;
///
/// /// Greets a city.
/// #[activity]
/// async fn say_hello(city: &str) -> Result<String> {
///     Ok(format!("Hello {city}!"))
/// }
///
/// let call = say_hello("Tokyo"); // a value: nothing happens before it is awaited
/// ```
///
/// The function now returns a call. Its body can be called as `say_hello::run(..)`, for unit tests.
///
/// * It is an `async fn`, or a plain `fn`, which runs on a thread that may block.
/// * Parameters are stored as JSON: any type that derives `Serialize` and `Deserialize`, by value,
///   as `&T`, `&str`, `&Path` or `&[T]`. The first may be `ctx: &ActivityContext`. The hub provides
///   those of type `State<T>`, which are not part of the call.
/// * It returns a value, or a `Result`. The error is [`durable::Error`](../durable/struct.Error.html)
///   or a type of your own that derives `Serialize` and `Deserialize` and implements `Display`.
///
/// Options: `name = "..."` is the name in the history (by default that of the function), `version =
/// "..."` its version, and `crate = path` says where `durable` is, for example if the dependency
/// has another name. The other options are defaults that a call can override:
///
/// ```
/// # use durable::prelude::*;
/// #[activity(
///     retry(
///         max_number_of_attempts = 5,    // including the first
///         first_retry_interval = "1s",
///         backoff_coefficient = 2.0,     // each wait is twice the one before; default 1.0
///         max_retry_interval = "1m",     // the longest wait; default one hour
///         retry_timeout = "10m",         // no attempt starts after this; default none
///         jitter = 0.2,                  // shortens each wait by up to a fifth; default 0.0
///     ),
///     timeout = "15m",                   // limits the call, over all attempts; default none
///     attempt_timeout = "30s",           // limits each attempt; default none
///     max_concurrent = 8,                // runs at a time in a hub; default: the hub's limit
/// )]
/// async fn charge(cents: u32) -> Result<String> {
///     Ok(format!("charged {cents}"))
/// }
/// ```
///
/// With the option `transactional`, an activity takes a transaction of the store of the hub by `&mut`, as
/// its first parameter after the context. Its work in that transaction and its recorded result are
/// committed together or not at all; see the crate `durable-postgres`.
///
/// A duration is a number with a unit (`ms`, `s`, `m`, `h`, `d`), or several: `"1h30m"`, `"1.5s"`.
///
/// A signature that an activity cannot have is a compile error:
///
/// ```compile_fail
/// use durable::prelude::*;
///
/// #[activity]
/// async fn first<T>(values: Vec<T>) -> T {
///     values.into_iter().next().unwrap()
/// }
/// ```
#[doc(alias = "task")]
#[doc(alias = "step")]
#[proc_macro_attribute]
pub fn activity(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("activity", options, item, |options, item| {
        function::function(Kind::Activity, options, item)
    })
}

/// Turns an `async fn` into an orchestrator: a function that outlives the process that runs it.
///
/// ```
/// use durable::prelude::*;
///
/// # #[activity]
/// # async fn say_hello(city: &str) -> Result<String> { Ok(format!("Hello {city}!")) }
/// #[orchestrator]
/// async fn hello_sequence(ctx: &OrchestrationContext, cities: Vec<String>) -> Result<Vec<String>> {
///     let mut greetings = Vec::new();
///     for city in &cities {
///         greetings.push(say_hello(city).await?);
///     }
///     Ok(greetings)
/// }
/// ```
///
/// After a crash, the function runs again from the top against its recorded history, so it must be
/// deterministic: I/O, clocks and random numbers belong in activities.
///
/// The function now returns a call: pass it to `TaskHub::start`, or await it in another
/// orchestrator. Its first parameter is `ctx: &OrchestrationContext`. The other parameters, the
/// return type and the options are those of [`activity`](macro@activity), but of those
/// that set defaults for calls, only `retry(..)` and `timeout` are allowed; they apply when another
/// orchestrator calls it.
///
/// ```compile_fail
/// use durable::prelude::*;
///
/// #[orchestrator]
/// fn not_async(ctx: &OrchestrationContext) {}
/// ```
#[doc(alias = "workflow")]
#[doc(alias = "child_workflow")]
#[proc_macro_attribute]
pub fn orchestrator(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("orchestrator", options, item, |options, item| {
        function::function(Kind::Orchestrator, options, item)
    })
}

/// Turns a type into an entity: a small piece of state with a key, whose operations run one at a
/// time.
///
/// ```
/// use durable::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter {
///     value: i64,
/// }
///
/// #[entity]
/// impl Counter {
///     /// Adds to the counter.
///     fn add(&mut self, n: i64) -> i64 {
///         self.value += n;
///         self.value
///     }
///
///     fn get(&self) -> i64 {
///         self.value
///     }
/// }
///
/// #[orchestrator]
/// async fn visit(ctx: &OrchestrationContext, page: String) -> Result<i64> {
///     Counter::at("all").add(1).signal()?; // waits for nothing
///     Ok(Counter::at(page).add(1).await?)  // waits for the answer
/// }
///
/// // In a unit test, an operation can be called like any other method.
/// assert_eq!(Counter { value: 4 }.add(1), 5);
/// ```
///
/// Apply it to an `impl` block of a type that derives `Serialize` and `Deserialize`. The block
/// itself does not change. The attribute adds `Counter::at(key)`, which returns a handle of the
/// entity with that key. The handle has a method for each operation, and `delete`.
///
/// * Each method with `self` is an operation: `&mut self`, or `&self` if it only reads. It may be
///   `async`. Functions without `self` are ignored. A method that is not an operation belongs in
///   another `impl` block.
/// * The first parameter after `self` may be `ctx: &EntityContext`. The other parameters, shared state
///   and the return type are those of [`activity`](macro@activity). An operation that returns an `Err`
///   changes nothing.
/// * A method of the handle is as visible as the operation.
/// * The first state of an entity is that of `Default`, or of the function in the option `initial`.
///
/// Options: `name = "..."` is the name in its id (by default that of the type; case does not
/// matter), `initial = path`, and `crate = path` says where `durable` is.
///
/// ```
/// # use durable::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Serialize, Deserialize)]
/// struct Account {
///     cents: u64,
///     limit: u64,
/// }
///
/// #[entity(name = "bank.account", initial = Account::new)]
/// impl Account {
///     fn new() -> Self {
///         Self { cents: 0, limit: 100_000 }
///     }
///
///     async fn deposit(&mut self, ctx: &EntityContext, who: &str, cents: u64) -> Result<u64> {
///         if self.cents + cents > self.limit {
///             return Err(Error::msg(format!("{} is full, says {who}", ctx.entity_id())));
///         }
///         self.cents += cents;
///         Ok(self.cents)
///     }
/// }
/// ```
///
/// An entity can also be a function of the context, `async` or not, which runs all operations by
/// name:
///
/// ```
/// # use durable::prelude::*;
/// #[entity]
/// async fn counter(ctx: &EntityContext) -> Result<i64> {
///     let value = ctx.state()?.unwrap_or(0);
///     match ctx.operation() {
///         "add" => {
///             ctx.set_state(&(value + ctx.input::<i64>()?))?;
///             Ok(value)
///         }
///         "get" => Ok(value),
///         other => Err(Error::msg(format!("a counter cannot {other}"))),
///     }
/// }
///
/// #[orchestrator]
/// async fn visit(ctx: &OrchestrationContext) -> Result<i64> {
///     Ok(counter::at("all").operation("add", &1).await?)
/// }
/// ```
///
/// A method that cannot be an operation is a compile error:
///
/// ```compile_fail
/// # use durable::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter(i64);
///
/// #[entity]
/// impl Counter {
///     fn take(self) -> i64 {
///         self.0
///     }
/// }
/// ```
#[doc(alias = "actor")]
#[doc(alias = "virtual_object")]
#[proc_macro_attribute]
pub fn entity(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("entity", options, item, entity::entity)
}

/// Turns an `async fn` into a helper: a part of an orchestrator that others can share.
///
/// ```
/// use durable::prelude::*;
///
/// # #[activity]
/// # async fn reserve(item: &str) -> Result<u32> { Ok(5) }
/// # #[activity]
/// # async fn charge(cents: u32) -> Result<()> { Ok(()) }
/// #[durable::helper]
/// async fn buy(item: &str) -> Result<u32> {
///     let cents = reserve(item).await?;
///     charge(cents).await?;
///     Ok(cents)
/// }
///
/// #[orchestrator]
/// async fn order(ctx: &OrchestrationContext, items: Vec<String>) -> Result<u32> {
///     let mut sum = 0;
///     for item in &items {
///         sum += buy(item).await?;
///     }
///     Ok(sum)
/// }
/// ```
///
/// A helper may be generic, take `self`, and be a method of a trait. It runs as part of the
/// orchestrator and is replayed with it, so the same rules apply to it. The attribute turns it into
/// a function that returns `impl DurableFuture<Output = ..>`.
///
/// Option: `crate = path` says where `durable` is.
///
/// ```compile_fail
/// #[durable::helper]
/// async fn wait() {
///     std::future::ready(()).await; // not durable
/// }
/// ```
#[proc_macro_attribute]
pub fn helper(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("helper", options, item, |options, item| helper::helper(&options, item))
}

/// Applies the rules of determinism to a plain `fn` that orchestrators call.
///
/// Option: `crate = path` says where `durable` is.
///
/// ```
/// #[durable::deterministic]
/// fn discount(cents: u64, items: usize) -> u64 {
///     if items > 10 { cents * 9 / 10 } else { cents }
/// }
/// ```
///
/// ```compile_fail
/// #[durable::deterministic]
/// fn deadline() -> std::time::Instant {
///     std::time::Instant::now() // DURABLE0001
/// }
/// ```
#[proc_macro_attribute]
pub fn deterministic(options: TokenStream, item: TokenStream) -> TokenStream {
    helper::deterministic(&options.into(), &item.into()).into()
}

/// Turns a type into an external event: its data, and its name.
///
/// ```
/// use durable::ExternalEvent;
/// use serde::{Deserialize, Serialize};
///
/// #[durable::event]
/// #[derive(Serialize, Deserialize)]
/// struct Approval {
///     by: String,
/// }
///
/// assert_eq!(Approval::NAME, "Approval");
/// ```
///
/// Apply it to a `struct` or an `enum` that derives `Serialize` and `Deserialize`. Options: `name =
/// "..."` is the name of the event (by default that of the type), and `crate = path` says where
/// `durable` is.
///
/// An event cannot be generic, because its name identifies one type:
///
/// ```compile_fail
/// #[durable::event]
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Changed<T> {
///     to: T,
/// }
/// ```
#[proc_macro_attribute]
pub fn event(options: TokenStream, item: TokenStream) -> TokenStream {
    manifest::checked("event", options, item, event::event)
}

/// Allows what a rule of determinism forbids, in a function or a statement, and says why it is safe
/// in a replay.
///
/// ```
/// use durable::prelude::*;
/// use std::collections::HashMap;
///
/// #[orchestrator]
/// async fn count(ctx: &OrchestrationContext, words: Vec<String>) -> usize {
///     #[durable::allow(DURABLE0022, reason = "only counted, never looped over")]
///     let seen: HashMap<&str, u32> = words.iter().map(|word| (word.as_str(), 1)).collect();
///     seen.len()
/// }
/// ```
#[proc_macro_attribute]
pub fn allow(options: TokenStream, item: TokenStream) -> TokenStream {
    helper::allow(&options.into(), &item.into()).into()
}
