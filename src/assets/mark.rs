//! The mark beside the blobs: which database they belong to, and how far its numbers had come.
//!
//! ```text
//! blobs/.prepress     {"identity":"6f2e…","numbers":{"run":54091,"asset":732,"change":1840,…}}
//! ```
//!
//! A database that is lost, taken for another, or restored from a backup is known by it before anything is written or
//! deleted. It is renamed into place, so that it is whole or not there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::blobs::{BlobError, sync_folder};

const NAME: &str = ".prepress";

/// Longest mark that is read: it has a dozen numbers.
const LONGEST: u64 = 1 << 16;

/// No number is as high: one that is was damaged, and would be counted on from for ever.
const HIGHEST: i64 = 1 << 53;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The random name of the database.
    pub identity: String,
    /// The highest number that it had given, of each kind.
    pub numbers: BTreeMap<String, i64>,
}

/// What lies where the mark should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Mark(Mark),
    /// Something that nobody can read, and why.
    Unreadable(String),
}

pub fn path(blobs: &Path) -> PathBuf {
    blobs.join(NAME)
}

/// The mark beside the blobs in this folder.
pub fn read(blobs: &Path) -> Found {
    let read = || -> io::Result<Mark> {
        let file = File::open(path(blobs))?;
        let mark: Mark = serde_json::from_reader(io::Read::take(file, LONGEST))?;
        match mark.numbers.iter().find(|(_, number)| !(0..HIGHEST).contains(*number)) {
            Some((name, number)) => Err(io::Error::other(format!("nobody has given the number {number} of {name}"))),
            None => Ok(mark),
        }
    };
    match read() {
        Ok(mark) => Found::Mark(mark),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Found::Nothing,
        Err(error) => Found::Unreadable(error.to_string()),
    }
}

impl Mark {
    pub fn write(&self, blobs: &Path) -> Result<(), BlobError> {
        let (target, draft) = (path(blobs), blobs.join(format!("{NAME}.part")));
        let written = (|| {
            let mut file = File::create(&draft)?;
            serde_json::to_writer(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()
        })();
        written.map_err(BlobError::doing("write", &draft))?;
        fs::rename(&draft, &target).map_err(BlobError::doing("rename a temporary file to", &target))?;
        sync_folder(blobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_nobody_can_have_given_is_not_counted_on_from() {
        let folder = tempfile::tempdir().unwrap();
        for (run, is_read) in [(54091, true), (HIGHEST - 1, true), (HIGHEST, false), (i64::MAX, false), (-1, false)] {
            let mark = Mark { identity: "6f2e".to_owned(), numbers: BTreeMap::from([("run".to_owned(), run)]) };
            mark.write(folder.path()).unwrap();
            let found = read(folder.path());
            assert_eq!(found == Found::Mark(mark), is_read, "{found:?}");
            assert_eq!(matches!(found, Found::Unreadable(why) if why.contains(&run.to_string())), !is_read);
        }
    }
}
