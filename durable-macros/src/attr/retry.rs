//! The option `retry(..)`, with the rules of a retry policy.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;

use super::duration::time;
use super::given::{Given, Value};
use crate::errors::Errors;
use crate::paths::private;

const EXAMPLE: &str = "`retry(max_number_of_attempts = 5, first_retry_interval = \"1s\")`";
const KNOWN: &str = "`max_number_of_attempts = 5`, `first_retry_interval = \"1s\"`, \
                     `backoff_coefficient = 2.0`, `max_retry_interval = \"1m\"`, \
                     `retry_timeout = \"10m\"`, `jitter = 0.2`";

/// A retry policy, as it is declared.
pub(crate) struct Policy {
    max_number_of_attempts: u32,
    first_retry_interval: Duration,
    backoff_coefficient: Option<f64>,
    max_retry_interval: Option<Duration>,
    retry_timeout: Option<Duration>,
    jitter: Option<f64>,
}

/// The valid options in the parentheses, with tokens for later errors.
#[derive(Default)]
struct Fields {
    max_number_of_attempts: Option<u32>,
    first_retry_interval: Option<Duration>,
    backoff_coefficient: Option<f64>,
    max_retry_interval: Option<(TokenStream, Duration)>,
    retry_timeout: Option<(TokenStream, Duration)>,
    jitter: Option<f64>,
}

impl Policy {
    /// Reads the options of `retry`, and reports errors in them to `errors`.
    pub(super) fn parse(given: &Given, errors: &mut Errors) -> Option<Self> {
        let Value::List(tokens) = &given.value else {
            errors.on(given.wrong(), format!("`retry` needs options; write {EXAMPLE}"));
            return None;
        };
        let before = errors.len();
        let mut fields = Fields::default();
        let parser = syn::meta::parser(|meta| fields.option(&meta, errors));
        if let Err(error) = parser.parse2(tokens.clone()) {
            errors.push(error);
        }
        if errors.len() == before { fields.check(given, errors) } else { None }
    }

    /// The policy in generated code.
    pub(crate) fn expand(&self) -> TokenStream {
        let private = private(Span::call_site());
        let (attempts, first) = (self.max_number_of_attempts, time(self.first_retry_interval));
        let some = |name: &str, value: TokenStream| {
            let name = Ident::new(name, Span::call_site());
            quote!(#name: ::core::option::Option::Some(#value),)
        };
        let coefficient = self.backoff_coefficient.map(|it| quote!(backoff_coefficient: #it,));
        let longest = self.max_retry_interval.map(|it| some("max_retry_interval", time(it)));
        let timeout = self.retry_timeout.map(|it| some("retry_timeout", time(it)));
        let jitter = self.jitter.map(|it| quote!(jitter: #it,));
        quote! {
            #private::RetrySettings {
                #coefficient
                #longest
                #timeout
                #jitter
                ..#private::RetrySettings::new(#attempts, #first)
            }
        }
    }
}

impl Fields {
    fn option(&mut self, meta: &ParseNestedMeta, errors: &mut Errors) -> syn::Result<()> {
        let given = Given::parse(meta)?;
        match given.name.as_str() {
            "max_number_of_attempts" => {
                let attempts = given.whole("5", "the first attempt counts", errors);
                given.set(&mut self.max_number_of_attempts, attempts, errors);
            }
            "first_retry_interval" => {
                given.set(&mut self.first_retry_interval, given.time("1s", errors), errors);
            }
            "backoff_coefficient" => {
                given.set(&mut self.backoff_coefficient, coefficient(&given, errors), errors);
            }
            "max_retry_interval" => {
                let longest = given.time("1m", errors).map(|time| (given.wrong(), time));
                given.set(&mut self.max_retry_interval, longest, errors);
            }
            "retry_timeout" => {
                let timeout = given.time("10m", errors).map(|time| (given.wrong(), time));
                given.set(&mut self.retry_timeout, timeout, errors);
            }
            "jitter" => given.set(&mut self.jitter, jitter(&given, errors), errors),
            _ => errors.on(
                &given.path,
                format!(
                    "unknown option of `retry`; the options are \
                                                 {KNOWN}"
                ),
            ),
        }
        Ok(())
    }

    /// Checks the rules that involve several options.
    fn check(self, given: &Given, errors: &mut Errors) -> Option<Policy> {
        let Self { max_number_of_attempts, first_retry_interval, .. } = self;
        let (Some(max_number_of_attempts), Some(first_retry_interval)) =
            (max_number_of_attempts, first_retry_interval)
        else {
            let message = match (max_number_of_attempts, first_retry_interval) {
                (Some(_), _) => {
                    "`retry` needs `first_retry_interval`, the wait before the first \
                                 retry"
                }
                (None, Some(_)) => {
                    "`retry` needs `max_number_of_attempts`, after which it gives \
                                    up"
                }
                (None, None) => {
                    "`retry` needs a number of attempts and the wait before the first \
                                 retry"
                }
            };
            errors.on(&given.path, format!("{message}; write {EXAMPLE}"));
            return None;
        };
        let before = errors.len();
        if let Some((value, longest)) = &self.max_retry_interval
            && *longest < first_retry_interval
        {
            errors.on(
                value,
                "`max_retry_interval` is shorter than `first_retry_interval`, so no wait can \
                 satisfy both; write one at least as long, or remove it for one hour",
            );
        }
        if let Some((value, timeout)) = &self.retry_timeout
            && *timeout < first_retry_interval
        {
            errors.on(
                value,
                "`retry_timeout` is shorter than `first_retry_interval`, so there would never be \
                 a retry; write one at least as long, or remove it for no limit",
            );
        }
        (errors.len() == before).then(|| Policy {
            max_number_of_attempts,
            first_retry_interval,
            backoff_coefficient: self.backoff_coefficient,
            max_retry_interval: self.max_retry_interval.map(|(_, longest)| longest),
            retry_timeout: self.retry_timeout.map(|(_, timeout)| timeout),
            jitter: self.jitter,
        })
    }
}

fn coefficient(given: &Given, errors: &mut Errors) -> Option<f64> {
    let coefficient = given.number("2.0", errors)?;
    if coefficient.is_finite() && coefficient >= 1.0 {
        return Some(coefficient);
    }
    errors.on(
        given.wrong(),
        "`backoff_coefficient` multiplies each wait, so below 1.0 the waits would shrink towards \
         zero; write 1.0 for equal waits, or more for growing ones",
    );
    None
}

fn jitter(given: &Given, errors: &mut Errors) -> Option<f64> {
    let jitter = given.number("0.2", errors)?;
    if (0.0..=1.0).contains(&jitter) {
        return Some(jitter);
    }
    errors.on(
        given.wrong(),
        "`jitter` is the largest fraction of each wait that is randomly taken off; write a number \
         from 0.0 to 1.0, such as `jitter = 0.2`",
    );
    None
}
