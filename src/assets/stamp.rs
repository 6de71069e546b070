//! How a file is known again without reading it.
//!
//! Whoever writes to a file changes its `ctime`, which no tool can set: not even one that puts back size and `mtime`. So a
//! file whose content was right, and whose stamp is the same now as it was then, is right still. Links and renames change
//! the stamp as well; then the file is read, which costs time and is never wrong.

use std::fmt::{self, Display};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }

    /// Whether size and time of writing are those that were kept. They are the same for all copies of a file.
    pub fn resembles(&self, kept: &str) -> bool {
        let own = self.to_string();
        let told = |stamp: &str| stamp.split(' ').skip(1).take(2).map(str::to_owned).collect::<Vec<_>>();
        told(&own) == told(kept)
    }

    /// Of what is at a path: of a link itself, if there is one.
    pub fn at(path: &Path) -> io::Result<Self> {
        fs::symlink_metadata(path).map(|found| Self::of(&found))
    }
}

/// As the database keeps it.
impl Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { inode, bytes, modified, changed } = self;
        write!(f, "{inode} {bytes} {}.{:09} {}.{:09}", modified.0, modified.1, changed.0, changed.1)
    }
}
