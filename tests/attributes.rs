//! The examples in the docs of the attributes. `durable-macros` cannot compile them, because they use
//! `durable`, which depends on it.

macro_rules! compile {
    ($($attribute:ident)*) => {$(
        #[cfg(doctest)]
        #[doc = include_str!(concat!("../durable-macros/docs/", stringify!($attribute), ".md"))]
        pub mod $attribute {}
    )*};
}

compile!(activity allow deterministic entity event helper orchestrator);
