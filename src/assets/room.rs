//! How much room there is where files are written.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

/// With less than this no job can be carried out: the log of the database, and what is made of a picture, take as much.
pub const NEEDED: u64 = 64 << 20;

/// Files that can still be made; some file systems have room for bytes and for no more files.
const NEEDED_FILES: u64 = 1000;

/// What is written somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Database,
    Files,
    Publish,
    Exports,
    Scratch,
    Mails,
}

impl Use {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Files => "stored files",
            Self::Publish => "published files",
            Self::Exports => "exports",
            Self::Scratch => "scratch files",
            Self::Mails => "mails",
        }
    }
}

/// A folder that is written to, whether or not it is there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub what: Use,
    pub folder: PathBuf,
}

/// A disk that is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    pub uses: Vec<Use>,
    /// Where it is mounted.
    pub mount: PathBuf,
    /// Bytes that the daemon's user may still write.
    pub free: u64,
    /// Files that can still be made; None where that is not bounded.
    pub files: Option<u64>,
}

impl Disk {
    pub fn is_full(&self) -> bool {
        self.free < NEEDED || self.lacks_files()
    }

    /// What is wrong, if it is full.
    pub fn shortage(&self) -> Option<String> {
        let left = match self.is_full() {
            false => return None,
            true if self.lacks_files() => "hardly any more files fit".to_owned(),
            true => format!("only {} MiB are free", self.free >> 20),
        };
        let uses: Vec<&str> = self.uses.iter().map(|what| what.as_str()).collect();
        Some(format!("{left} on the disk of the {}", uses.join(", ")))
    }

    /// Whether it is not only at the brink of being full.
    pub fn has_ample_room(&self) -> bool {
        let ample = |needed: u64| needed + needed / 4;
        self.free >= ample(NEEDED) && self.files.is_none_or(|files| files >= ample(NEEDED_FILES))
    }

    /// Whether it has room for bytes, but for no more files.
    pub fn lacks_files(&self) -> bool {
        self.files.is_some_and(|files| files < NEEDED_FILES)
    }
}

/// The disks that these folders are on.
pub fn disks(written: &[Written]) -> io::Result<Vec<Disk>> {
    let mut disks: Vec<(u64, Disk)> = Vec::new();
    for Written { what, folder } in written {
        let there = nearest(folder)?;
        let device = fs::metadata(&there)?.dev();
        if let Some((_, disk)) = disks.iter_mut().find(|(known, _)| *known == device) {
            disk.uses.push(*what);
            continue;
        }
        let space = statvfs(&there)?;
        // File systems that make room for files as they need it say that they have none at all.
        let files = (space.f_files > 0).then_some(space.f_favail);
        let (mount, free) = (mount_of(&there, device), space.f_bavail * space.f_frsize);
        disks.push((device, Disk { uses: vec![*what], mount, free, files }));
    }
    Ok(disks.into_iter().map(|(_, disk)| disk).collect())
}

/// The folder, or the one above it that is there: it will be made in that one.
fn nearest(folder: &Path) -> io::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    let there = folder.ancestors().find(|above| above.exists()).unwrap_or(&folder);
    fs::canonicalize(there)
}

/// The uppermost folder above `path` that is on the same device.
fn mount_of(path: &Path, device: u64) -> PathBuf {
    let is_on_it = |above: &&Path| fs::metadata(above).is_ok_and(|found| found.dev() == device);
    path.ancestors().take_while(is_on_it).last().unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_one_disk_are_told_once_with_where_it_is_mounted() {
        let (here, there) = super::super::two_disks::folders();
        let written = [
            Written { what: Use::Database, folder: here.path().to_owned() },
            Written { what: Use::Publish, folder: there.path().join("not/there/yet") },
            Written { what: Use::Files, folder: here.path().join("blobs") },
        ];
        let found = disks(&written).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].uses, [Use::Database, Use::Files]);
        assert_eq!((found[1].uses.as_slice(), found[1].mount.as_path()), (&[Use::Publish][..], Path::new("/dev/shm")));
        assert!(here.path().starts_with(&found[0].mount) && found[0].free > 0);
    }

    #[test]
    fn a_disk_can_be_full_of_bytes_or_of_files() {
        let disk = |free, files| Disk { uses: vec![Use::Database], mount: "/".into(), free, files };
        assert!(!disk(NEEDED, None).is_full() && !disk(NEEDED, Some(NEEDED_FILES)).is_full());
        assert!(disk(NEEDED - 1, None).is_full());
        assert!(disk(1 << 40, Some(3)).is_full() && disk(1 << 40, Some(3)).lacks_files());
    }
}
