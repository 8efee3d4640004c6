//! Critical sections: entities that nobody else changes meanwhile.
//!
//! The seven rules are Durable Functions' (its documentation of critical sections):
//! 1. A critical section has no other one inside.
//! 2. It calls no sub-orchestration.
//! 3. It calls no entity that it has not locked.
//! 4. It calls a locked entity once at a time.
//! 5. It signals no locked entity.
//! 6. Its entities are called once the lock is granted.
//! 7. It locks something.
//!
//! Where types can see a rule they keep it; all are kept here, at the request.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::request::{Ask, Request};
use super::scope::Scope;
use crate::entity::{EntityHandle, EntityRef};
use crate::error::Result;
use crate::protocol::{EntityId, FailureDetails, InvalidEntityId};

/// What a critical section locks: the handle of an entity, a tuple of up to eight, an array or a
/// `Vec`.
#[diagnostic::on_unimplemented(
    message = "a critical section cannot lock `{Self}`",
    label = "rule 7: a critical section locks at least one entity",
    note = "write `ctx.lock_entities((Account::at(\"a\"), Account::at(\"b\")))`, with what `at(key)` of an entity gives"
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

/// What [`lock_entities`](crate::OrchestrationContext::lock_entities) gives: a critical section that has
/// not begun. It begins when this has been awaited.
#[must_use = "nothing is locked until this is awaited"]
pub struct LockEntities<K> {
    scope: Rc<Scope>,
    wanted: Wanted,
    locked: K,
}

/// What is to be locked, or why that cannot be.
struct Wanted {
    entities: Result<Vec<EntityId>, InvalidEntityId>,
    source: &'static Location<'static>,
}

impl<K> LockEntities<K> {
    pub(super) fn new(
        scope: Rc<Scope>,
        set: impl LockSet<Locked = K>,
        source: &'static Location<'static>,
    ) -> Self {
        let ids = set.entities().into_iter().map(|entity| entity.id().cloned());
        let wanted = Wanted { entities: ids.collect(), source };
        Self { scope, wanted, locked: set.locked() }
    }
}

impl<K> IntoFuture for LockEntities<K> {
    type Output = Result<CriticalSection<K>>;
    type IntoFuture = LockTask<K>;

    fn into_future(self) -> LockTask<K> {
        let Self { scope, wanted, locked } = self;
        LockTask { scope, locked: Some(locked), state: State::Lazy(wanted) }
    }
}

impl<K> fmt::Debug for LockEntities<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockEntities")
    }
}

/// The future of a [`LockEntities`]. Dropping it gives the request up.
#[must_use = "nothing is locked until this is awaited"]
pub struct LockTask<K> {
    scope: Rc<Scope>,
    locked: Option<K>,
    state: State,
}

enum State {
    Lazy(Wanted),
    Requested(i32),
    Done,
}

/// Nothing is kept that would have to stay where it is.
impl<K> Unpin for LockTask<K> {}

impl<K> LockTask<K> {
    /// Asks for the locks; gives the number of the request.
    fn request(&self, wanted: Wanted) -> Result<i32> {
        let mut lock_set = wanted.entities?;
        // One order for all, so that nobody waits for somebody who waits for him.
        lock_set.sort_unstable();
        lock_set.dedup();
        let request = Request { ask: Ask::LockEntities(lock_set), source: wanted.source };
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
            State::Lazy(wanted) => self.request(wanted)?,
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

/// A critical section: as long as this is held, nobody else changes the entities that it has locked.
///
/// They are called through it: `section.0.withdraw(5).await?` where a tuple was locked, `section[0]`
/// where a `Vec` or an array was, `section.withdraw(5)` where it was one entity. To call several at
/// the same time, take it apart: `let (from, to) = &mut *section;`.
///
/// It ends when this is dropped, and with the orchestrator, however that ends. What was done in it
/// stays done, also if it ends in an error: to undo is up to the orchestrator.
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
        // The engine drops what waits in memory outside of a scope, and that ends nothing.
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

/// The critical section of an execution, wanted or begun.
#[derive(Debug)]
pub(super) struct Section {
    /// The number of the request.
    pub(super) lock: i32,
    pub(super) lock_set: Vec<EntityId>,
    pub(super) granted: bool,
    pub(super) source: &'static Location<'static>,
    /// The calls of its entities that have no answer.
    pub(super) calls: BTreeMap<i32, EntityId>,
}

impl Section {
    /// The rule that a request would break.
    pub(super) fn forbids(&self, ask: &Ask) -> Option<String> {
        let locks = |id| self.lock_set.contains(id);
        match ask {
            Ask::LockEntities(_) => Some(
                "rule 1: a critical section has no other one inside; end the first one before, or \
                 lock all entities at once"
                    .to_owned(),
            ),
            Ask::SubOrchestration { call, child, .. } if !child.detached => Some(format!(
                "rule 2: a critical section calls no sub-orchestration, since that could wait for \
                 the same locks; call `{}` before or after it",
                call.name
            )),
            Ask::CallEntity { asked, .. } if !locks(&asked.entity_id) => Some(format!(
                "rule 3: a critical section calls no entity that it has not locked; lock `{}` with \
                 the others, or signal it",
                asked.entity_id
            )),
            Ask::CallEntity { asked, .. } if !self.granted => Some(format!(
                "rule 6: the lock of `{}` is asked for and not granted yet; await it before the call",
                asked.entity_id
            )),
            Ask::CallEntity { asked, .. }
                if self.calls.values().any(|id| *id == asked.entity_id) =>
            {
                Some(format!(
                    "rule 4: a critical section calls a locked entity once at a time; await the first \
                     call of `{}` before the next",
                    asked.entity_id
                ))
            }
            Ask::SignalEntity { asked, .. } if locks(&asked.entity_id) => Some(format!(
                "rule 5: a critical section signals no entity that it has locked; call `{}` through \
                 the section, or signal it afterwards",
                asked.entity_id
            )),
            _ => None,
        }
    }
}

/// What is wrong with a request that breaks a rule of critical sections.
pub(super) fn forbidden(message: String) -> FailureDetails {
    FailureDetails::new(FailureDetails::CRITICAL_SECTION, message).non_retriable()
}

/// What is wrong with a lock of nothing.
pub(super) fn empty() -> FailureDetails {
    forbidden("rule 7: a critical section locks at least one entity, and this set is empty".into())
}
