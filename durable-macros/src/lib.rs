//! The attributes of `durable`. Use them through that crate, which re-exports them.
//!
//! `function` drives the steps for a function: `attr` reads the options, `ast` the function, `valid`
//! checks both, `body` checks and rewrites the body of an orchestrator, `expand` writes the item. If a
//! rule is broken, `fallback` writes an inert item of the same name, so that its callers compile. All
//! errors of a function are reported at once.

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
mod hash;
mod helper;
mod loops;
mod names;
mod paths;
mod rules;
mod scan;
mod source;
mod syntax;
mod table;
mod truth;
mod unread;
mod uses;
mod valid;
mod values;

use proc_macro::TokenStream;

use crate::ast::Kind;

/// Makes a function an activity: something that an orchestrator can call and that may do anything.
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
/// The function becomes a constructor of calls. Its body stays callable as `say_hello::run(..)`,
/// for unit tests.
///
/// * It is an `async fn`, or a plain `fn`, which runs where it may block.
/// * Parameters are stored as JSON: any type that derives `Serialize` and `Deserialize`, by value,
///   as `&T`, `&str`, `&Path` or `&[T]`. The first may be `ctx: &ActivityContext`. Those of type
///   `State<T>` are filled in by the hub and are not part of the call.
/// * It returns a value, or a `Result`. The error is [`durable::Error`](../durable/struct.Error.html)
///   or a type of your own that derives `Serialize` and `Deserialize` and implements `Display`.
///
/// Options: `name = "..."` for the name in the history (the function's, if left out), `version =
/// "..."`, `crate = path` for where `durable` is found. And how it is called, unless a call says
/// otherwise:
///
/// ```
/// # use durable::prelude::*;
/// #[activity(
///     retry(
///         max_number_of_attempts = 5,    // the first one included
///         first_retry_interval = "1s",
///         backoff_coefficient = 2.0,     // each wait is twice as long as the one before; or 1.0
///         max_retry_interval = "1m",     // no wait is longer; or an hour
///         retry_timeout = "10m",         // no attempt begins later than this; or none
///         jitter = 0.2,                  // up to a fifth of each wait is taken off; or 0.0
///     ),
///     timeout = "15m",                   // of the call over all attempts; or none
///     attempt_timeout = "30s",           // of each attempt; or none
///     max_concurrent = 8,                // runs at once in a hub; or as many as the hub allows
/// )]
/// async fn charge(cents: u32) -> Result<String> {
///     Ok(format!("charged {cents}"))
/// }
/// ```
///
/// A time is a number and its unit (`ms`, `s`, `m`, `h`, `d`), or several: `"1h30m"`, `"1.5s"`.
///
/// A wrong signature is an error on the token that is wrong:
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
    function::function(Kind::Activity, options.into(), &item.into()).into()
}

/// Makes an `async fn` an orchestrator: a function that outlives the process that runs it.
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
/// After a crash the function is run again from the top against the recorded history, so it must
/// do the same again: whatever is not a call goes into an activity.
///
/// The function becomes a constructor of calls, to be given to `TaskHub::start`. Its first parameter
/// is `ctx: &OrchestrationContext`; for the others, for what it returns and for the options, see
/// [`activity`](macro@activity). Of the options on how it is called, which are for when it is called
/// by another orchestrator, there are `retry(..)` and `timeout`.
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
    function::function(Kind::Orchestrator, options.into(), &item.into()).into()
}

/// Makes an entity of a type: a small piece of state, known by a key, whose operations run one after
/// another.
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
/// // In a unit test an operation is a method like others.
/// assert_eq!(Counter { value: 4 }.add(1), 5);
/// ```
///
/// It goes on an `impl` block of a type that derives `Serialize` and `Deserialize`. The block stays as
/// it is; beside it there is `Counter::at(key)`, which gives the entity of that key as a handle. The
/// handle has a method for each operation, and `delete`.
///
/// * Each method with a `self` is an operation: `&mut self`, or `&self` if it only reads. It may be
///   `async`. A function without a `self` is left alone; a method that is no operation stands in
///   another `impl` block.
/// * Right behind `self` there may be `ctx: &EntityContext`; for the other parameters, shared state and
///   what is returned, see [`activity`](macro@activity). What returns an `Err` has changed nothing.
/// * Through a handle, such as `Counter::at("key")`, an operation is as visible as its method.
/// * An entity that has no state yet has that of `Default`, or of the function that the option
///   `initial` names.
///
/// Options: `name = "..."` for the name in its id (the type's, if left out; without regard to case),
/// `initial = path`, `crate = path` for where `durable` is found.
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
/// An entity whose operations are known by name only is a function, `async` or not, of the context:
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
/// What cannot be an operation is an error on the token that is wrong:
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
    entity::entity(options.into(), &item.into()).into()
}

/// Makes an `async fn` one that orchestrators may await: a part of an orchestrator, written once.
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
/// It may have generics, a `self`, and stand in a trait or its implementation; it runs as part of
/// the orchestrator and is replayed with it, so the same rules apply to it. What it becomes is a
/// function that returns `impl DurableFuture<Output = ..>`.
///
/// Option: `crate = path` for where `durable` is found, as for the other attributes.
///
/// ```compile_fail
/// #[durable::helper]
/// async fn wait() {
///     std::future::ready(()).await; // not durable
/// }
/// ```
#[proc_macro_attribute]
pub fn helper(options: TokenStream, item: TokenStream) -> TokenStream {
    helper::helper(&options.into(), &item.into()).into()
}

/// Applies the rules of determinism to a plain `fn` that orchestrators call.
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

/// Makes a type the data of an external event, with the name of the event.
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
/// It goes on a `struct` or an `enum` that derives `Serialize` and `Deserialize`, and leaves it as it
/// is. Options: `name = "..."` for the name of the event (the type's, if left out), `crate = path`
/// for where `durable` is found.
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
    event::event(options.into(), &item.into()).into()
}

/// Allows what a rule of determinism refuses, on a function or a statement, with the reason why it
/// is safe in a replay.
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
