//! `prepress completions` and `prepress man`.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;

use super::failure::{Exit, Failure};
use super::screen::Screen;

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Whose: `source <(prepress completions bash)`
    shell: Shell,
}

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for each subcommand into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub fn completions(args: CompletionsArgs, mut command: Command, screen: &Screen) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "prepress", &mut script);
    screen.bytes(&script)?;
    Ok(Exit::Done)
}

pub fn man(args: ManArgs, command: Command, screen: &Screen) -> Result<Exit, Failure> {
    let Some(folder) = args.out else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page)?;
        screen.bytes(&page)?;
        return Ok(Exit::Done);
    };
    let refuse = |error: io::Error| {
        Failure::new(format!("cannot write manual pages into {}: {error}", folder.display()))
            .hint("name a folder that may be written")
    };
    std::fs::create_dir_all(&folder).map_err(refuse)?;
    clap_mangen::generate_to(command, &folder).map_err(refuse)?;
    screen.line(format!("The manual pages are in {}", folder.display()))?;
    Ok(Exit::Done)
}
