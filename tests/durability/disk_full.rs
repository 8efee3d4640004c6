//! x
use std::path::Path;
pub(crate) fn child(_folder: &Path) {}
