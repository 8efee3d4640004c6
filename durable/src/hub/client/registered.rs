//! The registered functions of a hub as data, for programs that call functions by name.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::definition::{Body, Entry, OperationEntry, Parameters};
use crate::hub::TaskHub;

/// The functions that a hub can run, sorted by name and version; created by
/// [`TaskHub::registered`].
///
/// Orchestrations of this crate itself, such as that of schedules, are left out.
///
/// ```
/// # use durable::TaskHub;
/// fn print(hub: &TaskHub) {
///     let registered = hub.registered();
///     for function in registered.orchestrators.iter().chain(&registered.activities) {
///         println!("{} at {}:{}", function.name, function.file, function.line);
///     }
///     for entity in &registered.entities {
///         println!("{} with {} operations", entity.name, entity.operations.len());
///     }
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Registered {
    /// Functions annotated with [`#[orchestrator]`](macro@crate::orchestrator).
    pub orchestrators: Vec<RegisteredFunction>,
    /// Functions annotated with [`#[activity]`](macro@crate::activity).
    pub activities: Vec<RegisteredFunction>,
    /// Types and functions annotated with [`#[entity]`](macro@crate::entity).
    pub entities: Vec<RegisteredEntity>,
}

/// An orchestrator or an activity in [`Registered`].
///
/// ```
/// use durable::client::RegisteredFunction;
///
/// /// Its signature, for example `charge(cents: u32)`.
/// fn signature(function: &RegisteredFunction) -> String {
///     let parameters = function.parameters.iter();
///     let parameters: Vec<_> = parameters.map(|it| format!("{}: {}", it.name, it.type_name)).collect();
///     format!("{}({})", function.name, parameters.join(", "))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegisteredFunction {
    /// The name by which it is called.
    pub name: &'static str,
    /// Its version; `None` if its attribute names none.
    pub version: Option<&'static str>,
    /// The source file, as the compiler names it.
    pub file: &'static str,
    /// The line of the function's name in that file.
    pub line: u32,
    /// The parameters of a call. As JSON, a single parameter is passed as itself, several as an
    /// array, and none as `null`.
    pub parameters: Vec<Parameter>,
    /// The hash of its source.
    pub code_hash: CodeHash,
    /// The maximum number of calls of the activity that run at once in a process, if its attribute
    /// sets one.
    pub max_concurrent: Option<usize>,
}

/// A hash of the source of a function, without comments and formatting. Functions that it calls do
/// not contribute. As text and in JSON, the hash is 16 hexadecimal digits.
///
/// ```
/// use durable::client::{InstanceDetails, Registered};
///
/// /// Whether the orchestrator was changed after this instance had begun.
/// fn has_changed(instance: &InstanceDetails, registered: &Registered) -> bool {
///     let now = registered.orchestrators.iter().find(|it| {
///         (it.name, it.version) == (&*instance.status.name, instance.status.version.as_deref())
///     });
///     now.zip(instance.code_hash).is_some_and(|(now, then)| now.code_hash != then)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CodeHash(pub(super) u64);

impl fmt::Display for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for CodeHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An entity in [`Registered`].
///
/// ```
/// use durable::client::RegisteredEntity;
///
/// fn has_operation(entity: &RegisteredEntity, name: &str) -> bool {
///     entity.operations.iter().any(|operation| operation.name == name)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegisteredEntity {
    /// The name in its entities' ids, in lower case.
    pub name: &'static str,
    /// The source file, as the compiler names it.
    pub file: &'static str,
    /// The line of the name of the type or function in that file.
    pub line: u32,
    /// Its operations, in source order; empty for a function entity, which dispatches its operations
    /// itself. Every entity also has `delete`.
    pub operations: Vec<RegisteredOperation>,
}

/// An operation of a [`RegisteredEntity`].
///
/// ```
/// use durable::client::{RegisteredEntity, RegisteredOperation};
///
/// /// The operations that change the state of an entity.
/// fn changes(entity: &RegisteredEntity) -> impl Iterator<Item = &RegisteredOperation> {
///     entity.operations.iter().filter(|operation| !operation.is_read_only)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RegisteredOperation {
    /// The name by which it is called; case-insensitive.
    pub name: &'static str,
    /// Whether it takes `&self`, so that it cannot change the state.
    pub is_read_only: bool,
    /// The parameters of a call. As JSON, a single parameter is passed as itself, several as an
    /// array, and none as `null`.
    pub parameters: Vec<Parameter>,
}

/// A parameter of a registered function or operation. Contexts and shared state are not listed,
/// because a call does not pass them.
///
/// ```
/// use durable::client::{Parameter, RegisteredFunction};
///
/// /// Whether a form with one number is enough to start this orchestration.
/// fn takes_a_number(function: &RegisteredFunction) -> bool {
///     matches!(&*function.parameters, [Parameter { type_name: "u32" | "u64", .. }])
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Parameter {
    /// Its name in the source.
    pub name: &'static str,
    /// Its type as the source writes it, such as `&str` or `Vec<Order>`.
    pub type_name: &'static str,
}

impl TaskHub {
    /// Returns the functions that this hub can run: name, version, parameters and source location.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// #[orchestrator(name = "greet")]
    /// async fn greet(ctx: &OrchestrationContext, city: String, times: u32) -> Result<String> {
    ///     Ok(format!("Hello {city}!").repeat(times as usize))
    /// }
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<()> {
    /// let hub = TaskHub::builder().in_memory().open().await?;
    /// let registered = hub.registered();
    /// let greet = &registered.orchestrators[0];
    /// let parameters: Vec<_> = greet.parameters.iter().map(|it| (it.name, it.type_name)).collect();
    /// assert_eq!(parameters, [("city", "String"), ("times", "u32")]);
    /// println!("{}:{} has `{}`", greet.file, greet.line, greet.name);
    /// # Ok(hub.shutdown().await?)
    /// # }
    /// ```
    pub fn registered(&self) -> Registered {
        let mut registered = Registered::default();
        for entry in self.inner.registry.of_program() {
            match entry.body {
                Body::Orchestrator { .. } => registered.orchestrators.push(function(entry)),
                Body::Activity { .. } => registered.activities.push(function(entry)),
                Body::Entity { operations, .. } => registered.entities.push(RegisteredEntity {
                    name: entry.name,
                    file: entry.file,
                    line: entry.line,
                    operations: operations.iter().map(operation).collect(),
                }),
            }
        }
        registered
    }
}

fn function(entry: &Entry) -> RegisteredFunction {
    let Entry { name, version, file, line, parameters: given, code_hash, options, .. } = *entry;
    let (parameters, code_hash) = (parameters(given), CodeHash(code_hash));
    let max_concurrent = options.max_concurrent;
    RegisteredFunction { name, version, file, line, parameters, code_hash, max_concurrent }
}

fn operation(entry: &OperationEntry) -> RegisteredOperation {
    let OperationEntry { name, reads, parameters: given } = *entry;
    RegisteredOperation { name, is_read_only: reads, parameters: parameters(given) }
}

fn parameters(parameters: Parameters) -> Vec<Parameter> {
    parameters.iter().map(|&(name, type_name)| Parameter { name, type_name }).collect()
}
