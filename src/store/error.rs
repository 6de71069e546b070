//! What can go wrong below the domain.

use std::path::PathBuf;

/// The database could not do what was asked. None of it was done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database {path}: {reason}")]
    Open { path: PathBuf, reason: String },
    #[error("the database could not {doing}: {reason}")]
    Database { doing: &'static str, reason: String },
    #[error("the disk that holds the database is full, so it could not {doing}; free some space, nothing was lost")]
    Full { doing: &'static str },
    #[error("the database cannot be written ({reason}), so it could not {doing}; check the rights of the data folder")]
    ReadOnly { doing: &'static str, reason: String },
    #[error("the database is being closed")]
    Closed,
    #[error("the database holds {what} that this version cannot read: {reason}")]
    Corrupt { what: String, reason: String },
}

/// SQLite's primary result codes (the low byte of the extended one) that have a meaning of their own here.
const SQLITE_READONLY: i32 = 8;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;

/// The extended code of an error that has but one cause in practice: there is no room for the index of the log.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

impl StoreError {
    /// Names what was being done when sqlx reported `error`.
    pub(super) fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| {
            let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
            match code.map(|code| if code == SQLITE_IOERR_SHMSIZE { SQLITE_FULL } else { code & 0xff }) {
                Some(SQLITE_FULL) => Self::Full { doing },
                Some(SQLITE_READONLY | SQLITE_CANTOPEN) => Self::ReadOnly { doing, reason: error.to_string() },
                _ => Self::Database { doing, reason: error.to_string() },
            }
        }
    }

    pub(super) fn corrupt(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.to_string() }
    }
}
