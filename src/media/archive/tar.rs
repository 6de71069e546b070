//! tar: ustar, with the long names of GNU and of pax.
//!
//! Headers are read one by one: the crate would read the names that entries of their own hold into memory at any length, or else lose
//! its way in files with many holes.

use std::io::{self, Read};
use std::ops::Range;

use tar::{EntryType, GnuHeader, Header, PaxExtensions};

use super::super::memory::read_at_most;
use super::{ArchiveError, End, Gathering, LONGEST_PATH, Name, Place, Why};

/// Longest set of pax records that is read, in bytes.
const LONGEST_PAX: u64 = 1 << 16;

/// Most bytes behind the end of an archive: tools fill up its last record, usually of 20 blocks.
const LONGEST_END: u64 = 2 << 20;
const BLOCK: u64 = 512;
const USUAL_RECORD: u64 = 20;

/// Blocks of other records that tools are told to write, for tapes and their drives.
const RECORDS: [u64; 19] = [32, 40, 48, 60, 63, 64, 80, 100, 120, 126, 128, 160, 200, 256, 320, 512, 640, 1024, 2048];

pub fn list(stream: impl Read, gathering: &mut Gathering<'_>) -> Result<(), ArchiveError> {
    let mut archive = Counted { stream, bytes: 0 };
    let entries_end = list_entries(&mut archive, gathering)?;
    gathering.end = end(archive, entries_end)?;
    Ok(())
}

/// What is read of an archive, and how much that was.
struct Counted<R> {
    stream: R,
    bytes: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

/// What stands where the entries end. A block of zeros was taken for their end; POSIX has another one behind it, and without that
/// nothing is missing.
fn end(mut stream: Counted<impl Read>, entries_end: u64) -> Result<End, ArchiveError> {
    let mut buffer = [0; 1 << 12];
    let (before, mut is_empty) = (stream.bytes, true);
    while stream.bytes - before < LONGEST_END {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        is_empty &= buffer[..count].iter().all(|byte| *byte == 0);
    }
    let (total, zeros) = (stream.bytes, stream.bytes.saturating_sub(entries_end));
    let fills = |blocks: u64| total.is_multiple_of(blocks * BLOCK) && zeros <= (blocks + 1) * BLOCK;
    Ok(match zeros {
        _ if total - before >= LONGEST_END => {
            return Err(ArchiveError::Damaged("there is too much behind its end".to_owned()));
        }
        0..BLOCK => End::Missing,
        _ if !is_empty => End::Followed,
        zeros if zeros > (USUAL_RECORD + 1) * BLOCK && !RECORDS.into_iter().any(fills) => End::Filled,
        _ => End::Whole,
    })
}

/// Says where the last entry ends.
fn list_entries(archive: &mut Counted<impl Read>, gathering: &mut Gathering<'_>) -> Result<u64, ArchiveError> {
    let mut ahead = Ahead::default();
    let mut entries_end = 0;
    let mut linked = None;
    while let Some(block) = header(archive, linked, gathering)? {
        let header = Header::from_byte_slice(&block);
        let entry_type = header.entry_type();
        // The label of an archive has none.
        let is_blank = header.as_old().size.iter().all(|byte| matches!(byte, 0 | b' '));
        let said = if is_blank { 0 } else { header.entry_size()? };
        let bytes = if has_content(entry_type) { said } else { 0 };
        gathering.grow(bytes.saturating_add(BLOCK))?;
        if entry_type == EntryType::GNUSparse {
            pass_extensions(archive, header, gathering)?;
        }
        let start = archive.bytes;
        let mut content = archive.by_ref().take(bytes);
        match entry_type {
            EntryType::GNULongName => ahead.path = Some(long_name(&mut content, bytes)?),
            EntryType::XHeader => ahead.read_pax(&mut content, bytes)?,
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            entry_type => {
                gathering.entry()?;
                look_at(header, entry_type, (start, bytes), std::mem::take(&mut ahead), gathering);
            }
        }
        io::copy(&mut content, &mut io::sink())?;
        if archive.bytes - start < bytes {
            return Err(ArchiveError::Damaged("it breaks off within a member".to_owned()));
        }
        // Of the last block of the last member nobody misses what fills it up.
        let padding = bytes.next_multiple_of(BLOCK) - bytes;
        io::copy(&mut archive.by_ref().take(padding), &mut io::sink())?;
        entries_end = archive.bytes;
        linked = (entry_type == EntryType::Link).then_some(said);
    }
    Ok(entries_end)
}

/// What is no file has no content, whatever size its header says: that of a folder is a quota, that of a hard link is the file's
/// (POSIX, ustar).
fn has_content(entry_type: EntryType) -> bool {
    !matches!(
        entry_type,
        EntryType::Link
            | EntryType::Symlink
            | EntryType::Char
            | EntryType::Block
            | EntryType::Directory
            | EntryType::Fifo
    )
}

/// The next block; none at the end of the file.
fn next_block(archive: &mut impl Read) -> Result<Option<[u8; BLOCK as usize]>, ArchiveError> {
    let mut block = Vec::with_capacity(BLOCK as usize);
    archive.take(BLOCK).read_to_end(&mut block)?;
    if block.is_empty() {
        return Ok(None);
    }
    match block.try_into() {
        Ok(block) => Ok(Some(block)),
        // Less than a block of zeros is an end that was cut.
        Err(rest) if rest.iter().all(|byte: &u8| *byte == 0) => Ok(None),
        Err(_) => Err(ArchiveError::Damaged("it breaks off within a header".to_owned())),
    }
}

/// The next header; none at the end of the file, or before a block of zeros. Behind a hard link there may be the content of its file,
/// as pax allows it, of the size that it has `linked`.
fn header(
    archive: &mut impl Read,
    linked: Option<u64>,
    gathering: &mut Gathering<'_>,
) -> Result<Option<[u8; BLOCK as usize]>, ArchiveError> {
    let Some(block) = next_block(archive)? else { return Ok(None) };
    if is_header(&block) {
        return Ok(Some(block));
    }
    if let Some(bytes) = linked.filter(|bytes| *bytes > 0) {
        gathering.grow(bytes)?;
        let rest = bytes.checked_next_multiple_of(BLOCK).unwrap_or(u64::MAX) - BLOCK;
        io::copy(&mut archive.take(rest), &mut io::sink())?;
        return header(archive, None, gathering);
    }
    if block.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    Err(ArchiveError::Damaged("the checksum of a header is not its own".to_owned()))
}

/// Whether a block is a header, by its checksum, which all sorts of tar have.
pub fn is_header(block: &[u8; BLOCK as usize]) -> bool {
    /// Where a header has its checksum, which is taken with blanks there.
    const CHECKSUM: Range<usize> = 148..156;
    let all = || block[..CHECKSUM.start].iter().chain(&block[CHECKSUM.end..]);
    let blanks = i64::from(b' ') * CHECKSUM.len() as i64;
    // Some have taken the bytes for numbers with a sign.
    let sums = [all().map(|byte| i64::from(*byte)).sum::<i64>(), all().map(|byte| i64::from(byte.cast_signed())).sum()];
    let said = Header::from_byte_slice(block).cksum().map(i64::from);
    said.is_ok_and(|said| sums.iter().any(|sum| sum + blanks == said))
}

/// Passes over the blocks between the header of a file with many holes and its content, in which it says where the rest of its pieces
/// lie.
fn pass_extensions(
    archive: &mut impl Read,
    header: &Header,
    gathering: &mut Gathering<'_>,
) -> Result<(), ArchiveError> {
    /// Where an extension says that another one follows.
    const IS_EXTENDED: usize = 504;
    let mut is_extended = header.as_gnu().is_some_and(GnuHeader::is_extended);
    while is_extended {
        gathering.grow(BLOCK)?;
        let mut block = [0; BLOCK as usize];
        archive.read_exact(&mut block)?;
        is_extended = block[IS_EXTENDED] == 1;
    }
    Ok(())
}

/// What entries said of the one that follows them.
#[derive(Default)]
struct Ahead {
    path: Option<Name>,
    /// Its size does not fit its header, or it has holes.
    is_odd: bool,
}

impl Ahead {
    fn read_pax(&mut self, entry: &mut impl Read, bytes: u64) -> Result<(), ArchiveError> {
        if bytes > LONGEST_PAX {
            return Err(ArchiveError::Damaged(format!("a set of pax records has more than {LONGEST_PAX} bytes")));
        }
        let records = read_at_most(entry, bytes)?;
        for record in PaxExtensions::new(&records) {
            let record = record?;
            match record.key_bytes() {
                b"path" => self.path = Some(Name { bytes: record.value_bytes().to_vec(), is_utf8: true }),
                b"size" => self.is_odd = true,
                key => self.is_odd |= key.starts_with(b"GNU.sparse."),
            }
        }
        Ok(())
    }
}

fn long_name(entry: &mut impl Read, bytes: u64) -> Result<Name, ArchiveError> {
    if bytes > LONGEST_PATH as u64 {
        return Err(ArchiveError::Damaged(format!("a name has more than {LONGEST_PATH} bytes")));
    }
    let mut name = read_at_most(entry, bytes)?;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    name.truncate(end);
    Ok(Name { bytes: name, is_utf8: false })
}

fn look_at(
    header: &Header,
    entry_type: EntryType,
    (start, bytes): (u64, u64),
    ahead: Ahead,
    gathering: &mut Gathering<'_>,
) {
    let name = ahead.path.unwrap_or_else(|| Name { bytes: header.path_bytes().into_owned(), is_utf8: false });
    // An old tar has folders as files whose names end in a slash.
    match entry_type {
        EntryType::Directory => {}
        // A folder as incremental archives have it, and the label of an archive.
        entry_type if matches!(entry_type.as_byte(), b'D' | b'V') => {}
        EntryType::Regular | EntryType::Continuous if name.bytes.ends_with(b"/") => {}
        EntryType::Symlink | EntryType::Link => gathering.leave_out(name, Why::Link),
        EntryType::Regular | EntryType::Continuous if ahead.is_odd => gathering.leave_out(name, Why::Unsupported),
        EntryType::GNUSparse => gathering.leave_out(name, Why::Unsupported),
        EntryType::Regular | EntryType::Continuous => {
            gathering.member(name, bytes, || Place::Tar(start));
        }
        _ => gathering.leave_out(name, Why::Special),
    }
}
