//! ZIP. The central directory counts, as it does for everyone who unpacks.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use zip::read::{Config, OwnedZipFileEntry, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipReadOptions};

use super::{ArchiveError, End, Gathering, Name, Place, Why};

/// The flag of names and comments in UTF-8.
const UTF_8: u16 = 1 << 11;

/// Largest central directory that is kept, in bytes: names, comments and extra fields of all members.
const LARGEST_DIRECTORY: u64 = 32 << 20;

pub fn list(mut file: impl Read + Seek, gathering: &mut Gathering<'_>) -> Result<(), ArchiveError> {
    let last = list_entries(&mut file, gathering)?;
    if let Some(last) = last
        && another_follows(&mut file, last)?
    {
        gathering.end = End::Followed;
    }
    Ok(())
}

/// Says where the last entry of the directory is.
fn list_entries(file: impl Read + Seek, gathering: &mut Gathering<'_>) -> Result<Option<u64>, ArchiveError> {
    let mut archive = ZipIterable::try_new(file, Config::default()).map_err(damaged)?;
    gathering.check_count(archive.len())?;
    let (mut start, mut last) = (None, None);
    for entry in archive.files().map_err(damaged)? {
        gathering.entry()?;
        let entry = entry.map_err(damaged)?;
        let here = entry.central_header_start();
        if here.saturating_sub(*start.get_or_insert(here)) > LARGEST_DIRECTORY {
            return Err(ArchiveError::Damaged(format!("its directory has more than {LARGEST_DIRECTORY} bytes")));
        }
        last = Some(here);
        look_at(entry, gathering)?;
    }
    Ok(last)
}

/// Whether the directory has more entries than the archive says that it has. (APPNOTE.TXT 4.3.12.)
fn another_follows(file: &mut (impl Read + Seek), entry: u64) -> Result<bool, ArchiveError> {
    const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
    let mut fixed = [0; 46];
    file.seek(SeekFrom::Start(entry))?;
    file.read_exact(&mut fixed)?;
    let lengths = [28, 30, 32].map(|at| i64::from(u16::from_le_bytes([fixed[at], fixed[at + 1]])));
    file.seek(SeekFrom::Current(lengths.iter().sum()))?;
    let mut next = [0; 4];
    Ok(file.read_exact(&mut next).is_ok() && next == SIGNATURE)
}

fn look_at(entry: ZipFileEntry<'static>, gathering: &mut Gathering<'_>) -> Result<(), ArchiveError> {
    if entry.is_dir() && entry.size() == 0 {
        return Ok(());
    }
    // The flag is set as well where a field of its own says the name once more in UTF-8.
    let name = Name { bytes: entry.name_raw().to_vec(), is_utf8: entry.flags().as_u16() & UTF_8 != 0 };
    let bytes = entry.size();
    gathering.grow(bytes)?;
    // Systems other than Unix have no modes; where there is one, it says what the entry is.
    const FILE: u32 = 0o100_000;
    let file_type = entry.unix_mode().unwrap_or(0) & 0o170_000;
    if entry.is_symlink() {
        gathering.leave_out(name, Why::Link);
    } else if entry.is_dir() {
        gathering.leave_out(name, Why::Folder);
    } else if file_type != 0 && file_type != FILE {
        gathering.leave_out(name, Why::Special);
    } else if entry.encrypted() {
        gathering.leave_out(name, Why::Encrypted);
    } else if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
        gathering.leave_out(name, Why::Unsupported);
    } else {
        gathering.member(name, bytes, || Place::Zip(Box::new(entry.into())));
    }
    Ok(())
}

/// More bytes than the entry says are an error, and so is a wrong checksum, once what comes behind the last byte is read.
pub fn read<T>(
    file: &mut File,
    entry: &OwnedZipFileEntry,
    take: impl FnOnce(&mut dyn Read) -> T,
) -> Result<T, ArchiveError> {
    let mut bytes = entry.as_ref().with_reader(file, ZipReadOptions::new()).map_err(damaged)?;
    Ok(take(&mut bytes))
}

fn damaged(error: ZipError) -> ArchiveError {
    ArchiveError::Damaged(error.to_string())
}
