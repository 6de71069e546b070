//! How an attempt ends early.

use std::fmt::Display;
use std::io;

use super::reason;
use crate::assets::blobs::BlobError;
use crate::model::log::Message;
use crate::store::StoreError;
use crate::store::jobs::attempt::AttemptError;

/// Why an attempt did not come to its end. Single files that fail are no failure of the attempt: they are log lines.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// It was told to leave off: a stop, a shutdown, a lost lease. Who told it knows why.
    Interrupted,
    /// It may pass: another attempt follows after a while. The message is a reason (`reason-…`).
    Transient(Message),
    /// There is no room for what it makes. That is no fault of the run: it waits for room, however long, and the attempt
    /// counts not as a failed one.
    DiskFull,
    /// It will not pass. The message is a whole sentence, or a reason.
    Fatal(Message),
}

impl Failure {
    /// It will not pass, for this reason.
    pub fn because(reason: Message) -> Self {
        Self::Fatal(Message::new("job-failed").with("reason", reason))
    }

    /// An error of reading or writing files of ours; `said` tells it in full.
    pub fn of_io(error: &io::Error, said: impl Display) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Transient(reason::other(said)),
        }
    }
}

impl From<AttemptError> for Failure {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::LeaseLost => Self::Interrupted,
            AttemptError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Full { .. } => Self::DiskFull,
            error => Self::Transient(reason::other(error)),
        }
    }
}

/// The store of files is at fault, not the file: what failed for this one fails for the next.
impl From<BlobError> for Failure {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Stopped => Self::Interrupted,
            BlobError::Full { .. } => Self::DiskFull,
            error => Self::Transient(reason::other(error)),
        }
    }
}

/// A fault of ours: a panic in a worker, or a runtime that shuts down.
pub(super) fn internal(error: impl std::fmt::Display) -> Failure {
    tracing::error!(%error, "a worker of an executor ended without a result");
    Failure::Transient(Message::new("reason-internal"))
}
