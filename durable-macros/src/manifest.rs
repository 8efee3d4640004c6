//! The name of the crate `durable` in the crate that is compiled, as far as its manifest shows.
//!
//! Generated code names `::durable`. If there is no such crate, the compiler reports every path in
//! the code, but does not mention that the attributes have an option `crate`. So the manifest is
//! read.

use std::cell::OnceCell;
use std::env;
use std::fs;
use std::path::PathBuf;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;

use crate::toml;

/// The name of `durable`.
#[derive(Clone, Debug, PartialEq)]
enum Name {
    /// `durable`; or the name is unknown, and the compiler finds out.
    Usual,
    /// A dependency has this name instead.
    Renamed(String),
    /// No dependency is `durable`, so another crate re-exports it.
    Absent,
}

/// The expansion of an attribute. Where the attribute does not find `durable`, that is the only
/// error.
pub(crate) fn checked(
    attribute: &str,
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
    expand: impl FnOnce(TokenStream, &TokenStream) -> TokenStream,
) -> proc_macro::TokenStream {
    let (options, item) = (TokenStream::from(options), TokenStream::from(item));
    let expanded = match found(&options) {
        Name::Usual => expand(options, &item),
        Name::Renamed(name) => {
            let error = error(format!(
                "the dependency `durable` is named `{name}` in Cargo.toml; write \
                 `#[{attribute}(crate = {name})]`"
            ));
            let name = Ident::new(&name, Span::call_site());
            let comma = (!options.is_empty()).then(|| quote!(,));
            let expanded = expand(quote!(crate = ::#name #comma #options), &item);
            quote!(#error #expanded)
        }
        Name::Absent => {
            let error = error(format!(
                "Cargo.toml has no dependency named `durable`, which the generated code uses; add it, \
                 or write `#[{attribute}(crate = path)]` with the path of a re-export"
            ));
            quote!(#error #item)
        }
    };
    expanded.into()
}

fn error(message: String) -> TokenStream {
    syn::Error::new(Span::call_site(), message).to_compile_error()
}

/// The name of `durable`, as far as an attribute with these options needs it.
fn found(options: &TokenStream) -> Name {
    thread_local!(static NAME: OnceCell<Name> = const { OnceCell::new() });
    let names_crate = options.clone().into_iter().any(|token| match token {
        TokenTree::Ident(option) => option == "crate",
        TokenTree::Group(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    });
    if names_crate { Name::Usual } else { NAME.with(|name| name.get_or_init(find).clone()) }
}

fn find() -> Name {
    let folder = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let manifest = env::var_os("CARGO_MANIFEST_PATH").map(PathBuf::from);
    let manifest = manifest.unwrap_or_else(|| folder.join("Cargo.toml"));
    let Ok(manifest) = fs::read_to_string(manifest) else { return Name::Usual };
    match name(&manifest) {
        // The root of the crate can bring it in under its usual name.
        Name::Usual => Name::Usual,
        other => {
            let this = proc_macro::Span::call_site().local_file();
            let roots = ["src/lib.rs", "src/main.rs"].map(|root| folder.join(root));
            let is_renamed_back = roots.into_iter().chain(this).any(|root| {
                fs::read_to_string(root).is_ok_and(|text| text.contains(" as durable;"))
            });
            if is_renamed_back { Name::Usual } else { other }
        }
    }
}

/// The name of `durable` in a manifest. If the manifest cannot be read here, the compiler finds
/// out.
fn name(manifest: &str) -> Name {
    let Some(assignments) = toml::assignments(manifest) else { return Name::Usual };
    let mut renamed = None;
    for (path, value) in &assignments {
        match renames(path, value) {
            Some(Name::Usual) => return Name::Usual,
            Some(name) => renamed = Some(name),
            None => {}
        }
    }
    renamed.unwrap_or(Name::Absent)
}

/// What an assignment of the manifest says about the name, if anything.
fn renames(path: &[String], value: &str) -> Option<Name> {
    let is_durable = || toml::text(value) == Some("durable");
    if path == ["package", "name"] && is_durable() {
        return Some(Name::Usual);
    }
    let at = path.iter().position(|part| part.ends_with("dependencies"))?;
    match &path[at + 1..] {
        [name, ..] if name == "durable" => Some(Name::Usual),
        [name, package] if package == "package" && is_durable() => {
            let name = name.replace('-', "_");
            Some(syn::parse_str::<Ident>(&name).map_or(Name::Usual, |_| Name::Renamed(name)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_gives_the_name_of_the_dependency() {
        let renamed = |name: &str| Name::Renamed(name.to_owned());
        for (manifest, found) in [
            ("[package]\nname = \"app\"\n[dependencies]\ndurable = \"0.1\"", Name::Usual),
            ("[dev-dependencies]\ndurable.workspace = true", Name::Usual),
            ("[target.'cfg(unix)'.dependencies.durable]\npath = \"..\"", Name::Usual),
            ("[package]\nname = \"durable\"", Name::Usual),
            ("[dependencies]\nrt = { path = \"..\", package = \"durable\" }", renamed("rt")),
            ("[dependencies]\nd-rt = {package=\"durable\"}", renamed("d_rt")),
            ("[dependencies.rt]\npackage = \"durable\" # ours", renamed("rt")),
            ("[dependencies]\nold = { package = \"durable\" }\ndurable = \"0.2\"", Name::Usual),
            ("[package]\nname = \"app\"\n[dependencies]\nfacade = \"1\"", Name::Absent),
            ("[package.metadata]\ndurable = true", Name::Absent),
            ("[dependencies] # runtime\ndurable = \"0.1\"", Name::Usual),
            ("[dependencies.durable] # runtime\nversion = \"0.1\"", Name::Usual),
            ("dependencies.durable = \"0.1\"", Name::Usual),
            ("dependencies = { durable = \"0.1\" }", Name::Usual),
            ("dependencies = { facade = \"1\" }", Name::Absent),
            ("dependencies = { rt = { package = \"durable\" } }", renamed("rt")),
            ("[dependencies.rt] # ours\npackage = \"durable\"", renamed("rt")),
            ("[dependencies.\"rt\"]\npackage = 'durable'", renamed("rt")),
            ("[dependencies]\nrt.package = \"durable\"", renamed("rt")),
            ("[dependencies]\nrt = {\n package = \"durable\", # ours\n}", renamed("rt")),
            ("[dependencies.\"no name\"]\npackage = \"durable\"", Name::Usual),
            ("[dependencies\nrt = \"1\"", Name::Usual),
            ("[dependencies]\nother = \"1\" # durable = \"0.1\"", Name::Absent),
        ] {
            assert_eq!(name(manifest), found, "{manifest}");
        }
    }
}
