//! The doctor: does what lies on the disk agree with what the database says?
//!
//! It only reports, unless it is told to repair, and may look beside a running daemon: what differs is looked at a second
//! time before it is reported, for the daemon may have been in the middle of it. A repair makes again what can be made
//! again, or has it made by the daemon; nothing else is ever deleted. Whoever calls it to repair holds the lock of the data
//! folder.
//!
//! **A section more**: a file here with `pub(super) async fn look(exam: &mut Examination<'_>) -> Result<(), Error>`, which
//! says what it found by [`Examination::found`] (or [`Examination::repaired`], when it was told to repair and did) and ends
//! with [`Examination::looked`]; a variant of [`Section`]; and a line in [`Services::examine`]. Messages are codes with
//! words, as in logs.

mod blobs;
mod crashes;
mod database;
mod exports;
mod mark;
mod trees;

pub use crashes::{AccusedFile, MarkFolder};

use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::mark::{Beside, Standing};
use super::{Error, Services};
use crate::assets::blobs::{BlobError, Blobs};
use crate::model::constants;
use crate::model::log::Message;

constants! {
    /// What is looked at, in this order.
    pub enum Section("section of the doctor") {
        Database, Blobs, Trees, Exports, Crashes, Mark,
    }
}

/// Where the files are.
#[derive(Debug, Clone)]
pub struct Places {
    pub blobs: Blobs,
    /// Above the files of exports.
    pub export_root: PathBuf,
    /// Above the trees of published files.
    pub publish_root: PathBuf,
    /// The marks of files in work.
    pub marks: MarkFolder,
}

impl Places {
    /// What is compared with the numbers of the database.
    pub(super) fn beside(&self) -> Beside {
        let (publish, exports) = (self.publish_root.clone(), self.export_root.clone());
        Beside { blobs: self.blobs.root().to_owned(), publish, exports }
    }
}

/// What the doctor is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Order {
    /// Read every byte, and compare hashes.
    pub verify: bool,
    /// Make again, or have made again, what can be.
    pub repair: bool,
}

/// Something that disagrees.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    pub section: Section,
    pub message: Message,
    /// What is to be done about it; or what was done, if it is repaired.
    pub remedy: Message,
    pub is_repaired: bool,
}

/// Something to know, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    pub section: Section,
    pub message: Message,
    pub remedy: Message,
}

/// What was looked at in a section; the message says how much of it there is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    pub section: Section,
    pub message: Message,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub looked: Vec<Looked>,
    pub findings: Vec<Finding>,
    /// What somebody should know, though nothing disagrees.
    pub notices: Vec<Notice>,
}

impl Report {
    /// Findings that are not repaired.
    pub fn open(&self) -> usize {
        self.findings.iter().filter(|finding| !finding.is_repaired).count()
    }

    pub fn is_sound(&self) -> bool {
        self.open() == 0
    }
}

/// Is told how far it is: so many bytes of so many.
pub trait Watch: Send + Sync {
    fn at(&self, done: u64, total: u64);
}

/// An examination under way.
pub(super) struct Examination<'a> {
    services: &'a Services,
    places: &'a Places,
    order: Order,
    watch: Arc<dyn Watch>,
    report: Report,
}

impl Examination<'_> {
    fn looked(&mut self, section: Section, message: Message) {
        self.report.looked.push(Looked { section, message });
    }

    /// Whether the files have seen more than the database, and nobody has settled it.
    async fn is_older(&self) -> Result<bool, Error> {
        Ok(self.services.age(&self.places.beside()).await?.is_some())
    }

    /// Whether the database still has to learn what the files have seen.
    async fn is_behind(&self) -> Result<bool, Error> {
        Ok(self.services.standing(&self.places.beside()).await? == Standing::Behind)
    }

    fn found(&mut self, section: Section, message: Message, remedy: Message) {
        self.report.findings.push(Finding { section, message, remedy, is_repaired: false });
    }

    fn noticed(&mut self, section: Section, message: Message, remedy: Message) {
        self.report.notices.push(Notice { section, message, remedy });
    }

    fn repaired(&mut self, section: Section, message: Message, done: Message) {
        self.report.findings.push(Finding { section, message, remedy: done, is_repaired: true });
    }
}

impl Services {
    /// What it will take to part published files from the stored ones that they are links to, as those of earlier versions
    /// were: how many, and their bytes.
    pub async fn links_to_blobs(&self, places: &Places) -> Result<(u64, u64), Error> {
        trees::links(self, places).await
    }

    /// Compares what the database says with what lies on the disk.
    pub async fn examine(&self, places: &Places, order: Order, watch: Arc<dyn Watch>) -> Result<Report, Error> {
        let mut exam = Examination { services: self, places, order, watch, report: Report::default() };
        database::look(&mut exam).await?;
        blobs::look(&mut exam).await?;
        trees::look(&mut exam).await?;
        exports::look(&mut exam).await?;
        crashes::look(&mut exam).await?;
        // Last: what the others left open keeps a restoration from being settled.
        mark::look(&mut exam).await?;
        Ok(exam.report)
    }
}

/// Looks at files on a thread of its own.
async fn off_thread<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, Error> {
    let looked = tokio::task::spawn_blocking(look).await;
    let looked = looked.map_err(|error| Error::Internal(format!("a look at files ended early: {error}")))?;
    looked.map_err(|error| Error::Refused(error.to_string()))
}
