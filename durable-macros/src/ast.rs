//! A durable function as the macro sees it, in the user's own tokens.

use proc_macro2::Span;
use syn::{
    FnArg, GenericArgument, Ident, ItemFn, PatType, Path, PathArguments, ReturnType, Type,
    TypeReference,
};

use crate::uses::Uses;

/// What an attribute turns a function into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Activity,
    Orchestrator,
    /// A function that runs all operations of an entity.
    Entity,
    /// A method that is one operation of an entity.
    Operation,
}

impl Kind {
    pub(crate) fn attribute(self) -> &'static str {
        match self {
            Self::Activity => "activity",
            Self::Orchestrator => "orchestrator",
            Self::Entity | Self::Operation => "entity",
        }
    }

    /// The kind with an article, for messages.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Activity => "an activity",
            Self::Orchestrator => "an orchestrator",
            Self::Entity => "an entity",
            Self::Operation => "an operation",
        }
    }

    /// The type of its context.
    pub(crate) fn context(self) -> &'static str {
        match self {
            Self::Activity => "ActivityContext",
            Self::Orchestrator => "OrchestrationContext",
            Self::Entity | Self::Operation => "EntityContext",
        }
    }

    /// The alternative for a function that cannot be of this kind, for the end of a message.
    pub(crate) fn otherwise(self) -> &'static str {
        match self {
            Self::Activity | Self::Orchestrator | Self::Entity => "",
            Self::Operation => "; if it is not an operation, move it to another `impl` block",
        }
    }

    /// The function of generated code that records a result.
    pub(crate) fn finish(self) -> &'static str {
        match self {
            Self::Activity | Self::Orchestrator => "finish",
            Self::Entity | Self::Operation => "finish_operation",
        }
    }
}

pub(crate) struct Function<'a> {
    pub(crate) kind: Kind,
    pub(crate) item: &'a ItemFn,
    /// What the names in its signature mean.
    pub(crate) uses: &'a Uses,
    /// Whether it is an activity that runs in a transaction.
    pub(crate) is_transactional: bool,
    pub(crate) parameters: Vec<Parameter<'a>>,
    pub(crate) output: Output<'a>,
}

pub(crate) struct Parameter<'a> {
    pub(crate) argument: &'a PatType,
    pub(crate) role: Role<'a>,
}

/// The purpose of a parameter.
pub(crate) enum Role<'a> {
    /// A context for this kind of function.
    Context(Kind),
    /// Shared state of this type, which the hub provides.
    State { state: &'a Type, by_reference: bool },
    /// The transaction of this type, in which the activity runs.
    Transaction(&'a Type),
    /// Part of the input.
    Input(Passing<'a>),
}

/// How a part of the input is passed.
pub(crate) enum Passing<'a> {
    Value(&'a Type),
    Reference(&'a Type),
    Slice(&'a Type),
    Str,
    Path,
}

pub(crate) enum Output<'a> {
    Unit,
    Plain(&'a Type),
    /// A type whose name ends in `Result`.
    Result(&'a Type),
}

impl<'a> Function<'a> {
    pub(crate) fn new(kind: Kind, item: &'a ItemFn, uses: &'a Uses) -> Self {
        let parameters = item.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(Parameter { argument, role: role(&argument.ty, uses) }),
            FnArg::Receiver(_) => None,
        });
        let output = match &item.sig.output {
            ReturnType::Default => Output::Unit,
            ReturnType::Type(_, ty)
                if last_name(ty).is_some_and(|name| name.to_string().ends_with("Result")) =>
            {
                Output::Result(ty)
            }
            ReturnType::Type(_, ty) => Output::Plain(ty),
        };
        let parameters = parameters.collect();
        Self { kind, item, uses, is_transactional: false, parameters, output }
    }

    /// The function as an activity that runs in a transaction, if it `is` one. The transaction is
    /// the parameter taken by `&mut`, whatever its type; or, by mistake, one whose type is named
    /// `Transaction`.
    pub(crate) fn transactional(mut self, is: bool) -> Self {
        self.is_transactional = is;
        if is && self.transaction().is_none() {
            let named = |ty: &Type| last_name(ty).is_some_and(|name| name == "Transaction");
            let types = self.parameters.iter().map(|it| &*it.argument.ty);
            let found = types.clone().position(is_mutable);
            let found = found.or_else(|| types.clone().position(|ty| named(unreferenced(ty))));
            if let Some(parameter) = found.and_then(|index| self.parameters.get_mut(index)) {
                parameter.role = Role::Transaction(unreferenced(&parameter.argument.ty));
            }
        }
        self
    }

    /// The transaction, and its type.
    pub(crate) fn transaction(&self) -> Option<(&Parameter<'a>, &'a Type)> {
        self.parameters.iter().find_map(|parameter| match parameter.role {
            Role::Transaction(ty) => Some((parameter, ty)),
            Role::Context(_) | Role::State { .. } | Role::Input(_) => None,
        })
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// The span of the code that is generated for the result. The only possible error in that code
    /// is that a type named like a `Result` is not a `Result`.
    pub(crate) fn result_span(&self) -> Span {
        match self.output {
            Output::Result(ty) => last_name(ty).map_or_else(Span::call_site, Ident::span),
            Output::Unit | Output::Plain(_) => Span::call_site(),
        }
    }
}

fn is_mutable(ty: &Type) -> bool {
    matches!(ty, Type::Reference(TypeReference { mutability: Some(_), .. }))
}

fn unreferenced(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        ty => ty,
    }
}

fn role<'a>(ty: &'a Type, uses: &Uses) -> Role<'a> {
    let (inner, by_reference) = match ty {
        Type::Reference(reference) => (&*reference.elem, true),
        ty => (ty, false),
    };
    match last_name(inner).map(ToString::to_string).as_deref() {
        Some("ActivityContext") => Role::Context(Kind::Activity),
        Some("OrchestrationContext") => Role::Context(Kind::Orchestrator),
        Some("EntityContext") => Role::Context(Kind::Entity),
        Some("State") if is(inner, |path| uses.may_be_of_durable(path)) => {
            match generic_arguments(inner).next() {
                Some(state) => Role::State { state, by_reference },
                None => Role::Input(passing(ty, uses)),
            }
        }
        // Without the option that is an error, of which callers should not hear. A parameter by value is
        // a type of the user's own.
        Some("Transaction") if is_mutable(ty) => Role::Transaction(inner),
        _ => Role::Input(passing(ty, uses)),
    }
}

/// Whether the type is a path for which `is` returns `true`.
fn is(ty: &Type, is: impl FnOnce(&Path) -> bool) -> bool {
    matches!(ty, Type::Path(ty) if is(&ty.path))
}

fn passing<'a>(ty: &'a Type, uses: &Uses) -> Passing<'a> {
    match ty {
        Type::Paren(paren) => passing(&paren.elem, uses),
        Type::Reference(reference) => match &*reference.elem {
            Type::Slice(slice) => Passing::Slice(&slice.elem),
            Type::Path(path) if path.path.is_ident("str") => Passing::Str,
            elem if is(elem, |path| uses.may_be_std_path(path)) => Passing::Path,
            elem => Passing::Reference(elem),
        },
        ty => Passing::Value(ty),
    }
}

/// The last name in the path of a type.
pub(crate) fn last_name(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Paren(paren) => last_name(&paren.elem),
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        _ => None,
    }
}

/// The types among the generic arguments of a type's last name.
pub(crate) fn generic_arguments(ty: &Type) -> impl Iterator<Item = &Type> {
    let arguments = match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.arguments),
        _ => None,
    };
    let arguments = match arguments {
        Some(PathArguments::AngleBracketed(arguments)) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
