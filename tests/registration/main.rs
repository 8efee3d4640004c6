//! Hubs that are told which functions they have: opening, names and versions, shared state, changed code.
//!
//! One program cannot annotate two functions with the same name, unless each hub registers its
//! functions explicitly. A hub that registers every annotated function needs the shared state of
//! all of them. Therefore these tests are a separate program.

/// A definition that differs from another one only in its entry: code that a program can contain
/// only once.
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
