//! tar: ustar, with the long names of GNU and of pax.
//!
//! Entries are taken raw, because the names that entries of their own hold would otherwise be read into memory at any
//! length.

use std::io::Read;

use tar::{Archive, Entry, EntryType, PaxExtensions};

use super::super::memory::read_at_most;
use super::{ArchiveError, End, Gathering, LONGEST_PATH, Name, Place, Why};

/// Longest set of pax records that is read, in bytes.
const LONGEST_PAX: u64 = 1 << 16;

/// Most bytes behind the end of an archive: tools fill up its last record, usually of 20 blocks.
const LONGEST_END: u64 = 1 << 20;
const USUAL_END: u64 = 20 * 512;

pub fn list(stream: impl Read, gathering: &mut Gathering<'_>) -> Result<(), ArchiveError> {
    let mut archive = Archive::new(stream);
    list_entries(&mut archive, gathering)?;
    gathering.end = end(archive.into_inner())?;
    Ok(())
}

/// What stands where the entries end. The first block of zeros was taken for their end; POSIX has another one behind it.
fn end(stream: impl Read) -> Result<End, ArchiveError> {
    let (mut stream, mut buffer) = (stream.take(LONGEST_END), [0; 1 << 12]);
    let (mut length, mut is_empty) = (0, true);
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        length += count as u64;
        is_empty &= buffer[..count].iter().all(|byte| *byte == 0);
    }
    Ok(match length {
        LONGEST_END => return Err(ArchiveError::Damaged("there is too much behind its end".to_owned())),
        0 => End::Missing,
        _ if !is_empty => End::Followed,
        length if length > USUAL_END => End::Filled,
        _ => End::Whole,
    })
}

fn list_entries(archive: &mut Archive<impl Read>, gathering: &mut Gathering<'_>) -> Result<(), ArchiveError> {
    let mut ahead = Ahead::default();
    for entry in archive.entries()?.raw(true) {
        let mut entry = entry?;
        let bytes = entry.header().entry_size()?;
        gathering.grow(bytes.saturating_add(512))?;
        match entry.header().entry_type() {
            EntryType::GNULongName => ahead.path = Some(long_name(&mut entry, bytes)?),
            EntryType::XHeader => ahead.read_pax(&mut entry, bytes)?,
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            entry_type => {
                gathering.entry()?;
                look_at(&entry, entry_type, bytes, std::mem::take(&mut ahead), gathering);
            }
        }
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

fn look_at<R: Read>(
    entry: &Entry<'_, R>,
    entry_type: EntryType,
    bytes: u64,
    ahead: Ahead,
    gathering: &mut Gathering<'_>,
) {
    let name = ahead.path.unwrap_or_else(|| Name { bytes: entry.path_bytes().into_owned(), is_utf8: false });
    // An old tar has folders as files whose names end in a slash.
    match entry_type {
        EntryType::Directory => {}
        EntryType::Regular | EntryType::Continuous if name.bytes.ends_with(b"/") => {}
        EntryType::Symlink | EntryType::Link => gathering.leave_out(name, Why::Link),
        EntryType::Regular | EntryType::Continuous if ahead.is_odd => gathering.leave_out(name, Why::Unsupported),
        EntryType::GNUSparse => gathering.leave_out(name, Why::Unsupported),
        EntryType::Regular | EntryType::Continuous => {
            let start = entry.raw_file_position();
            gathering.member(name, bytes, || Place::Tar(start));
        }
        _ => gathering.leave_out(name, Why::Special),
    }
}
