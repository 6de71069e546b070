//! `prepress completions` and `prepress man`.

use std::fs;
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

/// What the page of the whole program says beside its options.
const SECTIONS: &str = r#".SH ENVIRONMENT
.TP
\fBPREPRESS_CONFIG\fR
The configuration file, if \fB\-\-config\fR names none.
.TP
\fBPREPRESS_DATA\fR
The data folder, if \fB\-\-data\fR names none.
.TP
\fBSTATE_DIRECTORY\fR
The data folder, if neither the configuration nor anything else names one; systemd sets it.
.TP
\fBTZ\fR
The zone of schedules, if the configuration names none; without it, that of /etc/localtime.
.TP
\fBNO_COLOR\fR
Not empty: no colours.
.SH FILES
.TP
\fIDATA/prepress.db\fR
The database: companies, users, jobs and their logs, assets.
.TP
\fIDATA/blobs\fR
What was uploaded and what was made of it, by content.
.TP
\fIDATA/ingest\fR, \fIDATA/publish\fR, \fIDATA/exports\fR
Where companies put what is uploaded, what servers read, and what can be downloaded, unless the configuration says otherwise.
.TP
\fIDATA/mail\fR
Mails as files, when there is no mail server.
.TP
\fIDATA/lock\fR, \fIDATA/listen\fR, \fIDATA/config\-file\fR
Held by the daemon while it runs; the address that it listens on; the configuration file that it was started with, which other commands read when none is named.
"#;

/// The page of the whole program, with its sections.
fn main_page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    page.extend_from_slice(SECTIONS.as_bytes());
    Ok(page)
}

pub fn man(args: ManArgs, command: Command, screen: &Screen) -> Result<Exit, Failure> {
    let Some(folder) = args.out else {
        screen.bytes(&main_page(command)?)?;
        return Ok(Exit::Done);
    };
    let refuse = |error: io::Error| {
        Failure::new(format!("cannot write manual pages into {}: {error}", folder.display()))
            .hint("name a folder that may be written")
    };
    let page = folder.join("prepress.1");
    fs::create_dir_all(&folder).map_err(refuse)?;
    clap_mangen::generate_to(command.clone(), &folder).map_err(refuse)?;
    fs::write(page, main_page(command)?).map_err(refuse)?;
    screen.line(format!("The manual pages are in {}", folder.display()))?;
    Ok(Exit::Done)
}
