//! Mails about jobs: composing them and delivering them.
//!
//! [`compose`] turns a report into subject, text and HTML; it knows no server. [`transport`] delivers what the outbox
//! holds, over SMTP or into a folder; it knows no job. When a mail is sent, and how often it is tried again, is the
//! business of whoever keeps the outbox.

pub mod compose;
mod envelope;
pub mod report;
pub mod transport;

pub use compose::compose;
pub use envelope::{JobReference, OutgoingMail, Sender, SenderError};
pub use report::{Counters, Ending, Finish, JobReport, Problem, ResultPlace, Severity, Stage};
pub use transport::{EmlFolder, Login, MailTransport, Receipt, Security, SendError, SmtpSettings, SmtpTransport};

/// What a reader gets to see, in two equal versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// One line, harmless as a header.
    pub subject: String,
    pub text: String,
    pub html: String,
}
