//! The rules of a block of operations. Those of a single operation that are rules of every function
//! are in the crate's `valid`.

use quote::ToTokens;
use syn::{GenericParam, Ident, ImplItem, LitStr, Receiver, ReceiverKind};

use super::block::{Block, Operation};
use crate::ast::{Function, Kind};
use crate::errors::Errors;
use crate::valid::{LIFETIME, Unstorable, unstorable};

/// The longest name that leaves room for `@` before and behind it in an id.
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
        check_receiver(operation.receiver, errors);
        let function = Function::new(Kind::Operation, &operation.item);
        crate::valid::check(&function, errors);
    }
}

/// Checks the option `name`.
pub(super) fn check_name(name: Option<&LitStr>, errors: &mut Errors) {
    let Some(literal) = name else { return };
    let name = literal.value();
    let wrong = if name.contains(['@', '/', '\\', '#', '?']) {
        "it has none of `@ / \\ # ?`"
    } else if name.chars().any(char::is_control) {
        "it has no control characters"
    } else if name.chars().count() > NAME_MAX {
        "with its key it has at most 256 characters"
    } else {
        return;
    };
    let message =
        format!("the name is a part of the entity's id, `@name@key`: {wrong}; choose another");
    errors.on(literal, message);
}

/// Whether it is the block of a trait, of which nothing else is to be said.
fn check_trait(block: &Block<'_>, errors: &mut Errors) -> bool {
    let Some((path, _)) = &block.item.trait_ else { return false };
    let entity = block.ident.map_or_else(|| "..".to_owned(), ToString::to_string);
    let message = format!(
        "operations are the type's own methods, not those of a trait; write `impl {entity}`, with \
         methods that call the trait's"
    );
    errors.on(path, message);
    true
}

fn check_type(block: &Block<'_>, errors: &mut Errors) {
    const BORROWS: &str = "the state of an entity is read back from where it is stored, so it \
                           cannot borrow; let the type own what it has";
    let generics = &block.item.generics;
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.on(lifetime, BORROWS);
        } else {
            errors.on(
                parameter,
                "an entity cannot be generic: its name stands for one type of state; write the \
                 block for one type, and for each other with a `name` of its own",
            );
        }
    }
    let entity = &block.item.self_ty;
    if block.ident.is_none() {
        let message = "an entity is a `struct` or an `enum` of your own";
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
                "what a macro makes is not seen here, so it would be no operation; write the \
                 methods out, or move the macro to another `impl` block",
            );
        }
    }
    if block.operations.is_empty() && !hides {
        errors.on(
            &block.item.self_ty,
            "an entity has operations: write a method with `&mut self`, or with `&self` if it only \
             reads",
        );
    }
}

fn check_names(block: &Block<'_>, errors: &mut Errors) {
    if let Some(at) = block.function("at") {
        let entity = block.ident.map_or_else(|| "..".to_owned(), ToString::to_string);
        errors.on(
            at,
            format!(
                "`{entity}::at(key)` is the entity of that key, from which its operations are \
                 asked; give this another name"
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
                    "`{name}` and `{first}` are one name: operations are asked for by name without \
                     regard to case; give one of them another"
                ),
            );
        }
    }
}

/// Whether it may not be there.
pub(super) fn is_conditional(operation: &Operation<'_>) -> bool {
    operation.item.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"))
}

fn check_receiver(receiver: &Receiver, errors: &mut Errors) {
    let instead = "write `&mut self`, or `&self` if it only reads";
    match &receiver.kind {
        ReceiverKind::Reference(_, None, _) => {}
        ReceiverKind::Reference(_, Some(lifetime), _) => errors.on(lifetime, LIFETIME),
        ReceiverKind::Value => errors.on(
            receiver,
            format!(
                "an operation leaves the state to the next one, so it cannot take it; {instead}{}",
                Kind::Operation.otherwise()
            ),
        ),
        ReceiverKind::Typed(..) => {
            let message = format!(
                "an operation borrows the state itself, not `{}`; {instead}{}",
                receiver.to_token_stream(),
                Kind::Operation.otherwise()
            );
            errors.on(receiver, message);
        }
        _ => errors.on(receiver, format!("an operation borrows the state; {instead}")),
    }
}
