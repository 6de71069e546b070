//! What can go wrong below the domain.

use std::path::PathBuf;

use super::sql::{self, Class};

/// The database could not do what was asked. None of it was done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database {path}: {reason}")]
    Open { path: PathBuf, reason: Unopened },
    #[error("the database could not {doing}: {reason}")]
    Database { doing: &'static str, reason: String },
    /// What was to be written contradicts what is there, and will do so again.
    #[error("the database refused to {doing}: {reason}")]
    Constraint { doing: &'static str, reason: String },
    #[error("the disk that holds the database is full, so it could not {doing}; free some space, nothing was lost")]
    Full { doing: &'static str },
    #[error("the database cannot be written ({reason}), so it could not {doing}; check the rights of the data folder")]
    ReadOnly { doing: &'static str, reason: String },
    #[error(
        "the database is damaged, so it could not {doing} ({reason}); stop the daemon and restore a backup, `prepress check` says what is damaged"
    )]
    Damaged { doing: &'static str, reason: String },
    #[error("the database is being closed")]
    Closed,
    #[error(
        "another publish of the context has begun since, or a tree holds this one already, so publish {seq} could not {doing}; it begins anew"
    )]
    Passed { seq: i64, doing: &'static str },
    #[error("the database holds {what} that this version cannot read: {reason}")]
    Corrupt { what: String, reason: String },
}

/// Why a database cannot be opened, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    #[error(
        "a newer version of prepress has written it (its schema has number {found}, this version knows {known}); start that version, or restore the backup from before the upgrade"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "it is of an older version of prepress, and is only read here; `prepress serve` of this version brings it up to date when it starts"
    )]
    Older,
    #[error(
        "another build of prepress has written it: number {version} of its schema is not what this one has; use the build that wrote it"
    )]
    Altered { version: i64 },
    #[error(
        "it is damaged ({0}); stop what works on it and restore a backup, without the -wal and -shm files that lie beside it now"
    )]
    Damaged(String),
    #[error(
        "it is not an SQLite database, or its beginning is damaged; restore a backup, or name another folder with --data"
    )]
    NotADatabase,
    #[error("the disk that holds it is full; free some space, nothing was lost")]
    Full,
    #[error("it may not be opened, or written ({0}); check the rights of the data folder, `prepress check` says more")]
    Rights(String),
    #[error("another process does not let go of it ({0}); end what works on it, or try again")]
    Busy(String),
    #[error(
        "another process holds a lock on {folder}, longer than it takes to bring a database up to date; `fuser {folder}` names it: end it, or try again"
    )]
    Locked { folder: PathBuf },
    #[error("{0}; `prepress check` says more")]
    Other(String),
}

impl Unopened {
    /// Whether it stays so until a person restores a backup, or starts the right version. Rights, room and locks may come
    /// back by themselves.
    pub const fn needs_a_person(&self) -> bool {
        match self {
            Self::Newer { .. } | Self::Altered { .. } | Self::Damaged(_) | Self::NotADatabase => true,
            Self::Older | Self::Full | Self::Rights(_) | Self::Busy(_) | Self::Locked { .. } | Self::Other(_) => false,
        }
    }

    pub(super) fn by(error: &sql::Error) -> Self {
        match sql::class(error) {
            Class::Full => Self::Full,
            Class::Rights => Self::Rights(error.to_string()),
            Class::Damaged => Self::Damaged(error.to_string()),
            Class::NotADatabase => Self::NotADatabase,
            Class::Busy => Self::Busy(error.to_string()),
            Class::Constraint | Class::Other => Self::Other(error.to_string()),
        }
    }
}

impl StoreError {
    /// Names what was being done when the database reported `error`.
    pub(super) fn doing(doing: &'static str) -> impl FnOnce(sql::Error) -> Self {
        move |error| match sql::class(&error) {
            Class::Full => Self::Full { doing },
            Class::Rights => Self::ReadOnly { doing, reason: error.to_string() },
            Class::Damaged | Class::NotADatabase => Self::Damaged { doing, reason: error.to_string() },
            Class::Constraint => Self::Constraint { doing, reason: error.to_string() },
            Class::Busy | Class::Other => Self::Database { doing, reason: error.to_string() },
        }
    }

    pub(super) fn corrupt(what: impl Into<String>, reason: impl std::fmt::Display) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.to_string() }
    }
}
