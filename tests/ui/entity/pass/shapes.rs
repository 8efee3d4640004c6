//! Signatures of operations.

#![deny(warnings, missing_docs, unreachable_pub)]
#![allow(dead_code)]

use std::fmt;
use std::path::Path;

use durable::prelude::*;
use durable::entity::EntityHandle;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Refused {
    cents: u32,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cents are too much", self.cents)
    }
}

struct Pool(u8);

#[derive(Clone, Default, Serialize, Deserialize)]
struct Account {
    cents: u32,
    names: Vec<String>,
}

#[entity]
impl Account {
    const MOST: u32 = 1_000;

    /// Adds, and tells the sum.
    fn add(&mut self, cents: u32) -> u32 {
        self.cents += cents;
        self.cents
    }

    fn get(&self) -> u32 {
        self.cents
    }

    fn clear(&mut self) {
        self.cents = Self::zero();
    }

    async fn charge(
        &mut self,
        ctx: &EntityContext,
        who: &str,
        cents: u32,
    ) -> Result<(), Refused> {
        if cents > Self::MOST {
            return Err(Refused { cents });
        }
        self.names.push(format!("{who} of {}", ctx.key()));
        self.charge_again(cents);
        Ok(())
    }

    fn with_pool(&mut self, pool: State<Pool>, x: u8) -> u8 {
        pool.0 + x
    }

    async fn with_pool_too(&self, ctx: &EntityContext, pool: &State<Pool>) -> Result<u8> {
        Ok(pool.0 + u8::try_from(ctx.batch_size())?)
    }

    fn merge(&mut self, other: Self, others: &[Self], more: Vec<Option<Self>>) -> Option<Self> {
        self.cents += other.cents + others.iter().map(|it| it.cents).sum::<u32>();
        more.into_iter().flatten().next()
    }

    fn replace(&mut self, other: &Self) -> Result<Self> {
        let old = std::mem::replace(self, other.clone());
        if old.cents > 0 { Ok(old) } else { Err(Error::msg("there was none")) }
    }

    fn look(&self, path: &Path, (a, b): (u8, u8), mut n: u32) -> std::result::Result<u32, Refused> {
        n += u32::from(a) + u32::from(b);
        if path.is_absolute() { Ok(n) } else { Err(Refused { cents: n }) }
    }

    fn r#type(&self, r#in: u8) -> u8 {
        r#in
    }

    #[cfg(any())]
    fn not_there(&self, thing: NoSuchType) -> NoSuchType {
        thing
    }

    #[cfg(not(any()))]
    fn there(&self) {}

    #[cfg(any())]
    fn either(&self) -> u8 {
        1
    }

    #[cfg(not(any()))]
    fn either(&self) -> u16 {
        2
    }

    #[deprecated = "use `add`"]
    fn old(&self) {}

    fn zero() -> u32 {
        0
    }

    pub(crate) fn open(&self) {}
}

impl Account {
    fn charge_again(&mut self, cents: u32) {
        self.cents -= cents;
    }

    /// No operation.
    fn first_name(&self) -> Option<&str> {
        self.names.first().map(String::as_str)
    }
}

/// A state that is a list.
#[derive(Default, Serialize, Deserialize)]
pub struct Names(Vec<String>);

#[entity(name = "List.Of-Names")]
impl Names {
    /// The own one.
    pub fn delete(&mut self, ctx: &EntityContext) -> usize {
        ctx.delete();
        self.0.len()
    }
}

mod inner {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub(crate) enum Light {
        On,
        Off { since: u64 },
    }

    impl Light {
        pub(crate) fn off() -> Self {
            Self::Off { since: 0 }
        }
    }

    #[derive(Default, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Of<T>(pub(crate) T);
}

#[entity(initial = Self::off)]
impl inner::Light {
    fn switch(&mut self) {
        *self = match self {
            Self::On => Self::Off { since: 1 },
            Self::Off { .. } => Self::On,
        };
    }
}

#[entity(name = "of_u8")]
impl inner::Of<u8> {
    fn add(&mut self, other: Self) {
        self.0 += other.0;
    }
}

fn started() -> Started {
    Started { at: 5 }
}

#[derive(Serialize, Deserialize)]
struct Started {
    at: u64,
}

#[entity(initial = started, crate = ::durable)]
impl Started {
    fn at_time(&self) -> u64 {
        self.at
    }
}

/// Counts.
#[entity]
async fn counter(ctx: &EntityContext) -> Result<i64> {
    match ctx.operation() {
        "add" => {
            let sum = ctx.state::<i64>()?.unwrap_or(0) + ctx.input::<i64>()?;
            ctx.set_state(&sum)?;
            Ok(sum)
        }
        other => Err(Error::msg(format!("no {other}"))),
    }
}

#[entity(name = "Blocking")]
pub(crate) fn plain(ctx: &EntityContext, pool: State<Pool>) -> usize {
    ctx.key().len() + usize::from(pool.0)
}

#[entity]
fn refusing(_: &EntityContext) -> Result<(), Refused> {
    Err(Refused { cents: 1 })
}

#[orchestrator]
async fn all(ctx: &OrchestrationContext) -> Result<u32> {
    let account = Account::at("a");
    let sum: u32 = account.add(5).await?;
    let charged = account.charge("me", 7).await;
    if let Err(failed) = charged {
        let Some(Refused { cents }) = failed.into_error() else { return Ok(0) };
        return Ok(cents);
    }
    let merged: Option<Account> =
        account.merge(Account::default(), &[Account::default()], vec![None]).await?;
    let pooled: u8 = account.with_pool(1).await?;
    let other = account.clone();
    let looked: u32 = other.look(Path::new("/"), (1, 2), 3).await?;
    let either: u16 = other.either().await?;
    account.open().signal()?;
    account.r#type(1).signal()?;
    account.delete().await?;
    let deleted: usize = Names::at(String::from("k")).delete().await?;
    inner::Light::at("k").switch().await?;
    inner::Of::<u8>::at("k").add(inner::Of(5)).await?;
    let counted: i64 = counter::at("k").operation("add", &5).await?;
    drop((merged, pooled, either, deleted, counted));
    Ok(sum + looked)
}

async fn locked(account: &mut <<Account as durable::Entity>::Handle as EntityHandle>::Locked) {
    let _ = account.add(5).await;
    let _ = account.delete().await;
}

fn is_entity<E: durable::Entity>() {}

fn main() -> Result<()> {
    is_entity::<Account>();
    is_entity::<counter>();
    let _ = (all(), locked);
    let ctx = EntityContext::for_test(Account::at("a"), "add")?;
    assert_eq!(Account::default().add(5), 5);
    drop(Account::default().charge(&ctx, "me", 7));
    assert_eq!(Account::at("a").entity_id()?.as_str(), "@account@a");
    assert_eq!(Names::at("b").entity_id()?.as_str(), "@list.of-names@b");
    assert_eq!(plain::at("c").entity_id()?.as_str(), "@blocking@c");
    assert_eq!(format!("{:?}", Account::at("a").add(7)), "Operation(add of @account@a)");
    Ok(())
}
