//! Delivery of one mail, tried once. Whoever keeps the outbox decides by [`SendError::is_transient`] whether to try
//! again.

mod folder;
mod smtp;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;

pub use folder::EmlFolder;
pub use smtp::{Login, Security, SmtpSettings, SmtpSetupError, SmtpTransport};

use super::envelope::{OutgoingMail, Sender, SenderError};

#[async_trait]
pub trait MailTransport: Send + Sync {
    async fn send(&self, mail: &OutgoingMail) -> Result<Receipt, SendError>;
}

/// Proof that somebody else is now responsible for the mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    Accepted { server: String, reply: String },
    Written { path: PathBuf },
}

#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("{address:?} is not a mail address ({reason}); correct it in the user's account")]
    Address { address: String, reason: String },
    #[error("mail {id} could not be put together: {reason}")]
    Build { id: i64, reason: String },
    #[error("{server} refused the mail to {to}: {reply}")]
    Refused { server: String, to: String, reply: String },
    #[error("{server} does not take the mail to {to} now: {reply}")]
    Deferred { server: String, to: String, reply: String },
    #[error("{server} did not accept the login: {reply}; check the user and the password of the mail configuration")]
    Login { server: String, reply: String },
    #[error(
        "no conversation with the mail server {server}: {reason}; check host, port and security of the mail configuration"
    )]
    Connection { server: String, reason: String },
    #[error("the mail server {server} did not answer within {} s", waited.as_secs_f32())]
    Timeout { server: String, waited: Duration },
    #[error("cannot write {}: {source}; check the rights and the space of the folder", path.display())]
    Folder { path: PathBuf, source: io::Error },
}

impl SendError {
    /// Whether the same mail can be delivered later without a change to it. What an administrator can mend is
    /// transient: no mail is given up because of a wrong password.
    pub fn is_transient(&self) -> bool {
        match self {
            SendError::Address { .. } | SendError::Build { .. } | SendError::Refused { .. } => false,
            SendError::Deferred { .. }
            | SendError::Login { .. }
            | SendError::Connection { .. }
            | SendError::Timeout { .. }
            | SendError::Folder { .. } => true,
        }
    }
}
