//! The rules of a signature, one `check_*` each.
//!
//! A message says what is wrong, why in the user's world, and what to write instead. What rustc
//! says better (a type that is not there, a missing derive) is left to it.

use syn::visit::{self, Visit};
use syn::{FnArg, Pat, Type, TypeImplTrait, TypeReference};

use crate::ast::{Function, Kind, Output, Parameter, Passing, Role, last_name};
use crate::errors::Errors;

/// Checks a function against every rule.
pub(crate) fn check(function: &Function<'_>, errors: &mut Errors) {
    check_async(function, errors);
    check_qualifiers(function, errors);
    check_generics(function, errors);
    check_receiver(function, errors);
    check_context(function, errors);
    for parameter in &function.parameters {
        check_parameter(function.kind, parameter, errors);
    }
    check_output(function, errors);
}

fn check_async(function: &Function<'_>, errors: &mut Errors) {
    if function.kind == Kind::Orchestrator && !function.is_async() {
        errors.on(
            function.item.sig.fn_token,
            "an orchestrator waits for what it calls, so it must be an `async fn`",
        );
    }
}

fn check_qualifiers(function: &Function<'_>, errors: &mut Errors) {
    let (sig, noun) = (&function.item.sig, function.kind.noun());
    if let Some(token) = &sig.constness {
        errors.on(token, format!("{noun} runs when it is called, so it cannot be `const`"));
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.on(
            token,
            format!("{noun} is called by the runtime, which cannot keep the promises of an `unsafe fn`; put an `unsafe` block in its body"),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, format!("{noun} is called by the runtime, so it has no ABI of its own"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("{noun} has a fixed number of parameters"));
    }
}

fn check_generics(function: &Function<'_>, errors: &mut Errors) {
    let (generics, noun) = (&function.item.sig.generics, function.kind.noun());
    if !generics.params.is_empty() {
        errors.on(
            &generics.params,
            format!(
                "{noun} cannot be generic: its name in the history stands for one function; write \
                 one for each type, with a generic function inside"
            ),
        );
    } else if let Some(clause) = &generics.where_clause {
        errors.on(clause, format!("{noun} cannot be generic, so there is nothing to bound"));
    }
}

fn check_receiver(function: &Function<'_>, errors: &mut Errors) {
    if let Some(FnArg::Receiver(receiver)) = function.item.sig.inputs.first() {
        let noun = function.kind.noun();
        let instead = match function.kind {
            Kind::Activity => "take what it shares as a parameter `State<T>`",
            Kind::Orchestrator => "pass what it needs as input",
        };
        errors.on(
            receiver,
            format!("{noun} is found by its name after a restart, when there is no `self`; make it a free function and {instead}"),
        );
    }
}

fn check_context(function: &Function<'_>, errors: &mut Errors) {
    let (kind, noun, context) = (function.kind, function.kind.noun(), function.kind.context());
    let mut missing = kind == Kind::Orchestrator;
    for (index, parameter) in function.parameters.iter().enumerate() {
        let Role::Context(found) = parameter.role else { continue };
        missing = false;
        let ty = &parameter.argument.ty;
        let shared = matches!(&**ty, Type::Reference(TypeReference { mutability: None, .. }));
        if found != kind {
            errors.on(ty, format!("{noun} has an `&{context}`, not an `&{}`", found.context()));
        } else if !shared {
            errors.on(ty, format!("the context is lent to {noun}; write `&{context}`"));
        } else if index > 0 {
            errors.on(parameter.argument, "the context comes first, before all other parameters");
        }
    }
    if missing {
        let message = format!("{noun} needs its context; write `ctx: &{context}` as its first parameter");
        match function.item.sig.inputs.first() {
            Some(FnArg::Receiver(_)) => {}
            Some(first) => errors.on(first, message),
            None => errors.on(&function.item.sig.ident, message),
        }
    }
}

fn check_parameter(kind: Kind, parameter: &Parameter<'_>, errors: &mut Errors) {
    match &parameter.role {
        Role::Context(_) => {}
        Role::State { .. } if kind == Kind::Orchestrator => errors.on(
            &parameter.argument.ty,
            "shared state is not recorded, so an orchestrator cannot depend on it; take it in an activity",
        ),
        Role::State { .. } => {}
        Role::Input(passing) => {
            check_passing(passing, &parameter.argument.ty, errors);
            if let Pat::Wild(wild) = &*parameter.argument.pat {
                errors.on(wild, "a parameter is stored under its name; give it one, such as `_unused`");
            }
        }
    }
}

fn check_passing(passing: &Passing<'_>, ty: &Type, errors: &mut Errors) {
    let inner = match passing {
        Passing::Str => None,
        Passing::Value(inner) | Passing::Reference(inner) | Passing::Slice(inner) => Some(*inner),
    };
    if let Type::Reference(TypeReference { lifetime, mutability, .. }) = ty {
        if let Some(lifetime) = lifetime {
            errors.on(lifetime, "a parameter is read back from history, so nothing outlives the call; leave the lifetime out");
        }
        if let Some(mutability) = mutability {
            errors.on(mutability, "a parameter is a copy from history, so changes to it would be lost; take it by value and return it");
        }
    }
    let Some(inner) = inner else { return };
    match (last_name(inner).as_deref(), passing) {
        (Some("Path"), Passing::Reference(_)) => {
            errors.on(ty, "a `Path` cannot be read back from history; take a `&PathBuf` or a `&str`");
        }
        _ => Borrows::check(inner, "a parameter is read back from history, where there is nothing to borrow from", errors),
    }
}

fn check_output(function: &Function<'_>, errors: &mut Errors) {
    match function.output {
        Output::Unit => {}
        Output::Plain(ty) | Output::Result(ty) => Borrows::check(
            ty,
            "what is returned is written to history and read back, so it cannot borrow",
            errors,
        ),
    }
}

/// Checks that a type can be stored, as far as its tokens tell.
pub(crate) fn check_borrows(ty: &Type, errors: &mut Errors) {
    Borrows::check(ty, "", errors);
}

/// Finds what cannot be stored whatever it contains: references and `impl Trait`.
struct Borrows<'e> {
    why: &'static str,
    errors: &'e mut Errors,
}

impl Borrows<'_> {
    fn check(ty: &Type, why: &'static str, errors: &mut Errors) {
        Borrows { why, errors }.visit_type(ty);
    }
}

impl<'ast> Visit<'ast> for Borrows<'_> {
    fn visit_type_reference(&mut self, reference: &'ast TypeReference) {
        let instead = match &*reference.elem {
            Type::Path(path) if path.path.is_ident("str") => "use `String`",
            Type::Slice(_) => "use `Vec`",
            _ => "use an owned type",
        };
        self.errors.on(reference, format!("{}; {instead}", self.why));
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.errors.on(ty, "the type is read back from history, so it must be named; write it out");
        visit::visit_type_impl_trait(self, ty);
    }
}
