//! What `#[entity]` generates for a type and for a function, without a hub: methods that can still
//! be called directly, operations as values, and the decoding of stored input into a call of a
//! method.

use std::fmt;

use durable::__private_0_1::{
    EntityBody, EntityFunction, FailureDetails, Json, OperationEntry, OperationRun,
};
use durable::Entity;
use durable::entity::EntityHandle;
use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    missing: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cents are missing", self.missing)
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Wallet {
    cents: u32,
    last: Option<String>,
}

#[entity]
impl Wallet {
    fn add(&mut self, cents: u32) -> u32 {
        self.cents += cents;
        self.cents
    }

    fn get(&self) -> u32 {
        self.cents
    }

    async fn charge(
        &mut self,
        ctx: &EntityContext,
        who: &str,
        cents: u32,
    ) -> Result<String, Refused> {
        let missing = cents.saturating_sub(self.cents);
        self.cents = self.cents.checked_sub(cents).ok_or(Refused { missing })?;
        self.last = Some(who.to_owned());
        Ok(format!("{who} paid {cents} of {}", ctx.key()))
    }

    fn absorb(&mut self, ctx: &EntityContext, others: &[Self]) -> Result<()> {
        self.cents += others.iter().map(|other| other.cents).sum::<u32>();
        ctx.signal(Wallet::at("total").add(self.cents))
    }

    #[cfg(any())]
    fn not_there(&self) {}

    fn priced(&self, price: State<u32>) -> u32 {
        *price
    }
}

/// Echoes.
#[entity(name = "Echoing")]
async fn echo(ctx: &EntityContext) -> Result<String> {
    Ok(ctx.operation().to_owned())
}

fn context(operation: &str) -> EntityContext {
    EntityContext::for_test(Wallet::at("mine"), operation).unwrap()
}

async fn finish(run: OperationRun<'_>) -> Result<String, FailureDetails> {
    let output = match run {
        OperationRun::Async(future) => future.await,
        OperationRun::Done(output) => output,
        OperationRun::Unreadable(failure) => Err(failure),
    };
    output.map(|json| json.as_str().to_owned())
}

async fn run(wallet: &mut Wallet, operation: &str, input: &str) -> Result<String, FailureDetails> {
    let index = Wallet::OPERATIONS.iter().position(|entry| entry.name == operation).unwrap();
    let (context, input) = (context(operation), Json::parse(input).unwrap());
    finish(wallet.run(index, &context, &input)).await
}

#[tokio::test]
async fn operations_are_methods_like_others() {
    let mut wallet = Wallet::default();
    assert_eq!((wallet.add(5), wallet.get()), (5, 5));
    let ctx = context("charge");
    assert_eq!(wallet.charge(&ctx, "Ann", 7).await, Err(Refused { missing: 2 }));
    assert_eq!(wallet.charge(&ctx, "Ann", 4).await.unwrap(), "Ann paid 4 of mine");
    wallet.absorb(&ctx, &[Wallet { cents: 9, last: None }]).unwrap();
    assert_eq!(ctx.sent(), ["add of @wallet@total"]);
}

#[test]
fn a_handle_creates_operations_as_values() {
    let wallet = Wallet::at("mine");
    assert_eq!(wallet.entity_id().unwrap().as_str(), "@wallet@mine");
    assert_eq!(format!("{:?}", wallet.charge("Ann", 5)), "Operation(charge of @wallet@mine)");
    assert_eq!(format!("{:?}", wallet.delete()), "Operation(delete of @wallet@mine)");
    let mut locked = wallet.clone().locked();
    assert_eq!(format!("{:?}", locked.add(5)), "LockedOperation(add of @wallet@mine)");
    let unnamed = Wallet::at("a/b").add(5);
    assert!(format!("{unnamed:?}").contains("`@wallet@a/b` cannot name an entity"), "{unnamed:?}");
}

#[test]
fn a_type_is_known_by_its_name_in_lower_case_and_its_operations_by_theirs() {
    assert_eq!((Wallet::ENTRY.name, echo::ENTRY.name), ("wallet", "echoing"));
    let known = |entry: &OperationEntry| (entry.name, entry.reads);
    let operations: Vec<_> = Wallet::OPERATIONS.iter().map(known).collect();
    let expected =
        [("add", false), ("get", true), ("charge", false), ("absorb", false), ("priced", true)];
    assert_eq!(operations, expected);
    assert_eq!(Wallet::initial(), Wallet::default());
}

#[tokio::test]
async fn stored_input_becomes_a_call_of_the_method() {
    let mut wallet = Wallet::default();
    assert_eq!(run(&mut wallet, "add", "9").await.unwrap(), "9");
    assert_eq!(run(&mut wallet, "get", "null").await.unwrap(), "9");
    let paid = run(&mut wallet, "charge", r#"["Ann",4]"#).await;
    assert_eq!(paid.unwrap(), r#""Ann paid 4 of mine""#);
    assert_eq!(wallet, Wallet { cents: 5, last: Some("Ann".to_owned()) });
    assert_eq!(run(&mut wallet, "absorb", r#"[{"cents":2}]"#).await.unwrap(), "null");
    assert_eq!(wallet.cents, 7);
}

#[tokio::test]
async fn a_failed_operation_carries_its_reason() {
    let mut wallet = Wallet::default();
    let refused = run(&mut wallet, "charge", r#"["Ann",4]"#).await.unwrap_err();
    assert_eq!(refused.message, "4 cents are missing");
    assert_eq!(refused.value.unwrap().as_str(), r#"{"missing":4}"#);
    let unreadable = run(&mut wallet, "add", r#""five""#).await.unwrap_err();
    assert!(unreadable.message.starts_with("parameter `cents` cannot be read: "), "{unreadable}");
    let too_few = run(&mut wallet, "charge", r#"["Ann"]"#).await.unwrap_err();
    assert_eq!(
        too_few.message,
        "expected 2 parameters, found 1; an instance keeps the input with which it was started; add \
         parameters at the end, as `Option<..>`, or take one struct and add fields with \
         `#[serde(default)]`"
    );
    let without_state = run(&mut wallet, "priced", "null").await.unwrap_err();
    assert!(without_state.message.contains("`u32`"), "{without_state}");
}

#[tokio::test]
async fn an_entity_function_receives_every_operation() {
    let context = EntityContext::for_test(echo::at("a"), "shout").unwrap();
    assert_eq!(finish(<echo as EntityFunction>::run(&context)).await.unwrap(), r#""shout""#);
    assert_eq!(echo::run(&context).await.unwrap(), "shout");
    assert_eq!(echo::at("a").entity_id().unwrap().as_str(), "@echoing@a");
}
