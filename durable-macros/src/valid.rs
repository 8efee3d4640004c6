//! The rules of a signature, one `check_*` each.
//!
//! A message says what is wrong, why in the user's world, and what to write instead. What rustc
//! says better (a type that is not there, a missing derive) is left to it.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, GenericParam, Generics, Lifetime, Pat, PatType, PathArguments, Type,
    TypeReference,
};

use crate::ast::{Function, Kind, Output, Parameter, Passing, Role, generic_arguments, last_name};
use crate::errors::Errors;
use crate::uses::{Place, Uses};

pub(crate) const LIFETIME: &str =
    "a parameter lives as long as one run of the function; leave the lifetime out";

/// Checks a function against every rule.
pub(crate) fn check(function: &Function<'_>, errors: &mut Errors) {
    check_async(function, errors);
    check_qualifiers(function, errors);
    check_generics(function, errors);
    check_receiver(function, errors);
    check_context(function, errors);
    for parameter in &function.parameters {
        check_parameter(function, parameter, errors);
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
    let otherwise = function.kind.otherwise();
    if let Some(token) = &sig.constness {
        errors.on(
            token,
            format!("{noun} runs in a hub, so it cannot be `const`; leave `const` out{otherwise}"),
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.on(
            token,
            format!(
                "{noun} is called by the runtime, which cannot keep the promises of an `unsafe \
                 fn`; put an `unsafe` block in its body{otherwise}"
            ),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(abi, format!("{noun} is called by the runtime, from Rust; leave the ABI out"));
    }
    if let Some(variadic) = &sig.variadic {
        errors.on(variadic, format!("{noun} has a fixed number of parameters; take a `Vec`"));
    }
}

fn check_generics(function: &Function<'_>, errors: &mut Errors) {
    let (generics, noun) = (&function.item.sig.generics, function.kind.noun());
    let history = match function.kind {
        Kind::Activity | Kind::Orchestrator => "its name in the history",
        Kind::Entity | Kind::Operation => "its name",
    };
    let otherwise = function.kind.otherwise();
    for parameter in &generics.params {
        if let GenericParam::Lifetime(lifetime) = parameter {
            errors.on(lifetime, LIFETIME);
        } else {
            errors.on(
                parameter,
                format!(
                    "{noun} cannot be generic: {history} stands for one function; write one for \
                     each type, with a generic function inside{otherwise}"
                ),
            );
        }
    }
    if let (true, Some(clause)) = (generics.params.is_empty(), &generics.where_clause) {
        let message = format!("{noun} cannot be generic, so this bounds nothing; leave it out");
        errors.on(clause.where_token, message);
    }
}

fn check_receiver(function: &Function<'_>, errors: &mut Errors) {
    if let Some(FnArg::Receiver(receiver)) = function.item.sig.inputs.first() {
        let noun = function.kind.noun();
        let instead = match function.kind {
            Kind::Activity => "take what it shares as a parameter `State<T>`",
            Kind::Orchestrator => "pass what it needs as input",
            Kind::Entity => "read its state with `ctx.state()`",
            // It has one, and that has rules of its own.
            Kind::Operation => return,
        };
        errors.on(
            receiver,
            format!(
                "{noun} is found by its name after a restart, when there is no `self`; make it a \
                 free function and {instead}"
            ),
        );
    }
}

/// Whether the function is a member of an `impl` or a trait without having a `self`, which is an error.
pub(crate) fn check_place(function: &Function<'_>, uses: &Uses, errors: &mut Errors) -> bool {
    let sig = &function.item.sig;
    if sig.receiver().is_some() {
        return true;
    }
    let place = match &uses.place {
        Some(Place::Impl(Some(ty))) => format!("`impl {ty}`"),
        Some(Place::Impl(None)) => "`impl` block".to_owned(),
        Some(Place::Trait) => "trait".to_owned(),
        Some(Place::Block) | None => return false,
    };
    let (noun, ident) = (function.kind.noun(), sig.ident.unraw());
    errors.on(
        &sig.ident,
        format!(
            "{noun} is a free function, because a type of its name stands beside it; move `{ident}` out \
             of the {place}"
        ),
    );
    true
}

fn check_context(function: &Function<'_>, errors: &mut Errors) {
    let (kind, noun, context) = (function.kind, function.kind.noun(), function.kind.context());
    let mut found_one = false;
    for (index, parameter) in function.parameters.iter().enumerate() {
        let Role::Context(found) = parameter.role else { continue };
        let ty = &parameter.argument.ty;
        let shared = matches!(&**ty, Type::Reference(TypeReference { mutability: None, .. }));
        if found.context() != context {
            errors.on(ty, format!("{noun} has an `&{context}`, not an `&{}`", found.context()));
        } else if !shared {
            errors.on(ty, format!("the context is lent to {noun}; write `&{context}`"));
        } else if found_one {
            errors.on(parameter.argument, "there is one context; leave the second out");
        } else if index > 0 {
            let message = match kind {
                Kind::Operation => "the context comes right behind `self`, before all parameters",
                Kind::Activity | Kind::Orchestrator | Kind::Entity => {
                    "the context comes first, before all other parameters"
                }
            };
            errors.on(parameter.argument, message);
        }
        found_one = true;
    }
    if matches!(kind, Kind::Orchestrator | Kind::Entity) && !found_one {
        let message =
            format!("{noun} needs its context; write `ctx: &{context}` as its first parameter");
        match function.item.sig.inputs.first() {
            Some(FnArg::Receiver(_)) => {}
            Some(first) => errors.on(first, message),
            None => errors.on(&function.item.sig.ident, message),
        }
    }
}

fn check_parameter(function: &Function<'_>, parameter: &Parameter<'_>, errors: &mut Errors) {
    let PatType { pat, ty, .. } = parameter.argument;
    check_lifetime(ty, &function.item.sig.generics, errors);
    match (&parameter.role, &**ty) {
        (Role::State { .. }, _) if function.kind == Kind::Orchestrator => errors.on(
            ty,
            "shared state is not recorded, so an orchestrator cannot depend on it; take it in an \
             activity",
        ),
        (Role::State { .. }, Type::Reference(TypeReference { mutability: Some(token), .. })) => {
            let all = match function.kind {
                Kind::Activity | Kind::Orchestrator => "all activities",
                Kind::Entity | Kind::Operation => "all entities and activities",
            };
            errors.on(
                token,
                format!(
                    "shared state is used by {all} at once, so it is never `mut`; put what changes \
                     into a `std::sync::Mutex` or an atomic"
                ),
            );
        }
        (Role::Context(_) | Role::State { .. }, _) => {}
        (Role::Input(_), _) if function.kind == Kind::Entity => errors.on(
            parameter.argument,
            "the input is another for each operation of this entity; read it with `ctx.input()`, \
             or make the entity a type with methods",
        ),
        (Role::Input(passing), _) => {
            if let Pat::Wild(wild) = &**pat {
                errors.on(
                    wild,
                    "a parameter is part of every call and its record; leave it out, or give it a \
                     name such as `_unused`",
                );
            }
            check_passing(passing, ty, errors);
        }
    }
}

fn check_lifetime(ty: &Type, declared: &Generics, errors: &mut Errors) {
    let Type::Reference(TypeReference { lifetime: Some(lifetime), .. }) = ty else { return };
    // One that is declared is an error where it is declared.
    if declared.lifetimes().all(|known| known.lifetime != *lifetime) {
        errors.on(lifetime, LIFETIME);
    }
}

fn check_passing(passing: &Passing<'_>, ty: &Type, errors: &mut Errors) {
    let inner = match passing {
        Passing::Str | Passing::Path => None,
        Passing::Value(inner) | Passing::Reference(inner) | Passing::Slice(inner) => Some(*inner),
    };
    if let Type::Reference(TypeReference { mutability: Some(token), .. }) = ty {
        errors.on(
            token,
            "a parameter is a copy from history, so changes to it would be lost; take it by value \
             and return it",
        );
    }
    let Some(inner) = inner else { return };
    if let (Passing::Reference(_), Some(instead)) = (passing, sized(inner)) {
        let name = inner.to_token_stream();
        errors.on(ty, format!("`{name}` cannot be read back from history; take {instead}"));
    } else {
        let why = "a parameter is read back from history, where there is nothing to borrow from";
        Borrows { why, otherwise: "", errors }.visit_type(inner);
    }
}

/// What to take instead of a reference to a type that cannot stand by itself.
fn sized(ty: &Type) -> Option<String> {
    match owner(ty) {
        Some((_, owner)) => Some(format!("`&{owner}` or `&str`")),
        None if matches!(ty, Type::TraitObject(_)) => Some("an `enum` of what it may be".into()),
        None => None,
    }
}

fn check_output(function: &Function<'_>, errors: &mut Errors) {
    match function.output {
        Output::Unit => {}
        Output::Plain(ty) | Output::Result(ty) => {
            let why = "what is returned is written to history and read back, so it cannot borrow";
            Borrows { why, otherwise: function.kind.otherwise(), errors }.visit_type(ty);
        }
    }
}

/// Finds what cannot be stored whatever it contains.
struct Borrows<'e> {
    why: &'static str,
    otherwise: &'static str,
    errors: &'e mut Errors,
}

impl<'ast> Visit<'ast> for Borrows<'_> {
    fn visit_type(&mut self, ty: &'ast Type) {
        match unstorable(ty) {
            Some(Unstorable::Borrows) => {
                let instead = match borrowed(ty) {
                    Some(Type::Slice(_)) => "`Vec`".to_owned(),
                    Some(inner) => match (owner(inner), inner) {
                        (Some((_, owner)), _) => format!("`{owner}`"),
                        (None, Type::Path(path)) if path.path.get_ident().is_some() => {
                            format!("`{}`", path.to_token_stream())
                        }
                        _ => "a type that owns what it has".to_owned(),
                    },
                    None => "a type that owns what it has".to_owned(),
                };
                self.errors.on(ty, format!("{}; use {instead}{}", self.why, self.otherwise));
            }
            Some(Unstorable::Unnamed) => {
                let message =
                    "the type is read back from history, so it must be named; write it out";
                self.errors.on(ty, format!("{message}{}", self.otherwise));
            }
            None => visit::visit_type(self, ty),
        }
    }
}

/// Why a type cannot be stored, as far as its tokens tell.
pub(crate) enum Unstorable {
    /// It borrows.
    Borrows,
    /// It is an `impl Trait`.
    Unnamed,
}

/// Whether the tokens of a type, without those of the types in it, tell that it cannot be stored.
pub(crate) fn unstorable(ty: &Type) -> Option<Unstorable> {
    match ty {
        Type::ImplTrait(_) => Some(Unstorable::Unnamed),
        Type::Reference(_) => Some(Unstorable::Borrows),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            let lifetimes: Vec<_> = match &last.arguments {
                PathArguments::AngleBracketed(arguments) => {
                    arguments.args.iter().filter_map(lifetime).collect()
                }
                _ => Vec::new(),
            };
            // A `Cow` borrows even if it does not say so.
            let silent = last.ident == "Cow" && lifetimes.is_empty();
            let borrows = silent || lifetimes.iter().any(|lifetime| lifetime.ident != "static");
            borrows.then_some(Unstorable::Borrows)
        }
        _ => None,
    }
}

/// What a type borrows, if its tokens tell.
pub(crate) fn borrowed(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(reference) => Some(&reference.elem),
        ty if last_name(ty).is_some_and(|name| name == "Cow") => generic_arguments(ty).next(),
        _ => None,
    }
}

/// The type that owns what one without a size is, by module of the standard library and name.
pub(crate) fn owner(ty: &Type) -> Option<(&'static str, &'static str)> {
    match last_name(ty)?.to_string().as_str() {
        "str" => Some(("string", "String")),
        "Path" => Some(("path", "PathBuf")),
        "OsStr" => Some(("ffi", "OsString")),
        "CStr" => Some(("ffi", "CString")),
        _ => None,
    }
}

fn lifetime(argument: &GenericArgument) -> Option<&Lifetime> {
    match argument {
        GenericArgument::Lifetime(lifetime) => Some(lifetime),
        _ => None,
    }
}
