//! Generated code triggers none of the lints that are allowed by default, also in a module in which
//! names of the standard library mean something else.

#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]
#![deny(clippy::missing_const_for_fn)]
#![deny(
    ambiguous_negative_literals,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    future_incompatible,
    keyword_idents,
    let_underscore_drop,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    non_ascii_idents,
    redundant_imports,
    redundant_lifetimes,
    rust_2018_idioms,
    rust_2024_compatibility,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unused_extern_crates,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]

use durable::prelude::*;

/// Counts.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Counter(Vec<i64>);

/// How it counts.
#[entity]
impl Counter {
    /// Adds.
    pub async fn add(&mut self, ctx: &EntityContext, prices: State<i64>, n: &[i64]) -> Result<i64> {
        self.0.extend_from_slice(n);
        Ok(*prices + i64::try_from(ctx.batch_size())?)
    }

    /// Could be a constant function.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells.
    pub fn get(&self) -> i64 {
        self.0.iter().sum()
    }
}

/// Counts by name.
#[entity]
pub fn counter(ctx: &EntityContext) -> Result<i64> {
    ctx.input()
}

#[allow(dead_code)]
mod shadowed {
    use durable::prelude::{EntityContext, State, entity};

    mod core {}
    mod std {}
    mod serde_json {}
    struct Entity;
    struct EntityRef;
    struct Error;
    struct Ok;
    struct Operation;
    struct Option;
    struct Result;
    struct String;
    struct Vec;
    trait AsRef {}
    trait Default {}

    #[derive(serde::Serialize, serde::Deserialize)]
    struct Names {
        all: [u8; 2],
    }

    const fn names() -> Names {
        Names { all: [1, 2] }
    }

    #[entity(initial = names)]
    impl Names {
        fn add(&mut self, name: &str, all: &[u8], prices: State<u8>) -> u8 {
            self.all[0] += *prices;
            all[name.len()]
        }

        async fn tell(&self) -> u8 {
            self.all[1]
        }
    }

    #[entity]
    async fn by_name(ctx: &EntityContext) -> usize {
        ctx.batch_size()
    }

    pub(crate) fn all() {
        drop(Names::at("a").add("b", &[1]));
        drop(by_name::at("a"));
    }
}

fn main() {
    fn inside_a_function() {
        #[derive(Default, serde::Serialize, serde::Deserialize)]
        struct Inner(u8);

        #[entity]
        impl Inner {
            fn set(&mut self, n: u8) {
                self.0 = n;
            }
        }

        drop(Inner::at("a").set(1));
    }
    inside_a_function();
    shadowed::all();
    drop(Counter::at("a").add(&[5]));
}
