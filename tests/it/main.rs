//! What users see of a hub, through the public API.

/// A definition that is like another but for its entry: code of which one program can hold one only.
macro_rules! stand_in {
    ($name:ident for $like:ty, $($field:ident: $value:expr),*) => {
        impl durable::Definition for $name {
            const ENTRY: durable::__private::Entry = durable::__private::Entry {
                $($field: $value,)*
                ..<$like as durable::Definition>::ENTRY
            };
            type Input = <$like as durable::Definition>::Input;
            type Output = <$like as durable::Definition>::Output;
            type Error = <$like as durable::Definition>::Error;

            fn codecs() -> (
                durable::__private::Codec<Self::Output>,
                durable::__private::ErrorCodec<Self::Error>,
            ) {
                <$like as durable::Definition>::codecs()
            }
        }
    };
}

mod activities;
mod breaking;
mod conformance;
mod entity_types;
mod error_texts;
mod evicted;
mod failures;
mod hub;
mod registration;
mod resume;
mod verify;
