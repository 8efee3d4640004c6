//! Functions of every visibility; one `use` brings a function's both names.

#![deny(warnings, missing_docs, unreachable_pub)]

use durable::prelude::*;

#[activity]
async fn private() {}

/// A module.
pub mod shop {
    use durable::prelude::*;

    /// Charges a card.
    ///
    /// More of it.
    #[activity]
    pub async fn charge(cents: u32) -> u32 {
        till::count(cents)
    }

    #[activity]
    pub(crate) async fn refund(cents: u32) -> u32 {
        cents
    }

    /// A module within.
    mod till {
        use durable::prelude::*;

        pub(super) fn count(n: u32) -> u32 {
            drop(hidden());
            n
        }

        #[activity]
        async fn hidden() {}

        #[activity]
        pub(in crate::shop) async fn open() {}
    }

    pub(crate) fn opened() -> durable::Call<impl durable::Activity> {
        till::open()
    }
}

use shop::{charge, refund};

/// What is started is named by its function.
pub struct Charged {
    /// The call.
    pub call: durable::Call<charge>,
}

fn main() {
    let charged = Charged { call: charge(5) };
    drop((charged.call, refund(5), private(), shop::opened()));
    drop(refund::run(5));
}
