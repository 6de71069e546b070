//! An errand is begun once more: its files as they were before it.

use std::io;
use std::os::fd::BorrowedFd;

use rustix::fs::{OFlags, SeekFrom, fcntl_getfl, fstat, ftruncate, seek, tell};

/// Where the files of an errand stood before anybody took it. Whoever took it shares their positions with us.
pub struct Before(Vec<Stood>);

struct Stood {
    at: u64,
    /// Of one that is written.
    length: Option<u64>,
}

impl Before {
    pub fn of(files: &[BorrowedFd<'_>]) -> io::Result<Self> {
        let stood = |file: &BorrowedFd<'_>| {
            let is_written = !(fcntl_getfl(file)? & OFlags::RWMODE).is_empty();
            let length = is_written.then(|| fstat(file).map(|about| about.st_size.try_into().unwrap_or(0)));
            Ok(Stood { at: tell(file)?, length: length.transpose()? })
        };
        files.iter().map(stood).collect::<Result<_, rustix::io::Errno>>().map(Self).map_err(io::Error::from)
    }

    pub fn restore(&self, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        for (file, stood) in files.iter().zip(&self.0) {
            if let Some(length) = stood.length {
                ftruncate(file, length)?;
            }
            seek(file, SeekFrom::Start(stood.at))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Seek, Write};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn files_are_as_they_were() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        std::fs::write(&path, b"before").unwrap();
        let mut read = File::open(&path).unwrap();
        let mut written = File::options().append(true).open(&path).unwrap();
        read.seek(io::SeekFrom::Start(2)).unwrap();
        let files = [read.as_fd(), written.as_fd()];
        let before = Before::of(&files).unwrap();
        written.write_all(b" and after").unwrap();
        let mut taken = String::new();
        read.read_to_string(&mut taken).unwrap();
        assert_eq!(taken, "fore and after");
        before.restore(&[read.as_fd(), written.as_fd()]).unwrap();
        taken.clear();
        read.read_to_string(&mut taken).unwrap();
        assert_eq!(taken, "fore");
    }
}
