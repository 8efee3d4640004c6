//! What an orchestrator may await inside a critical section: the rules that types can express.
//!
//! Where `#[orchestrator]` and `#[helper]` see that a critical section is held, they check each await
//! with [`check_in_critical_section`]. Each rule is a marker trait that is implemented for everything
//! except the type that breaks the rule: a second lock, a call of an orchestrator, or an operation
//! that does not go through the section. So a violation is one error in the words of that rule, and
//! an await that is not durable at all gets the error of [`Durable`]. None of the three types is a
//! `Future` until it is awaited, so a blanket implementation for every `Future` is safe.
//!
//! Types cannot see what a task was before it was spawned. The request is checked when it is made
//! (`orchestration/scope/section.rs`).

use super::{LockEntities, LockedOperation, Operation};
use crate::call::Call;
use crate::definition::Activity;
use crate::orchestration::Durable;

/// Rule 1: locks no entities.
#[diagnostic::on_unimplemented(
    message = "rule 1: critical sections cannot be nested",
    label = "entities are already locked here",
    note = "lock all entities at once: `ctx.lock_entities((Account::at(\"a\"), Account::at(\"b\")))`",
    note = "or end the first section before the next: call `drop(section)`, or put it in a block"
)]
pub trait LocksNothing {}

/// Rule 2: calls no orchestrator.
#[diagnostic::on_unimplemented(
    message = "rule 2: a critical section cannot call a sub-orchestration, and `{Self}` is one",
    label = "could wait for the same locks, which is a deadlock",
    note = "call it before or after the critical section, which `drop(section)` ends",
    note = "or start it without waiting for it: `ctx.start(..)`"
)]
pub trait CallsNoOrchestrator {}

/// Rule 3: calls no entity except through a critical section.
#[diagnostic::on_unimplemented(
    message = "rule 3: inside a critical section, call locked entities through the section",
    label = "this call does not go through the section",
    note = "for a locked entity: `section.withdraw(5).await`, or `section.0.withdraw(5).await` if a tuple is locked",
    note = "for another entity: lock it together with the others, call it before or after the section, or signal it: `Account::at(\"c\").deposit(5).signal()?`"
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

/// Returns its argument, which must be durable and keep the rules.
#[inline]
pub fn check_in_critical_section<F>(future: F) -> F
where
    F: Durable + LocksNothing + CallsNoOrchestrator + CallsLockedOnly,
{
    future
}
