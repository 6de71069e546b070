//! What is wrong with a configuration: all of it at once.

use std::{fmt, io, path::PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read the configuration {}: {source}; check the path and its permissions", file.display())]
    Read { file: PathBuf, source: io::Error },
    /// Without the text of the line, which may hold a password.
    #[error("the configuration {} is not valid TOML: line {line}: {message}", file.display())]
    Syntax { file: PathBuf, line: usize, message: String },
    #[error("{}{}", origin(file), lines(problems))]
    Invalid {
        /// None when only the environment and the command line were read.
        file: Option<PathBuf>,
        problems: Vec<Problem>,
    },
    #[error("cannot make the path {path:?} absolute: {source}")]
    Path { path: PathBuf, source: io::Error },
    #[error("cannot read mail.password_file {}: {source}", file.display())]
    PasswordFile { file: PathBuf, source: io::Error },
}

/// One key that is unknown or has a bad value.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("unknown key `{key}`{}", .nearest.as_ref().map(|key| format!("; did you mean `{key}`?")).unwrap_or_default())]
    UnknownKey { key: String, nearest: Option<String> },
    #[error("{key} = {value}: {rule}")]
    BadValue { key: String, value: String, rule: String },
}

fn origin(file: &Option<PathBuf>) -> impl fmt::Display {
    fmt::from_fn(move |f| match file {
        Some(file) => write!(f, "the configuration {} has errors:", file.display()),
        None => f.write_str("the configuration has errors:"),
    })
}

fn lines(problems: &[Problem]) -> impl fmt::Display {
    fmt::from_fn(|f| problems.iter().try_for_each(|problem| write!(f, "\n  {problem}")))
}
