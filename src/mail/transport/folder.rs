//! Mails as `.eml` files in a folder, for an installation without a mail server.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{MailTransport, OutgoingMail, Receipt, SendError, Sender};

/// Bytes of the subject in a file name, well below what a file system takes for the whole name.
const LONGEST_SLUG: usize = 100;

/// How long a mail may take, and how many may at a time. The folder may be on a disk behind a network: when that is gone,
/// nobody can end what writes to it.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_AT_A_TIME: usize = 4;

#[derive(Debug, Clone)]
pub struct EmlFolder {
    folder: PathBuf,
    sender: Sender,
    places: Arc<Semaphore>,
    patience: Duration,
}

impl EmlFolder {
    pub fn new(folder: impl Into<PathBuf>, sender: Sender) -> Self {
        Self { folder: folder.into(), sender, places: Arc::new(Semaphore::new(MOST_AT_A_TIME)), patience: PATIENCE }
    }

    async fn write(&self, path: PathBuf, bytes: Vec<u8>) -> io::Result<()> {
        let work = async {
            let place = self.places.clone().acquire_owned().await.map_err(io::Error::other)?;
            let write = move || {
                let _place = place;
                write_whole(&path, &bytes)
            };
            tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
        };
        let silent = format!("no answer for {} seconds", self.patience.as_secs_f64());
        timeout(self.patience, work).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, silent)))
    }
}

#[async_trait]
impl MailTransport for EmlFolder {
    /// A mail sent again takes the place of its first copy.
    async fn send(&self, mail: &OutgoingMail) -> Result<Receipt, SendError> {
        let bytes = self.sender.address(mail)?.formatted();
        let path = self.folder.join(file_name(mail));
        match self.write(path.clone(), bytes).await {
            Ok(()) => Ok(Receipt::Written { path }),
            Err(source) => Err(SendError::Folder { path, source }),
        }
    }
}

/// `2026-11-23T09-15-04Z_Summer-shoot-done-3-files_12.eml`
fn file_name(mail: &OutgoingMail) -> String {
    let time = mail.date.format("%Y-%m-%dT%H-%M-%SZ");
    format!("{time}_{}_{}.eml", slug(&mail.mail.subject), mail.id)
}

/// Letters and digits of any script; everything else becomes a single dash.
fn slug(text: &str) -> String {
    let words = text.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.collect::<Vec<_>>().join("-");
    let end = (0..=LONGEST_SLUG.min(joined.len())).rev().find(|end| joined.is_char_boundary(*end)).unwrap_or(0);
    joined[..end].trim_end_matches('-').to_owned()
}

/// Nobody sees half a file, and the whole one survives a power cut.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = path.with_extension("eml.part");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is the one to tell; a leftover is overwritten by the next attempt.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use chrono::{TimeZone, Utc};
    use mail_parser::MessageParser;

    use super::*;
    use crate::mail::{JobReference, Mail};

    fn mail(subject: &str) -> OutgoingMail {
        OutgoingMail {
            id: 12,
            date: Utc.with_ymd_and_hms(2026, 11, 23, 9, 15, 4).unwrap(),
            to: "eva@example.com".into(),
            mail: Mail { subject: subject.into(), text: "Été\n".into(), html: "<p>Été</p>\n".into() },
            job: JobReference { id: 54_091, handle: "j|6||Summer|54091".into() },
            answers: None,
        }
    }

    fn outbox(folder: &Path) -> EmlFolder {
        EmlFolder::new(folder, Sender::new("Prepress", "prepress@localhost", None, "f00d").unwrap())
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_mail_becomes_one_file_however_often_it_is_sent() {
        let folder = tempfile::tempdir().unwrap();
        let mails = folder.path().join("mail");
        for _ in 0..2 {
            let receipt = outbox(&mails).send(&mail("Summer shoot: done, 3 files")).await.unwrap();
            let path = mails.join("2026-11-23T09-15-04Z_Summer-shoot-done-3-files_12.eml");
            assert_eq!(receipt, Receipt::Written { path: path.clone() });
            assert_eq!(names(&mails).len(), 1);
            let bytes = fs::read(&path).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            assert_eq!(parsed.subject(), Some("Summer shoot: done, 3 files"));
            assert_eq!(parsed.message_id(), Some("mail-12.f00d@localhost"));
            assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("eva@example.com"));
            assert_eq!(parsed.body_text(0).unwrap().trim(), "Été");
            assert_eq!(parsed.body_html(0).unwrap().trim(), "<p>Été</p>");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[tokio::test]
    async fn no_subject_leads_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        for subject in ["../../etc/passwd", "\0", "..", &"写".repeat(400)] {
            let receipt = outbox(folder.path()).send(&mail(subject)).await.unwrap();
            let Receipt::Written { path } = receipt else { panic!("{receipt:?}") };
            assert_eq!(path.parent(), Some(folder.path()));
            assert!(path.is_file());
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_named_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let blocked = folder.path().join("file");
        fs::write(&blocked, "no folder").unwrap();
        let error = outbox(&blocked).send(&mail("x")).await.unwrap_err();
        assert!(error.is_transient());
        assert!(error.to_string().contains(blocked.to_str().unwrap()), "{error}");

        // A folder in the place of the file makes the rename fail; nothing half-written stays.
        let receipt = outbox(folder.path()).send(&mail("y")).await.unwrap();
        let Receipt::Written { path } = receipt else { panic!("{receipt:?}") };
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(outbox(folder.path()).send(&mail("y")).await.unwrap_err().is_transient());
        assert!(names(folder.path()).iter().all(|name| !name.ends_with(".part")));
    }

    /// As on a disk that does not answer: a pipe that nobody reads keeps whoever opens it.
    #[tokio::test]
    async fn a_folder_that_does_not_answer_is_given_up_and_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = EmlFolder { patience: Duration::from_millis(50), ..outbox(folder.path()) };
        let hangs = folder.path().join(file_name(&mail("x"))).with_extension("eml.part");
        assert!(std::process::Command::new("mkfifo").arg(&hangs).status().unwrap().success());
        for _ in 0..MOST_AT_A_TIME + 1 {
            let error = outbox.send(&mail("x")).await.unwrap_err();
            assert!(error.is_transient());
            assert!(error.to_string().contains("no answer for 0.05 seconds"), "{error}");
        }
        assert_eq!(outbox.places.available_permits(), 0, "no more than so many hang");
        // The disk is back.
        drop(fs::read(&hangs));
        let _free = outbox.places.acquire_many(MOST_AT_A_TIME as u32).await.unwrap();
    }

    #[test]
    fn a_subject_becomes_a_file_name() {
        assert_eq!(slug("Summer/../shoot: done, 3 files"), "Summer-shoot-done-3-files");
        assert_eq!(slug("été 写真"), "été-写真");
        assert_eq!(slug("../..\0\n"), "");
        let long = slug(&"写".repeat(300));
        assert!(long.len() <= LONGEST_SLUG && long.chars().all(|sign| sign == '写'));
    }
}
