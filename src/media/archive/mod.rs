//! What lies in a ZIP, tar or tar.gz archive.
//!
//! An archive is gone through twice. [`list`] looks at everything and writes nothing: it says what the members are, what is
//! left out and why, or refuses the archive as a whole, so that nothing of a bomb is ever unpacked. [`Extractor`] then
//! reads members, in the order of the list, and no byte more than the list says.
//!
//! Nothing in an archive is believed: the number of entries is bounded before they are read, names before they are kept,
//! sizes while they are unpacked. Memory does not grow with what an archive holds, but with `max_files` alone.

mod names;
mod tar;
mod zip;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use flate2::bufread::GzDecoder;

use serde::{Deserialize, Serialize};

use super::Format;
use super::decode::Watched;
use super::memory::read_at_most;
pub use names::CodePage;
pub use tar::is_header as is_tar_header;

/// Sorts of archives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    Zip,
    Tar,
    TarGz,
}

/// How much of an archive is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Entries, folders and what is left out included.
    pub max_files: usize,
    /// Levels of folders that a member lies in.
    pub max_depth: usize,
    /// Bytes of all members.
    pub max_bytes: u64,
    /// Bytes of a member.
    pub max_member_bytes: u64,
    /// Bytes of all members for a byte of the archive.
    pub max_ratio: u64,
}

/// No archive that comes to less than this is taken for a bomb: blank pictures pack better than any ratio allows.
const HARMLESS: u64 = 16 << 20;

/// What of a packed file is looked at for the header of a first member, in bytes.
const LONGEST_BEGINNING: u64 = 1 << 20;

const TAR_HEADER: u64 = 512;

/// Longest path of a member, in bytes.
const LONGEST_PATH: usize = 4096;

/// What an archive holds, in its own order.
#[derive(Debug, Default)]
pub struct Listing {
    pub members: Vec<Member>,
    pub left_out: Vec<LeftOut>,
    /// The code page that was taken for names which do not say it themselves, unless it is UTF-8, and how many of them are not
    /// in ASCII.
    pub names: Option<(CodePage, usize)>,
    pub end: End,
}

/// What stands where the entries of an archive end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum End {
    #[default]
    Whole,
    /// Nothing: it may be cut off.
    Missing,
    /// Something that is not read: another archive, or entries behind a hole.
    Followed,
    /// More zeros than usual: it may have been cut off and filled up.
    Filled,
}

/// What is known of names that do not say how they are written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Naming<'a> {
    /// The code page, if the configuration says so.
    pub page: Option<CodePage>,
    /// The language of who uploads.
    pub language: Option<&'a str>,
}

/// A file in an archive.
#[derive(Debug)]
pub struct Member {
    /// As the archive has it, with slashes.
    pub path: String,
    pub bytes: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Zip(Box<::zip::read::OwnedZipFileEntry>),
    /// Where its bytes begin in the unpacked stream.
    Tar(u64),
}

/// Something that is not unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    pub path: String,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    /// A link, also a hard one.
    Link,
    /// A device, a pipe, or another thing that is no file.
    Special,
    /// It is named as a folder is, but has content.
    Folder,
    Encrypted,
    /// Its path leads out of the archive.
    Outside,
    TooDeep,
    TooLarge {
        bytes: u64,
        limit: u64,
    },
    /// Packed or kept in a way that is not read here.
    Unsupported,
}

/// Why an archive is refused as a whole.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum ArchiveError {
    #[error("the archive holds more than the {limit} entries allowed")]
    TooMany { limit: usize },
    #[error("the archive unpacks to more than the {limit} bytes allowed")]
    TooLarge { limit: u64 },
    #[error("the archive unpacks to more than {limit} times its size, as only bombs do")]
    Bomb { limit: u64 },
    #[error("the archive is damaged: {0}")]
    Damaged(String),
    #[error("stopped before the archive was read")]
    Stopped,
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

/// What sort of archive a file is, if it is one. `format` is what it was recognized as.
pub fn kind(file: &mut File, format: Format) -> io::Result<Option<Kind>> {
    match format {
        Format::Zip => Ok(Some(Kind::Zip)),
        Format::Tar => Ok(Some(Kind::Tar)),
        Format::Gz => {
            file.seek(SeekFrom::Start(0))?;
            // What cannot be unpacked is a file like any other; and so is what unpacks to nothing for long.
            let beginning = BufReader::new(&mut *file).take(LONGEST_BEGINNING);
            let head = read_at_most(&mut Gunzip::new(beginning), TAR_HEADER);
            let is_tar = head.is_ok_and(|head| super::sniff(&head, "") == Format::Tar);
            Ok(is_tar.then_some(Kind::TarGz))
        }
        _ => Ok(None),
    }
}

/// Goes through an archive.
pub fn list(
    file: File,
    kind: Kind,
    limits: &Limits,
    naming: Naming<'_>,
    stop: &dyn Fn() -> bool,
) -> Result<Listing, ArchiveError> {
    let mut gathering = Gathering::new(file.metadata()?.len(), limits, stop);
    let mut file = Watched::new(file, stop);
    file.seek(SeekFrom::Start(0))?;
    let file = BufReader::with_capacity(1 << 16, file);
    let listed = match kind {
        Kind::Zip => zip::list(file, &mut gathering),
        Kind::Tar => tar::list(file, &mut gathering),
        Kind::TarGz => {
            let mut unpacked = Gunzip::new(file);
            let listed = tar::list(&mut unpacked, &mut gathering);
            if unpacked.is_followed && gathering.end == End::Whole {
                gathering.end = End::Followed;
            }
            listed
        }
    };
    // What is unpacked may come to nothing for long: the file is not read on either, whatever that is taken for.
    match listed {
        Err(_) if stop() => Err(ArchiveError::Stopped),
        listed => listed.map(|()| gathering.listed(naming, kind == Kind::Zip)),
    }
}

/// What a file of gzip unpacks to, all of its members one after the other. Zeros behind one are nothing, as gzip has it.
struct Gunzip<R> {
    /// With the first bytes of a member that were read ahead.
    member: Option<GzDecoder<io::Chain<Cursor<Vec<u8>>, R>>>,
    /// Something else than a member follows the last one.
    is_followed: bool,
}

impl<R: BufRead> Gunzip<R> {
    fn new(packed: R) -> Self {
        Self { member: Some(GzDecoder::new(Cursor::new(Vec::new()).chain(packed))), is_followed: false }
    }
}

impl<R: BufRead> Read for Gunzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Some(rest) = self.member.take().map(GzDecoder::into_inner) else { break };
            let (_, mut rest) = rest.into_inner();
            pass_zeros(&mut rest)?;
            let ahead = read_at_most(&mut rest, MEMBER.len() as u64)?;
            if ahead == MEMBER {
                self.member = Some(GzDecoder::new(Cursor::new(ahead).chain(rest)));
            } else {
                self.is_followed = !ahead.is_empty();
            }
        }
        Ok(0)
    }
}

/// What a member of gzip begins with: two bytes, and the only method there is.
const MEMBER: &[u8] = b"\x1f\x8b\x08";

fn pass_zeros(rest: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = rest.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let is_over = zeros == 0 || zeros < bytes.len();
        rest.consume(zeros);
        if is_over {
            return Ok(());
        }
    }
}

/// Reads members of an archive, each further on than the one before.
pub struct Extractor(Source);

enum Source {
    Zip(File),
    Tar { stream: Box<dyn Read + Send>, at: u64 },
}

impl Extractor {
    pub fn new(file: File, kind: Kind) -> io::Result<Self> {
        Ok(Self(match kind {
            Kind::Zip => Source::Zip(file),
            Kind::Tar | Kind::TarGz => Source::Tar { stream: unpacked(file, kind)?, at: 0 },
        }))
    }

    /// Hands the bytes of a member to `take`. There may be fewer of them than the list says, but more are an error.
    pub fn read<T>(&mut self, member: &Member, take: impl FnOnce(&mut dyn Read) -> T) -> Result<T, ArchiveError> {
        match (&mut self.0, &member.place) {
            (Source::Zip(file), Place::Zip(entry)) => zip::read(file, entry, take),
            (Source::Tar { stream, at }, Place::Tar(start)) => {
                let gap = start.checked_sub(*at).ok_or_else(|| ArchiveError::Damaged("out of order".to_owned()))?;
                *at += io::copy(&mut stream.take(gap), &mut io::sink())?;
                let mut bytes = stream.take(member.bytes);
                let taken = take(&mut bytes);
                *at += member.bytes - bytes.limit();
                Ok(taken)
            }
            (Source::Zip(_), Place::Tar(_)) | (Source::Tar { .. }, Place::Zip(_)) => {
                Err(ArchiveError::Damaged("the list is of another archive".to_owned()))
            }
        }
    }
}

/// A tar file as it was before it was packed.
fn unpacked(mut file: File, kind: Kind) -> io::Result<Box<dyn Read + Send>> {
    file.seek(SeekFrom::Start(0))?;
    let file = BufReader::with_capacity(1 << 16, file);
    Ok(if kind == Kind::TarGz { Box::new(Gunzip::new(file)) } else { Box::new(file) })
}

/// A list as it grows, and what it must not outgrow.
struct Gathering<'a> {
    found: Vec<Found>,
    limits: &'a Limits,
    stop: &'a dyn Fn() -> bool,
    /// Size of the archive.
    packed: u64,
    entries: usize,
    bytes: u64,
    end: End,
}

impl<'a> Gathering<'a> {
    fn new(packed: u64, limits: &'a Limits, stop: &'a dyn Fn() -> bool) -> Self {
        Self { found: Vec::new(), limits, stop, packed, entries: 0, bytes: 0, end: End::Whole }
    }

    /// To be called before an entry is looked at.
    fn entry(&mut self) -> Result<(), ArchiveError> {
        if (self.stop)() {
            return Err(ArchiveError::Stopped);
        }
        self.entries += 1;
        self.check_count(self.entries)
    }

    const fn check_count(&self, entries: usize) -> Result<(), ArchiveError> {
        let limit = self.limits.max_files;
        if entries > limit { Err(ArchiveError::TooMany { limit }) } else { Ok(()) }
    }

    /// So many bytes more have to be unpacked to get at everything.
    fn grow(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.bytes = self.bytes.saturating_add(bytes);
        let Limits { max_bytes, max_ratio, .. } = *self.limits;
        if self.bytes > max_bytes {
            Err(ArchiveError::TooLarge { limit: max_bytes })
        } else if self.bytes > HARMLESS && self.bytes > self.packed.saturating_mul(max_ratio) {
            Err(ArchiveError::Bomb { limit: max_ratio })
        } else {
            Ok(())
        }
    }

    fn leave_out(&mut self, name: Name, why: Why) {
        self.found.push(Found { name, what: What::LeftOut(why) });
    }

    /// A file; `place` is asked for only if it may be taken.
    fn member(&mut self, name: Name, bytes: u64, place: impl FnOnce() -> Place) {
        let limit = self.limits.max_member_bytes;
        // Longer ones are too long in any code page.
        if name.bytes.len() > LONGEST_PATH {
            self.leave_out(name, Why::TooDeep);
        } else if bytes > limit {
            self.leave_out(name, Why::TooLarge { bytes, limit });
        } else {
            self.found.push(Found { name, what: What::Member { bytes, place: place() } });
        }
    }

    /// Reads the names, and looks at where they lead.
    fn listed(self, naming: Naming<'_>, may_be_dos: bool) -> Listing {
        let Self { found, limits, end, .. } = self;
        let unnamed = || found.iter().filter(|found| !found.name.is_utf8).map(|found| found.name.bytes.as_slice());
        let page = naming.page.unwrap_or_else(|| CodePage::of(unnamed(), may_be_dos, naming.language));
        let count = unnamed().filter(|name| !name.is_ascii()).count();
        let names = (count > 0 && page != CodePage::UTF_8).then_some((page, count));
        let mut listing = Listing { names, end, ..Listing::default() };
        for Found { name, what } in found {
            let path = name.text(page);
            match what {
                What::LeftOut(why) => listing.left_out.push(LeftOut { path: shortened(&path), why }),
                What::Member { bytes, place } => match misplaced(&path, limits) {
                    Some(why) => listing.left_out.push(LeftOut { path: shortened(&path), why }),
                    None => listing.members.push(Member { path, bytes, place }),
                },
            }
        }
        listing
    }
}

/// An entry whose name is not read yet.
struct Found {
    name: Name,
    what: What,
}

enum What {
    Member { bytes: u64, place: Place },
    LeftOut(Why),
}

/// The name of an entry as it stands there.
struct Name {
    bytes: Vec<u8>,
    /// The archive says that it is.
    is_utf8: bool,
}

impl Name {
    fn text(&self, page: CodePage) -> String {
        let read = if self.is_utf8 { None } else { page.text(&self.bytes) };
        read.unwrap_or_else(|| text(&self.bytes))
    }
}

/// Why a member does not become a file where its path leads to.
fn misplaced(path: &str, limits: &Limits) -> Option<Why> {
    let folders = path.split('/').filter(|part| !matches!(*part, "" | ".")).count().saturating_sub(1);
    if path.split(['/', '\\']).any(|part| part == "..") {
        Some(Why::Outside)
    } else {
        (path.len() > LONGEST_PATH || folders > limits.max_depth).then_some(Why::TooDeep)
    }
}

fn shortened(path: &str) -> String {
    path.chars().take(LONGEST_PATH / 4).collect()
}

/// Bytes that are no text become `\xNN`, so that two different names stay two.
fn text(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}
