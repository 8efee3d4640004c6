//! What an orchestrator may await while it has entities locked: the rules that types can see.
//!
//! Where `#[orchestrator]` and `#[helper]` see that a critical section is held, an await is checked by
//! [`check_in_critical_section`]. Three types that are durable break a rule there: a second lock, the
//! call of an orchestrator, and an operation that was not asked for through the section. Each has a
//! trait that all but itself implement, so that there is one error, in the words of that rule, and
//! what is not durable at all hears the words of [`Durable`]. The three are no futures before they
//! are awaited, so whatever is a future keeps all rules.
//!
//! What has lost its type by then, such as a task that was spawned, is left to the request at run
//! time (`critical_section.rs`).

use super::LockEntities;
use super::durable::Durable;
use crate::activity::Activity;
use crate::call::Call;
use crate::entity::{LockedOperation, Operation};

/// Rule 1: something that locks no entities.
#[diagnostic::on_unimplemented(
    message = "rule 1: a critical section has no other one inside",
    label = "entities are locked here already",
    note = "to have all of them, lock them at once: `ctx.lock_entities((Account::at(\"a\"), Account::at(\"b\")))`",
    note = "to have one after the other, end the first before: `drop(section)`, or a block around it"
)]
pub trait LocksNothing {}

/// Rule 2: something that calls no orchestrator.
#[diagnostic::on_unimplemented(
    message = "rule 2: a critical section calls no sub-orchestration, and `{Self}` is one",
    label = "could wait for the same locks, and then both would wait for ever",
    note = "call it before the critical section, or after it: `drop(section)` ends it",
    note = "to start it without waiting for it: `ctx.start(..)`"
)]
pub trait CallsNoOrchestrator {}

/// Rule 3: something that calls no entity, unless a critical section has it locked.
#[diagnostic::on_unimplemented(
    message = "rule 3: a critical section calls the entities that it has locked, and those through itself",
    label = "does not go through the critical section",
    note = "an entity that is locked: `section.withdraw(5).await`; of several, `section.0.withdraw(5).await`",
    note = "another entity: lock it with the others, call it before or after, or signal it: `Account::at(\"c\").deposit(5).signal()?`"
)]
pub trait CallsLockedOnly {}

#[diagnostic::do_not_recommend]
impl<F: Future + ?Sized> LocksNothing for F {}
#[diagnostic::do_not_recommend]
impl<F> LocksNothing for Call<F> {}
#[diagnostic::do_not_recommend]
impl<T, E> LocksNothing for Operation<T, E> {}
#[diagnostic::do_not_recommend]
impl<T, E> LocksNothing for LockedOperation<'_, T, E> {}

#[diagnostic::do_not_recommend]
impl<F: Future + ?Sized> CallsNoOrchestrator for F {}
#[diagnostic::do_not_recommend]
impl<F: Activity> CallsNoOrchestrator for Call<F> {}
#[diagnostic::do_not_recommend]
impl<T, E> CallsNoOrchestrator for Operation<T, E> {}
#[diagnostic::do_not_recommend]
impl<T, E> CallsNoOrchestrator for LockedOperation<'_, T, E> {}
#[diagnostic::do_not_recommend]
impl<K> CallsNoOrchestrator for LockEntities<K> {}

#[diagnostic::do_not_recommend]
impl<F: Future + ?Sized> CallsLockedOnly for F {}
#[diagnostic::do_not_recommend]
impl<F> CallsLockedOnly for Call<F> {}
#[diagnostic::do_not_recommend]
impl<T, E> CallsLockedOnly for LockedOperation<'_, T, E> {}
#[diagnostic::do_not_recommend]
impl<K> CallsLockedOnly for LockEntities<K> {}

/// The identity, for what is durable and keeps the rules.
#[inline]
pub fn check_in_critical_section<F>(future: F) -> F
where
    F: Durable + LocksNothing + CallsNoOrchestrator + CallsLockedOnly,
{
    future
}
