//! Critical sections: while an orchestration holds one, no one else changes the locked entities.
//!
//! The rules are those of Durable Functions:
//! 1. Critical sections cannot be nested.
//! 2. A critical section cannot call a sub-orchestration.
//! 3. It can only call entities that it has locked.
//! 4. It cannot call a locked entity twice at the same time.
//! 5. It cannot signal a locked entity.
//! 6. Its entities can only be called once the lock is granted.
//! 7. It must lock at least one entity.
//!
//! `in_critical_section.rs` checks at compile time what types can express; every request is checked
//! when it is made (`orchestration/scope/section.rs`).

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{EntityHandle, EntityRef};
use crate::error::Result;
use crate::orchestration::request::{Ask, Request};
use crate::orchestration::scope::Scope;
use crate::orchestration::{Durable, OrchestrationContext};
use crate::protocol::{EntityId, InvalidEntityId};

/// The entities that a critical section locks: an entity's handle, or a tuple of up to eight
/// handles, an array or a `Vec` of them.
///
/// ```
/// # use durable::prelude::*;
/// # use durable::EntityId;
/// #[orchestrator]
/// async fn reset(ctx: &OrchestrationContext, counters: Vec<EntityId>) -> Result<()> {
///     let counters: Vec<_> = counters.iter().map(EntityId::handle).collect();
///     let mut counters = ctx.lock_entities(counters).await?; // all of them, without a deadlock
///     for counter in counters.iter_mut() {
///         counter.operation::<()>("set", &0).await?;
///     }
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a critical section cannot lock `{Self}`",
    label = "not an entity handle, nor a tuple, array or `Vec` of them (rule 7: lock at least one entity)",
    note = "pass the handles that `at(key)` returns: `ctx.lock_entities((Account::at(\"a\"), Account::at(\"b\")))`"
)]
pub trait LockSet {
    /// The same entities, locked.
    type Locked;

    #[doc(hidden)]
    fn entities(&self) -> Vec<&EntityRef>;

    #[doc(hidden)]
    fn locked(self) -> Self::Locked;
}

#[diagnostic::do_not_recommend]
impl<H: EntityHandle> LockSet for H {
    type Locked = H::Locked;

    fn entities(&self) -> Vec<&EntityRef> {
        vec![self.entity()]
    }

    fn locked(self) -> H::Locked {
        EntityHandle::locked(self)
    }
}

#[diagnostic::do_not_recommend]
impl<H: EntityHandle> LockSet for Vec<H> {
    type Locked = Vec<H::Locked>;

    fn entities(&self) -> Vec<&EntityRef> {
        self.iter().map(EntityHandle::entity).collect()
    }

    fn locked(self) -> Self::Locked {
        self.into_iter().map(EntityHandle::locked).collect()
    }
}

#[diagnostic::do_not_recommend]
impl<H: EntityHandle, const N: usize> LockSet for [H; N] {
    type Locked = [H::Locked; N];

    fn entities(&self) -> Vec<&EntityRef> {
        self.iter().map(EntityHandle::entity).collect()
    }

    fn locked(self) -> Self::Locked {
        self.map(EntityHandle::locked)
    }
}

macro_rules! tuples {
    ($(($($handle:ident . $index:tt),+))+) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($handle: EntityHandle),+> LockSet for ($($handle,)+) {
            type Locked = ($($handle::Locked,)+);

            fn entities(&self) -> Vec<&EntityRef> {
                vec![$(self.$index.entity()),+]
            }

            fn locked(self) -> Self::Locked {
                ($(self.$index.locked(),)+)
            }
        }
    )+};
}

tuples! {
    (A.0)
    (A.0, B.1)
    (A.0, B.1, C.2)
    (A.0, B.1, C.2, D.3)
    (A.0, B.1, C.2, D.3, E.4)
    (A.0, B.1, C.2, D.3, E.4, F.5)
    (A.0, B.1, C.2, D.3, E.4, F.5, G.6)
    (A.0, B.1, C.2, D.3, E.4, F.5, G.6, H.7)
}

/// A critical section that has not begun: returned by
/// [`lock_entities`](crate::OrchestrationContext::lock_entities). Await it to enter the section.
///
/// ```
/// # use durable::prelude::*;
/// use durable::EntityId;
///
/// #[orchestrator]
/// async fn reset(ctx: &OrchestrationContext, counter: EntityId) -> Result<()> {
///     let lock = ctx.lock_entities(counter.handle()); // nothing is requested yet
///     let mut counter = lock.await?;
///     Ok(counter.operation("reset", &()).await?)
/// }
/// ```
#[must_use = "nothing is locked until this is awaited"]
pub struct LockEntities<K> {
    scope: Rc<Scope>,
    unlocked: LockOrder,
    locked: K,
}

/// The entities to lock, or why one of their ids is invalid.
struct LockOrder {
    entities: Result<Vec<EntityId>, InvalidEntityId>,
    source: &'static Location<'static>,
}

impl<K> LockEntities<K> {
    fn new(
        scope: Rc<Scope>,
        set: impl LockSet<Locked = K>,
        source: &'static Location<'static>,
    ) -> Self {
        let ids = set.entities().into_iter().map(|entity| entity.id().cloned());
        let unlocked = LockOrder { entities: ids.collect(), source };
        Self { scope, unlocked, locked: set.locked() }
    }
}

impl<K> IntoFuture for LockEntities<K> {
    type Output = Result<CriticalSection<K>>;
    type IntoFuture = LockTask<K>;

    fn into_future(self) -> LockTask<K> {
        let Self { scope, unlocked, locked } = self;
        LockTask { scope, locked: Some(locked), state: State::Lazy(unlocked) }
    }
}

impl<K> fmt::Debug for LockEntities<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockEntities")
    }
}

impl OrchestrationContext {
    /// Locks entities: enters a critical section, during which no one else changes them.
    ///
    /// Await the result, which waits until every entity is unlocked by its current holder. The
    /// section ends when the [`CriticalSection`] is dropped. Locks are always taken in the same
    /// order, so critical sections cannot deadlock. They survive crashes, and end with the
    /// instance, however it ends.
    ///
    /// Durable Functions' [rules] apply: critical sections cannot be nested; they cannot call
    /// sub-orchestrations; they call only locked entities, each once at a time; and they cannot
    /// signal a locked entity.
    ///
    /// # Errors
    /// The future returns an error if the section breaks a rule or an entity's key is invalid.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use serde::{Serialize, Deserialize};
    /// # #[derive(Default, Serialize, Deserialize)]
    /// # struct Account(i64);
    /// # #[entity]
    /// # impl Account {
    /// #     fn withdraw(&mut self, cents: i64) -> Result<()> { self.0 -= cents; Ok(()) }
    /// #     fn deposit(&mut self, cents: i64) { self.0 += cents; }
    /// # }
    /// #[orchestrator]
    /// async fn transfer(
    ///     ctx: &OrchestrationContext,
    ///     from: String,
    ///     to: String,
    ///     cents: i64,
    /// ) -> Result<()> {
    ///     let mut accounts = ctx.lock_entities((Account::at(from), Account::at(to))).await?;
    ///     accounts.0.withdraw(cents).await?; // an error ends the critical section
    ///     accounts.1.deposit(cents).await?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// [rules]:
    /// https://learn.microsoft.com/azure/azure-functions/durable/durable-functions-entities#critical-section-rules
    #[doc(alias = "mutex")]
    #[track_caller]
    pub fn lock_entities<L: LockSet>(&self, entities: L) -> LockEntities<L::Locked> {
        LockEntities::new(Rc::clone(self.scope()), entities, Location::caller())
    }

    /// Returns the entities that the current critical section has locked; `None` outside a critical
    /// section.
    ///
    /// ```
    /// # use durable::prelude::*;
    /// # use durable::EntityId;
    /// #[orchestrator]
    /// async fn pay(ctx: &OrchestrationContext, account: EntityId) -> Result<()> {
    ///     let section = ctx.lock_entities(account.handle()).await?;
    ///     assert_eq!(ctx.locked_entities(), Some(vec![account]));
    ///     drop(section);
    ///     assert_eq!(ctx.locked_entities(), None);
    ///     Ok(())
    /// }
    /// ```
    pub fn locked_entities(&self) -> Option<Vec<EntityId>> {
        self.scope().locked_entities()
    }
}

#[diagnostic::do_not_recommend]
impl<K> Durable for LockEntities<K> {}
#[diagnostic::do_not_recommend]
impl<K> Durable for LockTask<K> {}

/// The future of a [`LockEntities`]. Dropping it abandons the request.
///
/// ```
/// # use durable::prelude::*;
/// # use durable::protocol::EntityId;
/// use std::future::IntoFuture;
/// use std::pin::pin;
/// use std::time::Duration;
///
/// #[orchestrator]
/// async fn try_to_lock(ctx: &OrchestrationContext, entity: EntityId) -> Result<bool> {
///     let lock = pin!(ctx.lock_entities(entity.handle()).into_future());
///     Ok(durable::timeout(Duration::from_secs(60), lock).await.is_ok())
/// }
/// ```
#[must_use = "nothing is locked until this is awaited"]
pub struct LockTask<K> {
    scope: Rc<Scope>,
    locked: Option<K>,
    state: State,
}

enum State {
    /// Not requested yet.
    Lazy(LockOrder),
    /// Requested, with this id.
    Requested(i32),
    Done,
}

/// It has no field that would have to be pinned.
impl<K> Unpin for LockTask<K> {}

impl<K> LockTask<K> {
    /// Requests the locks; returns the id of the request.
    fn request(&self, order: LockOrder) -> Result<i32> {
        let mut lock_set = order.entities?;
        // Every orchestration locks in the same order, so no two can deadlock.
        lock_set.sort_unstable();
        lock_set.dedup();
        let request = Request { ask: Ask::LockEntities(lock_set), source: order.source };
        match self.scope.refuses(&request) {
            Some(refused) => Err(refused.into()),
            None => Ok(self.scope.request(Box::new(request))),
        }
    }
}

impl<K> Future for LockTask<K> {
    type Output = Result<CriticalSection<K>>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let lock = match std::mem::replace(&mut self.state, State::Done) {
            State::Lazy(order) => self.request(order)?,
            State::Requested(lock) => lock,
            State::Done => return Poll::Pending,
        };
        let Some(granted) = self.scope.take_result(lock) else {
            self.state = State::Requested(lock);
            return Poll::Pending;
        };
        Poll::Ready(match (granted, self.locked.take()) {
            (Ok(_), Some(locked)) => {
                Ok(CriticalSection { scope: Rc::clone(&self.scope), lock, locked })
            }
            (Err(failure), _) => Err(failure.into()),
            (Ok(_), None) => return Poll::Pending,
        })
    }
}

impl<K> Drop for LockTask<K> {
    fn drop(&mut self) {
        if let (State::Requested(lock), Some(scope)) = (&self.state, Scope::current()) {
            scope.abandon_lock(*lock);
        }
    }
}

impl<K> fmt::Debug for LockTask<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockTask")
    }
}

/// A critical section: while it is held, no one else changes the entities that it has locked.
///
/// Call the entities through it: `section.withdraw(5).await?` if it locked one entity,
/// `section.0.withdraw(5)` if it locked a tuple, `section[0].withdraw(5)` if it locked an array or
/// a `Vec`. To call several at the same time, split it: `let (from, to) = &mut *section;`.
///
/// ```
/// # use durable::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Account { cents: i64 }
/// # #[entity]
/// # impl Account {
/// #     fn withdraw(&mut self, cents: i64) { self.cents -= cents; }
/// #     fn deposit(&mut self, cents: i64) { self.cents += cents; }
/// # }
/// #[orchestrator]
/// async fn transfer(ctx: &OrchestrationContext, cents: i64) -> Result<()> {
///     let mut section = ctx.lock_entities((Account::at("ada"), Account::at("bob"))).await?;
///     let (from, to) = &mut *section;
///     durable::try_join((from.withdraw(cents), to.deposit(cents))).await?;
///     Ok(())
/// }
/// ```
///
/// The section ends when it is dropped, or at the latest when the orchestrator ends, for whatever
/// reason. Nothing is rolled back: if the section ends with an error, undoing its operations is up
/// to the orchestrator.
#[must_use = "the critical section ends when this is dropped; bind it to a name"]
pub struct CriticalSection<K> {
    scope: Rc<Scope>,
    lock: i32,
    locked: K,
}

impl<K> Deref for CriticalSection<K> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.locked
    }
}

impl<K> DerefMut for CriticalSection<K> {
    fn deref_mut(&mut self) -> &mut K {
        &mut self.locked
    }
}

impl<K> Drop for CriticalSection<K> {
    fn drop(&mut self) {
        // An eviction of the instance also drops this, but outside a scope, so it does not end the
        // section.
        if Scope::current().is_some() {
            self.scope.end_section(self.lock);
        }
    }
}

impl<K> fmt::Debug for CriticalSection<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CriticalSection({})", self.lock)
    }
}
