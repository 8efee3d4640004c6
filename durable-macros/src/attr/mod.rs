//! The options in an attribute's parentheses.

mod duration;
mod given;
mod retry;

use std::time::Duration;

use proc_macro2::{Literal, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::{LitStr, Path};

use self::duration::time;
pub(crate) use self::given::Given;
use self::retry::Policy;
use crate::ast::Kind;
use crate::errors::Errors;
use crate::paths::private;

const FOR_BOTH: &str = "`name = \"..\"`, `version = \"..\"`, `crate = path`, `retry(..)`, \
                        `timeout = \"30s\"`";
const FOR_ACTIVITIES: &str = "`attempt_timeout = \"5s\"`, `max_concurrent = 8`, `transactional`";
const FOR_ENTITIES: &str = "`name = \"..\"`, `initial = path`, `crate = path`";

#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    /// The function that returns an entity's initial state.
    pub(crate) initial: Option<Path>,
    pub(crate) krate: Option<Path>,
    /// Whether an activity runs in a transaction.
    pub(crate) transactional: Option<()>,
    pub(crate) defaults: CallDefaults,
}

/// Default options of calls, which a call can override.
#[derive(Default)]
pub(crate) struct CallDefaults {
    retry: Option<Policy>,
    timeout: Option<Duration>,
    attempt_timeout: Option<Duration>,
    max_concurrent: Option<u32>,
}

impl CallDefaults {
    /// The given options in generated code; `None` if no options are given.
    pub(crate) fn expand(&self) -> Option<TokenStream> {
        let private = private(Span::call_site());
        let some = |value: TokenStream| quote!(::core::option::Option::Some(#value));
        let mut given = Vec::new();
        if let Some(retry) = &self.retry {
            let retry = some(retry.expand());
            given.push(quote!(retry: #retry));
        }
        if let Some(timeout) = self.timeout {
            let timeout = some(time(timeout));
            given.push(quote!(timeout: #timeout));
        }
        if let Some(timeout) = self.attempt_timeout {
            let timeout = some(time(timeout));
            given.push(quote!(attempt_timeout: #timeout));
        }
        if let Some(count) = self.max_concurrent {
            let count = Literal::u32_unsuffixed(count);
            let count = some(quote!(#count));
            given.push(quote!(max_concurrent: #count));
        }
        (!given.is_empty())
            .then(|| quote!(#private::CallDefaults { #(#given,)* ..#private::CallDefaults::NONE }))
    }
}

impl Options {
    /// Reads the options, and reports errors in them to `errors`.
    pub(crate) fn parse(kind: Kind, tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        if let Ok(text) = syn::parse2::<LitStr>(tokens.clone()) {
            errors
                .on(&text, format!("an option needs a name; write `name = \"{}\"`", text.value()));
            return options;
        }
        let parser = syn::meta::parser(|meta| options.option(kind, &meta, errors));
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
        }
        options
    }

    fn option(
        &mut self,
        kind: Kind,
        meta: &ParseNestedMeta,
        errors: &mut Errors,
    ) -> syn::Result<()> {
        let given = Given::parse(meta)?;
        match (given.name.as_str(), kind) {
            ("name", _) => given.set(&mut self.name, given.text(errors), errors),
            ("crate", _) => given.set(&mut self.krate, given.module(errors), errors),
            ("initial", Kind::Entity) => {
                given.set(&mut self.initial, given.function(errors), errors);
            }
            ("version", Kind::Entity) => errors.on(
                &given.path,
                "an entity has no versions, because its state is always read by the current code; \
                 remove `version`, and let the new type read the old state",
            ),
            ("version", _) => given.set(&mut self.version, given.text(errors), errors),
            ("transactional", Kind::Activity) => {
                given.check_flag("activity", errors);
                given.set(&mut self.transactional, Some(()), errors);
            }
            (_, Kind::Entity) => errors.on(
                &given.path,
                format!("unknown option of `#[entity]`; the options are {FOR_ENTITIES}"),
            ),
            _ => self.defaults.option(kind, &given, errors),
        }
        Ok(())
    }
}

impl CallDefaults {
    fn option(&mut self, kind: Kind, given: &Given, errors: &mut Errors) {
        match (given.name.as_str(), kind) {
            ("retry", _) => given.set(&mut self.retry, Policy::parse(given, errors), errors),
            ("timeout", _) => given.set(&mut self.timeout, given.time("30s", errors), errors),
            ("attempt_timeout", Kind::Activity) => {
                given.set(&mut self.attempt_timeout, given.time("5s", errors), errors);
            }
            ("max_concurrent", Kind::Activity) => {
                let count = given.whole("8", "with 0 it would never run", errors);
                given.set(&mut self.max_concurrent, count, errors);
            }
            ("attempt_timeout", Kind::Orchestrator) => errors.on(
                &given.path,
                "`attempt_timeout` is an option of `#[activity]` only: it ends a run that takes \
                 too long, but an orchestration runs again at every step; write `timeout = \
                 \"30s\"`, which limits all of it",
            ),
            ("transactional", Kind::Orchestrator) => errors.on(
                &given.path,
                "`transactional` is an option of `#[activity]` only, because an orchestrator does no \
                 I/O; call a transactional activity",
            ),
            ("max_concurrent", Kind::Orchestrator) => errors.on(
                &given.path,
                "`max_concurrent` is an option of `#[activity]` only, because an orchestration \
                 that waits uses no limited resource; set it on the activities that this \
                 orchestration calls",
            ),
            _ => {
                let attribute = kind.attribute();
                let known = match kind {
                    Kind::Activity => format!("{FOR_BOTH}, {FOR_ACTIVITIES}"),
                    Kind::Orchestrator | Kind::Entity | Kind::Operation => FOR_BOTH.to_owned(),
                };
                errors.on(
                    &given.path,
                    format!("unknown option of `#[{attribute}]`; the options are {known}"),
                );
            }
        }
    }
}
