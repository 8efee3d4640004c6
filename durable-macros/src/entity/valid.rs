//! The rules for a block of operations. The rules that operations share with other functions are in
//! the crate's `valid`.

use syn::{GenericParam, Generics, Ident, ImplItem, LitStr, Receiver, ReceiverKind};

use super::block::{Block, Operation};
use crate::ast::{Function, Kind};
use crate::errors::Errors;
use crate::syntax::is_condition;
use crate::valid::{LIFETIME, Unstorable, unstorable};

/// The longest name that leaves room for the two `@` in an id.
const NAME_MAX: usize = 254;

/// Checks a block against every rule.
pub(super) fn check(block: &Block<'_>, errors: &mut Errors) {
    if check_trait(block, errors) {
        return;
    }
    check_type(block, errors);
    check_members(block, errors);
    check_names(block, errors);
    for operation in &block.operations {
        check_receiver(operation.receiver, &operation.item.sig.generics, errors);
        let function = Function::new(Kind::Operation, &operation.item, &block.uses);
        crate::valid::check(&function, errors);
    }
}

/// Checks the option `name`.
pub(super) fn check_name(name: Option<&LitStr>, errors: &mut Errors) {
    let Some(literal) = name else { return };
    let name = literal.value();
    let wrong = if name.contains(['@', '/', '\\', '#', '?']) {
        "it cannot contain any of `@ / \\ # ?`"
    } else if name.chars().any(char::is_control) {
        "it cannot contain control characters"
    } else if name.chars().count() > NAME_MAX {
        "with its key it can have at most 256 characters"
    } else {
        return;
    };
    let message =
        format!("the name is part of the entity's id, `@name@key`, so {wrong}; choose another");
    errors.on(literal, message);
}

/// Whether the block implements a trait. If so, this is reported and the block is not checked
/// further.
fn check_trait(block: &Block<'_>, errors: &mut Errors) -> bool {
    let Some((path, _)) = &block.item.trait_ else { return false };
    let entity = block.ident.map_or_else(|| "..".to_owned(), ToString::to_string);
    let message = format!(
        "operations must be inherent methods; write `impl {entity}`, with methods that call those \
         of the trait"
    );
    errors.on(path, message);
    true
}

fn check_type(block: &Block<'_>, errors: &mut Errors) {
    const BORROWS: &str = "the state of an entity is read back from the store, so it cannot \
                           borrow; use an owned type";
    let generics = &block.item.generics;
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.on(lifetime, BORROWS);
        } else {
            errors.on(
                parameter,
                "an entity cannot be generic, because its name identifies one type of state; \
                 write a block for each type, with a `name` of its own",
            );
        }
    }
    let entity = &block.item.self_ty;
    if block.ident.is_none() {
        let message = "an entity must be a `struct` or an `enum` of this crate";
        errors.on(entity, message);
    } else if let (None, Some(Unstorable::Borrows)) =
        (generics.lifetimes().next(), unstorable(entity))
    {
        errors.on(entity, BORROWS);
    }
}

fn check_members(block: &Block<'_>, errors: &mut Errors) {
    let mut hides = false;
    for member in &block.item.items {
        if let ImplItem::Macro(member) = member {
            hides = true;
            errors.on(
                &member.mac.path,
                "`#[entity]` cannot see the methods that a macro generates, so they would not \
                 become operations; write them out, or move the macro to another `impl` block",
            );
        }
    }
    if block.operations.is_empty() && !hides {
        errors.on(
            &block.item.self_ty,
            "an entity needs at least one operation; write a method with `&mut self`, or with \
             `&self` if it only reads",
        );
    }
}

fn check_names(block: &Block<'_>, errors: &mut Errors) {
    if let Some(at) = block.function("at") {
        let entity = block.ident.map_or_else(|| "..".to_owned(), ToString::to_string);
        errors.on(
            at,
            format!(
                "the attribute generates `{entity}::at(key)`, which returns the handle of the \
                 entity with that key; rename this function"
            ),
        );
    }
    let names: Vec<_> = block.operations.iter().map(|it| (it, it.name())).collect();
    for (index, (operation, name)) in names.iter().enumerate() {
        let same = |(other, first): &&(&Operation<'_>, String)| {
            let both = first != name && first.to_lowercase() == name.to_lowercase();
            both && !(is_conditional(operation) && is_conditional(other))
        };
        if let Some((_, first)) = names[..index].iter().find(same) {
            let ident: &Ident = &operation.item.sig.ident;
            errors.on(
                ident,
                format!(
                    "`{name}` and `{first}` are the same operation, because operation names \
                     ignore case; rename one of them"
                ),
            );
        }
    }
}

/// Whether the operation has a `cfg` condition.
pub(super) fn is_conditional(operation: &Operation<'_>) -> bool {
    operation.item.attrs.iter().any(is_condition)
}

fn check_receiver(receiver: &Receiver, declared: &Generics, errors: &mut Errors) {
    let instead = "write `&mut self`, or `&self` if it only reads";
    match &receiver.kind {
        ReceiverKind::Reference(_, None, _) => {}
        ReceiverKind::Reference(_, Some(lifetime), _) => {
            // A declared lifetime is reported at its declaration.
            if declared.lifetimes().all(|known| known.lifetime != *lifetime) {
                errors.on(lifetime, LIFETIME);
            }
        }
        ReceiverKind::Value => errors.on(
            receiver,
            format!(
                "an operation cannot take the state by value, because the next operation needs \
                 it; {instead}{}",
                Kind::Operation.otherwise()
            ),
        ),
        ReceiverKind::Typed(..) => {
            let message = format!(
                "an operation borrows the state in place, so its `self` cannot have another type; \
                 {instead}{}",
                Kind::Operation.otherwise()
            );
            errors.on(receiver, message);
        }
        _ => errors.on(receiver, format!("an operation borrows the state; {instead}")),
    }
}
