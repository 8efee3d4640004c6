//! The order of the versions of durable functions.

use std::cmp::Ordering;

/// The order of versions: no version comes first; dotted numbers are compared as numbers, other
/// versions as text, ignoring case.
///
/// ```text
/// none < "1" < "1.2" < "1.10" < "2"
/// ```
pub(crate) fn compare_versions(a: Option<&str>, b: Option<&str>) -> Ordering {
    let numbers =
        |version: &str| version.split('.').map(str::parse).collect::<Result<Vec<u64>, _>>().ok();
    match (a, b) {
        (Some(a), Some(b)) => match (numbers(a), numbers(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => a.to_lowercase().cmp(&b.to_lowercase()),
        },
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_versions_are_ordered_as_numbers() {
        let order = [None, Some("1"), Some("1.2"), Some("1.10"), Some("2"), Some("B"), Some("c")];
        for (index, version) in order.iter().enumerate() {
            for (other_index, other) in order.iter().enumerate() {
                assert_eq!(compare_versions(*version, *other), index.cmp(&other_index));
            }
        }
    }
}
