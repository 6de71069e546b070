//! The archive. The same files give the same bytes, so that an attempt may write it again.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};

use chrono::{Datelike, Timelike};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::plan::Entry;
use crate::assets::blobs::BlobError;
use crate::assets::exports::ExportFiles;

/// From here on an entry has sizes of 64 bits: below the limit of 32 by what compression may add.
const LARGE: u64 = 0xfff0_0000;

/// How much is copied between two looks at whether to stop.
const PIECE: usize = 1 << 18;

/// Writes the archive of what lies in `files`, unless it becomes larger than `limit`.
pub fn write(
    file: &mut File,
    entries: &[Entry],
    files: &ExportFiles,
    limit: u64,
    stop: &dyn Fn() -> bool,
) -> Result<(), BlobError> {
    let mut archive = ZipWriter::new(BufWriter::with_capacity(PIECE, file));
    for entry in entries {
        add(&mut archive, entry, files, stop)?;
    }
    let mut out = archive.finish().map_err(refused)?;
    let written = out.flush().and_then(|()| out.stream_position()).map_err(|error| refused(error.into()))?;
    if written > limit { Err(BlobError::TooLarge { limit }) } else { Ok(()) }
}

fn add<W: Write + Seek>(
    archive: &mut ZipWriter<W>,
    entry: &Entry,
    files: &ExportFiles,
    stop: &dyn Fn() -> bool,
) -> Result<(), BlobError> {
    let path = files.part(entry.asset);
    let failed = |doing| BlobError::doing(doing, &path);
    let mut part = File::open(&path).map_err(failed("open"))?;
    let bytes = part.metadata().map_err(failed("look at"))?.len();
    let method = if is_compressed(&entry.target) { CompressionMethod::Stored } else { CompressionMethod::Deflated };
    let options = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(modified(entry))
        .unix_permissions(0o644)
        .large_file(bytes >= LARGE);
    archive.start_file(entry.target.as_str(), options).map_err(refused)?;
    let mut piece = vec![0; PIECE];
    loop {
        if stop() {
            return Err(BlobError::Stopped);
        }
        match part.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => archive.write_all(&piece[..count]).map_err(|error| refused(error.into()))?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed("read")(error)),
        }
    }
}

/// Files of these endings do not become smaller.
fn is_compressed(name: &str) -> bool {
    const ENDINGS: &[&str] = &[
        "jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "zip", "gz", "tgz", "mp4", "mov", "m4v", "webm", "mp3",
        "aac", "ogg", "pdf", "docx", "xlsx", "pptx", "7z", "bz2", "xz", "woff", "woff2",
    ];
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// In UTC; archives know years from 1980 to 2107.
fn modified(entry: &Entry) -> DateTime {
    let at = entry.modified_at;
    let year = u16::try_from(at.year()).unwrap_or(1980);
    let [month, day, hour, minute, second] =
        [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(|number| number as u8);
    DateTime::from_date_and_time(year, month, day, hour, minute, second).unwrap_or_default()
}

fn refused(error: zip::result::ZipError) -> BlobError {
    let path = std::path::Path::new("the archive");
    match error {
        zip::result::ZipError::Io(error) => BlobError::doing("write", path)(error),
        other => BlobError::doing("write", path)(io::Error::other(other)),
    }
}
