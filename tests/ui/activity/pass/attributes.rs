//! Other attributes on the same function.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[cfg(all())]
#[activity]
#[cfg(all())]
async fn here() {}

#[activity]
#[cfg(any())]
async fn not_here(order: NoSuchType) -> NoSuchType {
    order
}

#[activity(no_such_option)]
#[cfg(any())]
const fn not_here_either<T>(_: T) {}

#[activity]
#[allow(unused_variables, clippy::too_many_arguments)]
async fn lenient(a: u8, b: u8) {}

#[activity]
#[expect(unused_variables, reason = "to come")]
async fn expecting(a: u8) {}

#[activity]
#[deprecated = "use `here`"]
async fn old() {}

#[activity]
#[inline]
#[must_use]
fn small(#[allow(unused_variables)] n: u8) -> u8 {
    1
}

/// Bears the name of what is not there.
#[allow(non_camel_case_types)]
struct not_here;

fn main() {
    drop((here(), lenient(1, 2), expecting(1), small(1), not_here));
    #[allow(deprecated)]
    drop(old());
}
