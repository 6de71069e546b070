//! The bytes of a file, by its path or by an open descriptor of it: whoever decodes in a confined child is given nothing
//! but descriptors.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::Format;

/// A file that can be read from its first byte as often as needed. Clones are of the same file.
#[derive(Debug, Clone)]
pub struct Content {
    bytes: Bytes,
    format: Option<Format>,
    page: Option<u32>,
}

#[derive(Debug, Clone)]
enum Bytes {
    At(Arc<Path>),
    Open(Arc<File>),
}

impl Content {
    /// Of a file whose format has been told from its beginning and its name; it is not told again.
    pub(crate) fn known_as(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// One page of it, from 1, where it is a picture of several.
    pub(crate) fn at_page(self, page: Option<u32>) -> Self {
        Self { page: page.or(self.page), ..self }
    }

    pub(crate) const fn page(&self) -> Option<u32> {
        self.page
    }

    pub(crate) const fn format(&self) -> Option<Format> {
        self.format
    }

    /// What messages call it.
    pub(crate) fn shown(&self) -> String {
        match &self.bytes {
            Bytes::At(path) => path.display().to_string(),
            Bytes::Open(_) => "the file".to_owned(),
        }
    }

    /// Empty where nobody has said.
    pub(crate) fn file_name(&self) -> String {
        match &self.bytes {
            Bytes::At(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Bytes::Open(_) => String::new(),
        }
    }

    pub(crate) fn open(&self) -> io::Result<Reader> {
        let file = match &self.bytes {
            Bytes::At(path) => Arc::new(File::open(path)?),
            Bytes::Open(file) => file.clone(),
        };
        let bytes = file.metadata()?.len();
        Ok(Reader { file, bytes, at: 0 })
    }
}

impl From<&Path> for Content {
    fn from(path: &Path) -> Self {
        Self { bytes: Bytes::At(path.into()), format: None, page: None }
    }
}

impl From<&PathBuf> for Content {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<File> for Content {
    fn from(file: File) -> Self {
        Self { bytes: Bytes::Open(file.into()), format: None, page: None }
    }
}

impl From<&Self> for Content {
    fn from(content: &Self) -> Self {
        content.clone()
    }
}

/// Reads a file from a place of its own, which no other reader of the same descriptor moves.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    file: Arc<File>,
    /// How long the file was when it was opened.
    bytes: u64,
    at: u64,
}

impl Reader {
    pub const fn len(&self) -> u64 {
        self.bytes
    }

    pub fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.file.read_at(buffer, at)
    }

    pub fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, at)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let moved = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.bytes.checked_add_signed(by),
        };
        self.at = moved.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn readers_of_one_descriptor_do_not_move_each_other() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let content = Content::from(file);
        let (mut one, mut other) = (content.open().unwrap(), content.open().unwrap());
        let read = |reader: &mut Reader| {
            let mut bytes = [0; 3];
            reader.read_exact(&mut bytes).unwrap();
            String::from_utf8(bytes.to_vec()).unwrap()
        };
        assert_eq!([read(&mut one), read(&mut other), read(&mut one)], ["012", "012", "345"]);
        one.seek(SeekFrom::End(-3)).unwrap();
        other.seek(SeekFrom::Current(2)).unwrap();
        assert_eq!([read(&mut one), read(&mut other)], ["789", "567"]);
        assert!(one.seek(SeekFrom::Current(-11)).is_err());
        assert_eq!(one.read(&mut [0; 4]).unwrap(), 0);
    }
}
