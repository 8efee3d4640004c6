//! The names of error types in a history.
//!
//! A type of another crate is named by the compiler's path. A type of this crate is named by the
//! path that a user writes, so that moving one of our files changes no name: `durable::TaskFailed`,
//! not `durable::error::task_failed::TaskFailed`.
//!
//! The compiler's path changes when a type is moved, so a program may give a type a fixed name with
//! [`error_name!`](crate::error_name). Names that were recorded before are still recognized.

use std::any::{TypeId, type_name};
use std::collections::HashMap;
use std::sync::OnceLock;

use crate::replay_rules;

/// The modules of this crate that are public.
const PUBLIC: [&str; 4] = ["http", "protocol", "store", "testing"];

/// The name that a program gives to an error type; made by [`error_name!`](crate::error_name).
#[derive(Debug)]
pub struct ErrorName {
    /// The type.
    pub id: fn() -> TypeId,
    /// The name under which it is recorded.
    pub name: &'static str,
    /// Names under which older releases of the program recorded the type.
    pub formerly: &'static [&'static str],
}

inventory::collect!(ErrorName);

/// The name that the program gives to a type.
fn given(id: TypeId) -> Option<&'static ErrorName> {
    static NAMES: OnceLock<HashMap<TypeId, &'static ErrorName>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        inventory::iter::<ErrorName>.into_iter().map(|name| ((name.id)(), name)).collect()
    });
    names.get(&id).copied()
}

/// Gives an error type the name under which it is recorded.
///
/// A failure is recorded with the name of its error's type, by which
/// [`is_caused_by`](crate::protocol::FailureDetails::is_caused_by) and
/// [`error`](crate::protocol::FailureDetails::error) find it again. Without this macro, the name is
/// [`std::any::type_name`], which changes when the type is moved to another module, and may change
/// with the compiler. Failures that were recorded before the type had a name are still found, as
/// long as the type has not been moved since; `formerly` lists further names.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, thiserror::Error)]
/// #[error("declined: {reason}")]
/// struct Declined {
///     reason: String,
/// }
///
/// durable::error_name!(Declined, "shop.Declined", formerly = ["shop::payment::Declined"]);
///
/// use durable::protocol::FailureDetails;
/// let old = FailureDetails::new("shop::payment::Declined", "declined: no money");
/// assert!(old.is_caused_by::<Declined>());
/// ```
#[macro_export]
macro_rules! error_name {
    ($type:ty, $name:literal $(, formerly = [$($formerly:literal),* $(,)?])? $(,)?) => {
        const _: () = {
            $crate::__private_0_1::inventory::submit! {
                $crate::__private_0_1::ErrorName {
                    id: ::core::any::TypeId::of::<$type>,
                    name: $name,
                    formerly: &[$($($formerly),*)?],
                }
            }
        };
    };
}

/// The name of an error's type.
pub(super) fn name_of<T: ?Sized + 'static>() -> String {
    match given(TypeId::of::<T>()) {
        Some(given) => given.name.to_owned(),
        None => name_of_path::<T>(),
    }
}

/// The name of a type by its path.
pub(super) fn name_of_path<T: ?Sized>() -> String {
    let name = type_name::<T>();
    if are_those_of_before() { before(name) } else { public(name) }
}

/// Whether a recorded name is that of `T`: the given name, a former one, or its path, as this or an
/// earlier release of this crate recorded it.
pub(crate) fn is_name_of<T: ?Sized + 'static>(recorded: &str) -> bool {
    let is_given = |it: &ErrorName| it.name == recorded || it.formerly.contains(&recorded);
    given(TypeId::of::<T>()).is_some_and(is_given) || public(recorded) == public(type_name::<T>())
}

/// Whether this is an orchestrator whose execution recorded names with private modules, which a
/// replay must reproduce.
pub(super) fn are_those_of_before() -> bool {
    replay_rules::are_those_of_release_0_1()
}

/// The name, with every path into this crate replaced by the path that a user writes.
fn public(name: &str) -> String {
    let mut public = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = start_of_path(rest) {
        let (before, path) = rest.split_at(start);
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
        let end = path.find(|c| !is_part(c)).unwrap_or(path.len());
        let (path, behind) = path.split_at(end);
        let mut parts = path.split("::").skip(1);
        let first = parts.next().unwrap_or_default();
        public.push_str(before);
        public.push_str("durable::");
        match parts.last() {
            Some(last) if PUBLIC.contains(&first) => {
                public.push_str(first);
                public.push_str("::");
                public.push_str(last);
            }
            Some(last) => public.push_str(last),
            None => public.push_str(first),
        }
        rest = behind;
    }
    public.push_str(rest);
    public
}

/// Where the next path into this crate begins.
fn start_of_path(name: &str) -> Option<usize> {
    let mut all = name.match_indices("durable::");
    let continues = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    all.find(|(start, _)| !name[..*start].ends_with(continues)).map(|(start, _)| start)
}

/// The name in the form that executions with replay rules of version 0 record.
fn before(name: &str) -> String {
    name.replace("durable::error::task_failed::", "durable::error::")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, TaskFailed};
    use crate::protocol::InvalidInstanceId;

    #[test]
    fn names_of_this_crate_are_those_of_its_public_api() {
        assert_eq!(name_of::<Error>(), "durable::Error");
        assert_eq!(
            name_of::<TaskFailed<std::fmt::Error>>(),
            "durable::TaskFailed<core::fmt::Error>"
        );
        assert_eq!(name_of::<TaskFailed>(), "durable::TaskFailed");
        assert_eq!(name_of::<InvalidInstanceId>(), "durable::protocol::InvalidInstanceId");
        assert_eq!(name_of::<crate::client::HubError>(), "durable::HubError");
        assert_eq!(name_of::<crate::store::StoreError>(), "durable::store::StoreError");
        assert_eq!(name_of::<Vec<(Error, u8)>>(), "alloc::vec::Vec<(durable::Error, u8)>");
    }

    struct Declined;

    crate::error_name!(Declined, "shop.Declined", formerly = ["shop::payment::Declined"]);

    #[test]
    fn a_given_name_is_recorded_and_former_names_are_recognized() {
        assert_eq!(name_of::<Declined>(), "shop.Declined");
        assert!(is_name_of::<Declined>("shop.Declined"));
        assert!(is_name_of::<Declined>("shop::payment::Declined"));
        assert!(is_name_of::<Declined>(type_name::<Declined>()));
        assert!(!is_name_of::<Declined>("shop.Refused"));
        assert!(!is_name_of::<Error>("shop.Declined"));
    }

    #[test]
    fn names_of_other_crates_stay() {
        for name in ["shop::durable::Declined", "undurable::x::Y", "std::io::error::Error"] {
            assert_eq!(public(name), name);
        }
    }

    #[test]
    fn a_name_recorded_by_an_earlier_release_is_recognized() {
        assert!(is_name_of::<Error>("durable::error::Error"));
        assert!(is_name_of::<TaskFailed>("durable::error::TaskFailed"));
        assert!(!is_name_of::<TaskFailed>("durable::error::Error"));
    }
}
