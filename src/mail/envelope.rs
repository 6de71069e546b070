//! A composed mail with its headers, as it goes over the wire or into a file.
//!
//! The same outbox row always becomes the same bytes: date, identity and boundary come from what is stored, so that a
//! mail sent again after a crash is recognised as the one that may have arrived before.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use sha2::{Digest, Sha256};

use super::Mail;
use super::transport::SendError;
use crate::words::harmless;

/// A mail that waits in the outbox.
#[derive(Debug, Clone)]
pub struct OutgoingMail {
    /// The outbox row: the mail's identity.
    pub id: i64,
    /// When it was put there.
    pub date: DateTime<Utc>,
    pub to: String,
    pub mail: Mail,
    pub job: JobReference,
    /// The outbox row of the mail about the beginning of the same job, which this one answers.
    pub answers: Option<i64>,
}

#[derive(Debug, Clone)]
pub struct JobReference {
    pub id: i64,
    pub handle: String,
}

/// Who the mails come from.
#[derive(Debug, Clone)]
pub struct Sender {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    installation: String,
}

#[derive(Debug, thiserror::Error)]
#[error("{role} {address:?} is not a mail address: {reason}; write it as name@example.com")]
pub struct SenderError {
    role: &'static str,
    address: String,
    reason: String,
}

impl Sender {
    /// `installation` tells this data folder from every other one, so that their mails never share an identity; it
    /// must not change.
    pub fn new(name: &str, from: &str, reply_to: Option<&str>, installation: &str) -> Result<Self, SenderError> {
        let name = header_text(name);
        let mailbox = |role, address: &str, name: &str| match parse_address(address) {
            Ok(parsed) => Ok(Mailbox::new((!name.is_empty()).then(|| name.to_owned()), parsed)),
            Err(reason) => Err(SenderError { role, address: address.to_owned(), reason }),
        };
        Ok(Self {
            from: mailbox("the sender", from, &name)?,
            reply_to: reply_to.map(|address| mailbox("the address for replies", address, "")).transpose()?,
            installation: installation.chars().filter(char::is_ascii_alphanumeric).collect(),
        })
    }

    fn identity(&self, kind: &str, number: i64) -> String {
        format!("<{kind}-{number}.{}@{}>", self.installation, self.from.email.domain())
    }

    /// Builds the mail, headers and all.
    pub(super) fn address(&self, outgoing: &OutgoingMail) -> Result<Message, SendError> {
        let to = parse_address(&outgoing.to)
            .map_err(|reason| SendError::Address { address: outgoing.to.clone(), reason })?;
        // The job is the root of the thread even when no mail was sent at its beginning.
        let job = self.identity("job", outgoing.job.id);
        let begin = outgoing.answers.map(|id| self.identity("mail", id));
        let references = [Some(job), begin.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mail = &outgoing.mail;
        let mut builder = Message::builder()
            .date(SystemTime::from(outgoing.date))
            .message_id(Some(self.identity("mail", outgoing.id)))
            .references(references)
            .from(self.from.clone())
            .to(to.into())
            .subject(header_text(&mail.subject))
            .raw_header(raw_header("Auto-Submitted", "auto-generated"))
            .raw_header(raw_header("X-Auto-Response-Suppress", "All"))
            .raw_header(raw_header("X-Prepress-Job", &outgoing.job.handle));
        if let Some(begin) = begin {
            builder = builder.in_reply_to(begin);
        }
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        let parts = MultiPart::alternative()
            .boundary(boundary(outgoing))
            .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.clone()))
            .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html.clone()));
        builder.multipart(parts).map_err(|error| SendError::Build { id: outgoing.id, reason: error.to_string() })
    }
}

/// The same for the same mail, and impossible to write into a mail on purpose, since it follows from all of it.
fn boundary(outgoing: &OutgoingMail) -> String {
    let mut digest = Sha256::new();
    digest.update(outgoing.id.to_be_bytes());
    digest.update(&outgoing.mail.text);
    digest.update(&outgoing.mail.html);
    let hex: String = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("prepress-{hex}")
}

fn raw_header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), header_text(value))
}

/// One harmless line in which nothing passes for an encoded word.
fn header_text(text: &str) -> String {
    harmless(text).replace("=?", "= ?").trim().to_owned()
}

fn parse_address(address: &str) -> Result<Address, String> {
    if address.chars().any(char::is_control) {
        return Err("it holds control characters".into());
    }
    address.trim().parse::<Address>().map_err(|error| error.to_string().to_lowercase())
}
