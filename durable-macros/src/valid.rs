//! The rules for signatures, one `check_*` each.
//!
//! A message says what is wrong, why, and what to write instead. Errors that rustc reports better,
//! such as an unknown type or a missing derive, are left to rustc.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::visit::{self, Visit};
use syn::{
    FnArg, GenericArgument, GenericParam, Generics, Lifetime, Pat, PatType, PathArguments, Type,
    TypeReference,
};

use crate::ast::{Function, Kind, Output, Parameter, Passing, Role, generic_arguments, last_name};
use crate::errors::Errors;
use crate::syntax::is_condition;
use crate::uses::{Place, Uses};

pub(crate) const LIFETIME: &str =
    "a parameter lives as long as one run of the function; remove the lifetime";

/// Checks a function against every rule.
pub(crate) fn check(function: &Function<'_>, errors: &mut Errors) {
    check_async(function, errors);
    check_qualifiers(function, errors);
    check_generics(function, errors);
    check_receiver(function, errors);
    check_context(function, errors);
    if function.is_transactional {
        check_transaction(function, errors);
    }
    for parameter in &function.parameters {
        check_parameter(function, parameter, errors);
    }
    check_output(function, errors);
}

fn check_async(function: &Function<'_>, errors: &mut Errors) {
    if function.is_transactional && !function.is_async() {
        errors.on(
            function.item.sig.fn_token,
            "a transactional activity waits for its database, so it must be an `async fn`",
        );
    }
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
            format!("{noun} runs in a hub, so it cannot be `const`; remove `const`{otherwise}"),
        );
    }
    if let syn::Safety::Unsafe(token) = &sig.safety {
        errors.on(
            token,
            format!(
                "{noun} is called by the runtime, which cannot uphold the contract of an `unsafe \
                 fn`; use an `unsafe` block in its body{otherwise}"
            ),
        );
    }
    if let Some(abi) = &sig.abi {
        errors.on(
            abi,
            format!("{noun} is called by the runtime with the ABI of Rust; remove `extern`"),
        );
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
                    "{noun} cannot be generic, because {history} identifies one function; write \
                     one function for each type, which may call a generic one{otherwise}"
                ),
            );
        }
    }
    if let (true, Some(clause)) = (generics.params.is_empty(), &generics.where_clause) {
        let message = format!("{noun} cannot be generic, so this clause has no effect; remove it");
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
            // The receiver of an operation has rules of its own.
            Kind::Operation => return,
        };
        errors.on(
            receiver,
            format!(
                "{noun} is found by its name after a restart, when there is no `self`; make it a \
                 free function, and {instead}"
            ),
        );
    }
}

/// Whether the function is a member of an `impl` or a trait, which is an error.
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
            "{noun} must be a free function, because the attribute generates a type of the same \
             name; move `{ident}` out of the {place}"
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
            errors.on(ty, format!("{noun} takes `&{context}`, not `&{}`", found.context()));
        } else if !shared {
            errors.on(ty, format!("{noun} borrows its context; write `&{context}`"));
        } else if found_one {
            errors.on(parameter.argument, "there is only one context; remove this parameter");
        } else if index > 0 {
            let message = match kind {
                Kind::Operation => "the context must be the first parameter after `self`",
                Kind::Activity | Kind::Orchestrator | Kind::Entity => {
                    "the context must be the first parameter"
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

fn check_transaction(function: &Function<'_>, errors: &mut Errors) {
    let mut parameters = function.parameters.iter().peekable();
    let context = parameters.next_if(|it| matches!(it.role, Role::Context(_)));
    let place = match context {
        Some(_) => "the first parameter after the context",
        None => "the first parameter",
    };
    let first = parameters.next();
    let is_first = first.is_some_and(|first| matches!(first.role, Role::Transaction(_)));
    match function.transaction() {
        None => errors.on(
            &function.item.sig.ident,
            format!(
                "a transactional activity needs its transaction; write `tx: &mut Transaction<'_>` as \
                 {place}, with the `Transaction` of the store"
            ),
        ),
        Some((Parameter { argument, .. }, ty)) => {
            let is_mutable = matches!(&*argument.ty, Type::Reference(it) if it.mutability.is_some());
            if !is_mutable {
                let ty = ty.to_token_stream().to_string().replace(' ', "");
                errors.on(
                    &argument.ty,
                    format!("a transactional activity borrows its transaction; write `&mut {ty}`"),
                );
            } else if !is_first {
                errors.on(argument, format!("the transaction must be {place}"));
            }
        }
    }
}

fn check_parameter(function: &Function<'_>, parameter: &Parameter<'_>, errors: &mut Errors) {
    let PatType { pat, ty, attrs, .. } = parameter.argument;
    if let Some(condition) = attrs.iter().find(|attribute| is_condition(attribute)) {
        errors.on(
            condition,
            "every call has the same parameters, so a parameter cannot be conditional; put `cfg` on \
             the function",
        );
    }
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
                    "shared state is used by {all} at the same time, so it cannot be `mut`; keep \
                     data that changes in a `std::sync::Mutex` or an atomic"
                ),
            );
        }
        (Role::Transaction(_), Type::Reference(TypeReference { mutability: Some(_), .. }))
            if !function.is_transactional =>
        {
            errors.on(
                ty,
                "only a transactional activity has a transaction; write `#[activity(transactional)]`, \
                 and take the transaction as the first parameter",
            );
        }
        (Role::Context(_) | Role::State { .. } | Role::Transaction(_), _) => {}
        (Role::Input(_), _) if function.kind == Kind::Entity => errors.on(
            parameter.argument,
            "each operation of this entity has an input of its own; read it with `ctx.input()`, \
             or write the entity as a type with methods",
        ),
        (Role::Input(passing), _) => {
            if let Pat::Wild(wild) = &**pat {
                errors.on(
                    wild,
                    "a parameter is recorded with every call, so it needs a name; remove it, or \
                     call it `_unused`",
                );
            }
            check_passing(passing, ty, errors);
        }
    }
}

fn check_lifetime(ty: &Type, declared: &Generics, errors: &mut Errors) {
    let Type::Reference(TypeReference { lifetime: Some(lifetime), .. }) = ty else { return };
    // A declared lifetime is reported at its declaration.
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

/// What to write instead of a reference to an unsized type.
fn sized(ty: &Type) -> Option<String> {
    match owner(ty) {
        // That of the standard library is passed as itself, so this is another type.
        Some(("path", _)) => None,
        Some((_, owner)) => Some(format!("`&{owner}` or `&str`")),
        None if matches!(ty, Type::TraitObject(_)) => {
            Some("an `enum` of the possible types".into())
        }
        None => None,
    }
}

fn check_output(function: &Function<'_>, errors: &mut Errors) {
    match function.output {
        Output::Unit => {}
        Output::Plain(ty) | Output::Result(ty) => {
            let why = "the output is written to history and read back, so it cannot borrow";
            Borrows { why, otherwise: function.kind.otherwise(), errors }.visit_type(ty);
        }
    }
}

/// Finds types that can never be stored.
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
                        _ => "an owned type".to_owned(),
                    },
                    None => "an owned type".to_owned(),
                };
                self.errors.on(ty, format!("{}; use {instead}{}", self.why, self.otherwise));
            }
            Some(Unstorable::Unnamed) => {
                let message = "this is read back from history, so its type must be known; write a concrete \
                     type";
                self.errors.on(ty, format!("{message}{}", self.otherwise));
            }
            None => visit::visit_type(self, ty),
        }
    }
}

/// Why a type cannot be stored, judged by its tokens.
pub(crate) enum Unstorable {
    /// It borrows.
    Borrows,
    /// It is an `impl Trait`.
    Unnamed,
}

/// Why a type itself, apart from the types inside it, cannot be stored.
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
            // The lifetime of a `Cow` may be elided.
            let silent = last.ident == "Cow" && lifetimes.is_empty();
            let borrows = silent || lifetimes.iter().any(|lifetime| lifetime.ident != "static");
            borrows.then_some(Unstorable::Borrows)
        }
        _ => None,
    }
}

/// The type that a type borrows, judged by its tokens.
pub(crate) fn borrowed(ty: &Type) -> Option<&Type> {
    match ty {
        Type::Reference(reference) => Some(&reference.elem),
        ty if last_name(ty).is_some_and(|name| name == "Cow") => generic_arguments(ty).next(),
        _ => None,
    }
}

/// The owned form of an unsized type: a module of the standard library and a name.
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
