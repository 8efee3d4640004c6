//! Profiles: named hubs in the configuration of the user.
//!
//! The file is `durable/config.toml` in `$XDG_CONFIG_HOME` or `~/.config`. It is parsed here,
//! because it uses only the tables and strings of TOML.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::error::CliError;
use crate::session::Io;

/// A hub with a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) hub: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) key: Option<String>,
}

/// The profile of this name.
pub(crate) fn profile(name: &str, io: &Io) -> Result<Profile, CliError> {
    let path = file(io).ok_or_else(|| {
        CliError::Usage("no folder for the configuration; set `XDG_CONFIG_HOME` or `HOME`".into())
    })?;
    let profiles = read(&path)?;
    profiles.get(name).cloned().ok_or_else(|| {
        let known: Vec<_> = profiles.keys().map(String::as_str).collect();
        CliError::NotFound(format!("no profile `{name}`; there are: {}", known.join(", ")))
    })
}

/// The names of all profiles; `None` if there is no file.
pub(crate) fn names(io: &Io) -> Result<Option<Vec<String>>, CliError> {
    match file(io).filter(|path| path.exists()) {
        Some(path) => Ok(Some(read(&path)?.into_keys().collect())),
        None => Ok(None),
    }
}

fn read(path: &Path) -> Result<BTreeMap<String, Profile>, CliError> {
    let text = fs::read_to_string(path)
        .map_err(|source| CliError::File { path: path.to_owned(), source })?;
    parse(&text).map_err(|line| {
        CliError::Usage(format!(
            "`{}` has an unknown line {line}; write `[profiles.name]` and `hub = \"..\"`, \
             `path = \"..\"` or `key = \"..\"`",
            path.display()
        ))
    })
}

fn file(io: &Io) -> Option<PathBuf> {
    let folder = match io.variable("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(io.variable("HOME")?).join(".config"),
    };
    Some(folder.join("durable/config.toml"))
}

/// The profiles of a file; the error is the number of a line that cannot be parsed.
fn parse(text: &str) -> Result<BTreeMap<String, Profile>, usize> {
    let mut profiles = BTreeMap::<String, Profile>::new();
    let mut current = None;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let unknown = index + 1;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(table) = line.strip_prefix('[').and_then(|it| it.strip_suffix(']')) {
            let name = table.strip_prefix("profiles.").ok_or(unknown)?;
            current = Some(profiles.entry(name.trim_matches('"').to_owned()).or_default());
            continue;
        }
        let (name, value) = line.split_once('=').ok_or(unknown)?;
        let value = serde_json::from_str::<String>(value.trim()).map_err(|_| unknown)?;
        let profile = current.as_mut().ok_or(unknown)?;
        match name.trim() {
            "hub" => profile.hub = Some(value),
            "path" => profile.path = Some(value),
            "key" => profile.key = Some(value),
            _ => return Err(unknown),
        }
    }
    Ok(profiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_and_an_unknown_line_is_named() {
        let text = "# mine\n[profiles.prod]\nhub = \"http://a:1\"\nkey = \"k\"\n";
        let profiles = parse(text).unwrap();
        let wanted = Profile { hub: Some("http://a:1".into()), key: Some("k".into()), path: None };
        assert_eq!(profiles["prod"], wanted);
        assert_eq!(parse("[profiles.a]\nhub = 1").unwrap_err(), 2);
        assert_eq!(parse("hub = \"x\"").unwrap_err(), 1);
    }
}
