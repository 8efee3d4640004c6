//! Generated code triggers none of the lints that are allowed by default.

#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]
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

/// Charges a card.
#[activity]
pub async fn charge(ctx: &ActivityContext, prices: State<u32>, cents: u32) -> Result<u32> {
    Ok(ctx.attempt() * cents * *prices)
}

/// Doubles.
#[activity]
pub fn double(n: &[u32]) -> u32 {
    n.iter().sum()
}

/// Orders.
#[orchestrator]
pub async fn order(ctx: &OrchestrationContext, cents: u32, name: String) -> Result<String> {
    Ok(format!("{name} {} {}", charge(cents).await?, double(&[cents]).await?))
}

fn main() {
    drop(order(5, String::new()));
}
