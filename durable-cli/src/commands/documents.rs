//! What the command line says about itself: completions, manual pages, and a page for coding agents.

use std::fs;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::env::Shells;
use clap_mangen::Man;

use crate::args::{Cli, Shell};
use crate::error::CliError;
use crate::session::Io;

const SKILL: &str = include_str!("../../docs/skill.md");

pub(super) fn completions(shell: Shell, io: &mut Io) -> Result<(), CliError> {
    let name = match shell {
        Shell::Bash => "bash",
        Shell::Zsh => "zsh",
        Shell::Fish => "fish",
        Shell::Elvish => "elvish",
        Shell::Powershell => "powershell",
    };
    let program = std::env::args().next().unwrap_or_else(|| "durable".to_owned());
    let file = Path::new(&program).file_name().map(|it| it.to_string_lossy().into_owned());
    let bin = file.unwrap_or_else(|| "durable".to_owned());
    let shells = Shells::builtins();
    let Some(completer) = shells.completer(name) else {
        return Err(CliError::Failed(format!("no completions for {name}")));
    };
    let mut script = Vec::new();
    let written = completer.write_registration("COMPLETE", &bin, &bin, &program, &mut script);
    written.map_err(|source| CliError::Write { path: "-".into(), source })?;
    io.write(&String::from_utf8_lossy(&script));
    Ok(())
}

pub(super) fn man(out: Option<&Path>, io: &mut Io) -> Result<(), CliError> {
    if let Some(folder) = out {
        let failed = |source| CliError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(failed)?;
        return clap_mangen::generate_to(Cli::command(), folder).map_err(failed);
    }
    let mut page = Vec::new();
    let rendered = Man::new(Cli::command()).render(&mut page);
    rendered.map_err(|source| CliError::Write { path: "-".into(), source })?;
    io.write(&String::from_utf8_lossy(&page));
    Ok(())
}

pub(super) fn skill(io: &mut Io) {
    io.write(SKILL);
}
