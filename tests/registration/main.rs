//! Hubs that are told which functions they have: opening, names and versions, shared state, changed code.
//!
//! Two functions of one name cannot be annotated in one program unless each hub names those it wants, and
//! a hub that takes every annotated function needs the shared state of all of them. So these tests are a
//! program of their own.

/// A definition that is like another but for its entry: code of which one program can hold one only.
macro_rules! stand_in {
    ($name:ident for $like:ty, $($field:ident: $value:expr),*) => {
        impl durable::task::Definition for $name {
            const ENTRY: durable::__private_0_1::Entry = durable::__private_0_1::Entry {
                $($field: $value,)*
                ..<$like as durable::task::Definition>::ENTRY
            };
            type Input = <$like as durable::task::Definition>::Input;
            type Output = <$like as durable::task::Definition>::Output;
            type Error = <$like as durable::task::Definition>::Error;

            fn codecs() -> (
                durable::__private_0_1::Codec<Self::Output>,
                durable::__private_0_1::ErrorCodec<Self::Error>,
            ) {
                <$like as durable::task::Definition>::codecs()
            }
        }
    };
}

mod activities;
#[path = "../support/breaking.rs"]
mod breaking;
#[path = "../support/delegate.rs"]
mod delegate;
mod entity_code;
mod entity_shutdown;
mod entity_types;
mod failing_store;
mod hub;
mod names;
mod resume;
mod verify;
