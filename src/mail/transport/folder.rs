//! Mails as `.eml` files in a folder, for an installation without a mail server.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{MailTransport, OutgoingMail, Receipt, SendError, Sender};

/// Bytes of the subject in a file name, well below what a file system takes for the whole name.
const LONGEST_SLUG: usize = 100;

#[derive(Debug, Clone)]
pub struct EmlFolder {
    folder: PathBuf,
    sender: Sender,
}

impl EmlFolder {
    pub fn new(folder: impl Into<PathBuf>, sender: Sender) -> Self {
        Self { folder: folder.into(), sender }
    }
}

#[async_trait]
impl MailTransport for EmlFolder {
    /// A mail sent again takes the place of its first copy.
    async fn send(&self, mail: &OutgoingMail) -> Result<Receipt, SendError> {
        let bytes = self.sender.address(mail)?.formatted();
        let path = self.folder.join(file_name(mail));
        let target = path.clone();
        let written = tokio::task::spawn_blocking(move || write_whole(&target, &bytes)).await;
        match written.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
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
    use super::*;

    #[test]
    fn a_subject_becomes_a_file_name() {
        assert_eq!(slug("Summer/../shoot: done, 3 files"), "Summer-shoot-done-3-files");
        assert_eq!(slug("été 写真"), "été-写真");
        assert_eq!(slug("../..\0\n"), "");
        let long = slug(&"写".repeat(300));
        assert!(long.len() <= LONGEST_SLUG && long.chars().all(|sign| sign == '写'));
    }
}
