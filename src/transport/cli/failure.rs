//! How a command fails: one line that says what, one that says what to do, and an exit code.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

use super::bench::BenchError;
use super::screen::{Paint, Style};
use crate::config::ConfigError;
use crate::daemon::StartError;
use crate::daemon::fitness::Unfit;
use crate::media::MediaError;
use crate::service::{Ambiguous, Candidate, Denied, Error};
use crate::store::StoreError;
use crate::words::harmless;

/// What the shell is told. The numbers are documented in the help text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Done,
    /// It was refused, or could not be done.
    Failed,
    /// The job that was waited for failed as a whole, or was stopped.
    JobFailed,
    /// The job that was waited for is done, with errors in some of its files, or without some of them.
    JobHadErrors,
    /// The data folder lacks the database that its files belong to, or this version cannot work on it: the sysexits.h number
    /// for what only a person can set right, so that nobody starts the daemon again and again.
    Unfit,
    /// A signal ended the command before its work was done.
    Interrupted,
}

impl Exit {
    /// What `--help` says about exit codes. 2 is clap's.
    pub const HELP: &str = "\
Exit codes:
  0  done
  1  refused or failed; the message says why and what to do
  2  the command line was not understood
  3  the job that was waited for failed or was stopped
  4  the job that was waited for is done, but some of its files had errors, or were left out because
      assets with other content have their names
  78  the data folder's database is missing, empty, damaged, of a newer or another build of prepress,
      not the one that its files belong to, or beside the log of another; or all of its files are missing
  130  interrupted by a signal (Ctrl-C)";
}

impl Exit {
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::JobFailed => 3,
            Self::JobHadErrors => 4,
            Self::Unfit => 78,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    Told {
        what: String,
        hint: Option<String>,
    },
    /// Nothing may be done on the data folder as it is.
    Unfit(Unfit),
    /// A signal said so; and what becomes of what was begun.
    Interrupted(String),
    /// Nobody reads on, as in `prepress jobs list | head`: no failure at all.
    NobodyReads,
}

/// As a shell reads it, also where there is a quotation mark in it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", harmless(text).replace('\'', r"'\''"))
}

impl Failure {
    pub fn new(what: impl Into<String>) -> Self {
        Self::Told { what: what.into(), hint: None }
    }

    pub fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Told { what, .. } => Self::Told { what, hint: Some(hint.into()) },
            Self::Unfit(_) | Self::Interrupted(_) | Self::NobodyReads => self,
        }
    }

    /// Errors of ours say what to do in their last clause.
    fn of(error: impl Display) -> Self {
        let text = error.to_string();
        match text.rsplit_once("; ") {
            Some((what, hint)) => Self::new(what).hint(hint),
            None => Self::new(text),
        }
    }

    /// A list to choose from, a line each, with a handle to paste.
    fn of_many(Ambiguous { name, candidates, more }: &Ambiguous) -> Self {
        let mut hint = String::from("say which by its handle:");
        for Candidate { handle, company, what } in candidates {
            hint.push_str(&format!("\n  {}  {}: {what}", quoted(handle), harmless(company)));
        }
        if *more {
            hint.push_str(&format!("\n  and others; see: prepress jobs list --name {}", quoted(name)));
        }
        Self::new(format!("more than one job could be meant by \"{}\"; nothing was done", harmless(name))).hint(hint)
    }

    /// The same, where trying again mends nothing.
    fn unfit(error: impl Display) -> Self {
        match Self::of(error) {
            Self::Told { what, hint } => Self::Unfit(Unfit { what, remedy: hint.unwrap_or_default() }),
            other => other,
        }
    }

    /// What went wrong, without what to do.
    pub fn what(&self) -> &str {
        match self {
            Self::Told { what, .. } | Self::Interrupted(what) => what,
            Self::Unfit(unfit) => &unfit.what,
            Self::NobodyReads => "nobody reads it",
        }
    }

    /// Tells the person, and the shell.
    pub fn report(self) -> ExitCode {
        match self {
            Self::NobodyReads => Exit::Done.into(),
            Self::Interrupted(what) => {
                let style = Style::of(&io::stderr());
                tell(&format!("{} {what}\n", style.paint(Paint::Yellow, "interrupted:")));
                Exit::Interrupted.into()
            }
            Self::Unfit(Unfit { what, remedy }) => told(&what, Some(&remedy), Exit::Unfit),
            Self::Told { what, hint } => told(&what, hint.as_deref(), Exit::Failed),
        }
    }
}

fn told(what: &str, hint: Option<&str>, exit: Exit) -> ExitCode {
    let style = Style::of(&io::stderr());
    let mut text = format!("{} {what}\n", style.paint(Paint::Red, "error:"));
    if let Some(hint) = hint {
        text.push_str(&format!("{} {hint}\n", style.paint(Paint::Cyan, " hint:")));
    }
    tell(&text);
    exit.into()
}

/// What somebody should know, and is no part of the answer.
pub fn warn(what: &str) {
    let style = Style::of(&io::stderr());
    tell(&format!("{} {what}\n", style.paint(Paint::Yellow, "warning:")));
}

/// Where it cannot be written there is nobody to tell.
pub fn tell(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        match error {
            ConfigError::Invalid { .. } => Self::new(error.to_string()).hint("config/example.toml documents every key"),
            ConfigError::Read { .. }
            | ConfigError::Syntax { .. }
            | ConfigError::Path { .. }
            | ConfigError::PasswordFile { .. } => Self::of(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            // What this version cannot read it cannot read the next time either.
            StoreError::Corrupt { .. } => {
                return Self::unfit(format!("{error}; use the version of prepress that wrote it, or a newer one"));
            }
            StoreError::Database { .. } | StoreError::Constraint { .. } => {
                Some("`prepress check` looks at the database")
            }
            StoreError::Damaged { .. } => return Self::unfit(error),
            StoreError::Open { reason, .. } if reason.needs_a_person() => return Self::unfit(error),
            StoreError::Open { .. }
            | StoreError::Full { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Closed
            | StoreError::Passed { .. } => None,
        };
        match hint {
            Some(hint) => Self::new(error.to_string()).hint(hint),
            None => Self::of(error),
        }
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Store(error) => error.into(),
            StartError::Unfit(unfit) => Self::Unfit(unfit),
            StartError::Service(error) => error.into(),
            error => Self::of(error),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            Error::Denied(Denied::InvalidCompany { .. }) => {
                Self::new("there is no such company, or the user is not a member of it")
                    .hint("see: prepress company list")
            }
            Error::Denied(Denied::NoOperationPermission { .. }) => Self::new(error.to_string())
                .hint("give the user another role with: prepress user add EMAIL --role ROLE"),
            Error::Ambiguous(ambiguous) => Self::of_many(&ambiguous),
            Error::Refused(what) if what.starts_with("there is no company") => {
                Self::new(what).hint("see: prepress company list")
            }
            Error::Refused(what) if what.starts_with("there is no user") => {
                Self::new(what).hint("see: prepress user list, or add one: prepress user add EMAIL")
            }
            Error::Refused(what) if what.starts_with("there is no job") => {
                Self::new(what).hint("see: prepress jobs list, and prepress jobs schedule")
            }
            error => Self::of(error),
        }
    }
}

impl From<MediaError> for Failure {
    fn from(error: MediaError) -> Self {
        Self::of(error)
    }
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        Self::new(error.to_string())
    }
}

/// Of writing to the terminal, or to what reads in its place.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::new(format!("cannot write the output: {error}")),
        }
    }
}
