//! Errands over archives. Who lists an archive keeps it open: members are taken out in their order, and what is packed in one
//! piece is not unpacked from its start for each of them. Who has not listed it, because that worker is gone, lists it anew.

use std::fs::File;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use super::super::archive::{self, ArchiveError, CodePage, End, Extractor, Kind, LeftOut, Limits, Member, Naming};
use super::super::decode::NEVER;
use super::super::error::MediaError;
use super::super::format::Format;
use super::{Desk, Errand, Files};

/// What sort of archive a file is, if it is one. File: it.
#[derive(Debug, Serialize, Deserialize)]
pub struct FindKind {
    pub format: Format,
}

impl Errand for FindKind {
    const NAME: &'static str = "the archive reader";
    type Answer = Option<Kind>;
    type Error = MediaError;

    fn carry_out(self, mut files: Files, _desk: &mut Desk) -> Result<Option<Kind>, MediaError> {
        let mut file = files.next("the file")?;
        archive::kind(&mut file, self.format).map_err(|error| MediaError::reading(self.format, error))
    }
}

/// What an archive holds. File: it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ListArchive {
    /// What it is known by.
    pub archive: String,
    pub kind: Kind,
    pub limits: Limits,
    /// The code page of names that do not say it, by its name; guessed if it is none that is known.
    pub page: String,
    /// The language of who uploads, for the guess.
    pub language: Option<String>,
}

/// What an archive holds, in its own order.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Members {
    pub members: Vec<NamedMember>,
    pub left_out: Vec<LeftOut>,
    pub names: Option<NamesIn>,
    pub end: End,
}

/// The code page that names were taken to be in which do not say it, other than UTF-8, and how many of them there are.
#[derive(Debug, Serialize, Deserialize)]
pub struct NamesIn {
    pub page: String,
    pub count: usize,
}

/// A file in an archive.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NamedMember {
    /// As the archive has it, with slashes.
    pub path: String,
    pub bytes: u64,
}

/// An archive at hand.
pub struct Opened {
    archive: String,
    members: Vec<Member>,
    extractor: Extractor,
    /// Members before this one cannot be had any more.
    next: usize,
}

/// What is known of an archive beside its members.
struct Beside {
    left_out: Vec<LeftOut>,
    names: Option<NamesIn>,
    end: End,
}

impl ListArchive {
    fn open(&self, file: File) -> Result<(Opened, Beside), ArchiveError> {
        let naming = Naming { page: CodePage::named(&self.page), language: self.language.as_deref() };
        let listing = archive::list(file.try_clone()?, self.kind, &self.limits, naming, NEVER)?;
        let extractor = Extractor::new(file, self.kind)?;
        let names = listing.names.map(|(page, count)| NamesIn { page: page.name().to_owned(), count });
        let opened = Opened { archive: self.archive.clone(), members: listing.members, extractor, next: 0 };
        Ok((opened, Beside { left_out: listing.left_out, names, end: listing.end }))
    }
}

impl Errand for ListArchive {
    const NAME: &'static str = "the archive reader";
    type Answer = Members;
    type Error = ArchiveError;

    fn keeps(&self) -> Option<&str> {
        Some(&self.archive)
    }

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<Members, ArchiveError> {
        // What was at hand makes room first.
        desk.archive = None;
        let (opened, Beside { left_out, names, end }) = self.open(files.next("the archive")?)?;
        let named = |member: &Member| NamedMember { path: member.path.clone(), bytes: member.bytes };
        let members = opened.members.iter().map(named).collect();
        desk.archive = Some(opened);
        Ok(Members { members, left_out, names, end })
    }
}

/// Takes a member out. Files: the archive, and where the member goes.
#[derive(Debug, Serialize, Deserialize)]
pub struct ExtractMember {
    pub from: ListArchive,
    /// Its place in the list.
    pub index: usize,
}

/// Why a member was not taken out.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum MemberError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The member is to blame.
    #[error("it is damaged inside the archive: {0}")]
    Damaged(String),
    /// It is not.
    #[error(transparent)]
    Io(MediaError),
}

impl Errand for ExtractMember {
    const NAME: &'static str = "the archive reader";
    /// How many bytes it has, which may be fewer than the list says.
    type Answer = u64;
    type Error = MemberError;

    fn keeps(&self) -> Option<&str> {
        Some(&self.from.archive)
    }

    fn carry_out(self, mut files: Files, desk: &mut Desk) -> Result<u64, MemberError> {
        let file = files.next("the archive").map_err(MemberError::Io)?;
        let mut out = files.next("the member").map_err(MemberError::Io)?;
        let is_at_hand = |opened: &Opened| opened.archive == self.from.archive && opened.next <= self.index;
        let mut opened = match desk.archive.take().filter(is_at_hand) {
            Some(opened) => opened,
            None => self.from.open(file)?.0,
        };
        let gone = || MemberError::Damaged(format!("it has no member {}", self.index));
        let member = opened.members.get(self.index).ok_or_else(gone)?;
        opened.next = self.index + 1;
        let copied = opened.extractor.read(member, |bytes| copy(bytes, member.bytes, &mut out));
        // Members of a ZIP can be had one without the other.
        if copied.is_ok() || self.from.kind == Kind::Zip {
            desk.archive = Some(opened);
        }
        copied.map_err(|error| MemberError::Damaged(error.to_string()))?
    }
}

fn copy(from: &mut dyn Read, most: u64, out: &mut File) -> Result<u64, MemberError> {
    let mut piece = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        let count = match from.read(&mut piece) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(MemberError::Damaged(error.to_string())),
        };
        copied += count as u64;
        if copied > most {
            return Err(MemberError::Damaged(format!("it has more than the {most} bytes that the list says")));
        }
        out.write_all(&piece[..count]).map_err(|error| MemberError::Io(MediaError::writing("member")(error)))?;
    }
}
