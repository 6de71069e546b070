//! How a command fails: a line that says what, a line that says what to do.

use std::fmt::Display;
use std::io;
use std::process::ExitCode;

#[derive(Debug)]
pub struct Failure {
    what: String,
    hint: Option<String>,
    /// The reader of our output has gone away: nothing to say, and nobody to say it to.
    silent: bool,
}

impl Failure {
    pub fn new(what: impl Display) -> Self {
        Self { what: what.to_string(), hint: None, silent: false }
    }

    pub fn hint(mut self, hint: impl Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Output could not be written. A closed pipe (`prepress … | head`) is no error.
    pub fn output(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self { what: format!("cannot write the output: {error}"), hint: None, silent }
    }

    pub fn report(self) -> ExitCode {
        if self.silent {
            return ExitCode::SUCCESS;
        }
        eprintln!("prepress: {}", self.what);
        if let Some(hint) = self.hint {
            eprintln!("  hint: {hint}");
        }
        ExitCode::FAILURE
    }
}

macro_rules! failures {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error)
            }
        }
    )+};
}

failures! {
    crate::config::ConfigError,
    crate::daemon::StartError,
    crate::service::Error,
    crate::store::StoreError,
    crate::media::MediaError,
    super::bench::BenchError,
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::output(error)
    }
}
