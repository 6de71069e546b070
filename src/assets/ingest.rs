//! The server directories that upload jobs read: one tree for each company, which nothing leads out of.
//!
//! Every step is resolved inside the company's folder by `cap-std`, also at the moment a file is opened, so a link that
//! is swapped in while the job runs reaches no further than one that was there before. Links that stay inside are
//! followed, after everything that is really there, and a folder is walked once, whichever ways lead to it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

/// The folder that a company's uploads come from.
#[derive(Debug)]
pub struct CompanyFolder {
    dir: Dir,
    path: PathBuf,
}

/// Why a server directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    #[error("{path} does not exist")]
    NotFound { path: PathBuf },
    #[error("{path} leads out of the company's folder")]
    Outside { path: PathBuf },
    #[error("{path} cannot be read: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path} holds more than the {limit} files allowed for one job")]
    TooMany { path: PathBuf, limit: usize },
    #[error("stopped while files were listed")]
    Stopped,
}

/// How far a walk goes.
pub struct Walk<'a> {
    pub subfolders: bool,
    pub max_depth: usize,
    pub max_files: usize,
    pub is_junk: &'a dyn Fn(&str) -> bool,
    pub stop: &'a dyn Fn() -> bool,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Below the directory that was walked.
    pub relative: PathBuf,
    pub bytes: u64,
}

/// Something that is left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    pub relative: PathBuf,
    pub why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    Junk,
    LinkLeadsOut,
    LinkLeadsNowhere,
    /// A folder that is part of the walk already: a loop, or a second way to it.
    FolderSeenBefore,
    /// A pipe, a socket or a device.
    NotAFile,
    TooDeep,
    Unreadable(String),
}

/// A server directory as a walk found it, in order of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub files: Vec<Found>,
    pub left_out: Vec<LeftOut>,
}

impl CompanyFolder {
    /// Opens the folder below the ingest root. It may itself be a link: that is up to whoever owns the root.
    pub fn open(ingest_root: &Path, company_root: &str) -> Result<Self, IngestError> {
        let path = ingest_root.join(company_root);
        match Dir::open_ambient_dir(&path, ambient_authority()) {
            Ok(dir) => Ok(Self { dir, path }),
            Err(source) => Err(refusal(path, source)),
        }
    }

    /// A directory inside, given as people do: with or without slashes at its ends, the company root or the whole path
    /// of the company's folder in front.
    pub fn directory(&self, server_dir: &str) -> Result<ServerDirectory, IngestError> {
        let given = server_dir.replace('\\', "/");
        let own = self.path.to_string_lossy();
        let inside = given.strip_prefix(own.as_ref()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let inside = inside.unwrap_or(&given).trim_matches('/');
        match self.open_directory(inside) {
            Err(IngestError::NotFound { path }) => {
                let root = self.path.file_name().unwrap_or_default().to_string_lossy();
                let rest = inside.strip_prefix(root.as_ref()).filter(|rest| rest.is_empty() || rest.starts_with('/'));
                rest.map_or(Err(IngestError::NotFound { path }), |rest| self.open_directory(rest.trim_matches('/')))
            }
            opened => opened,
        }
    }

    fn open_directory(&self, inside: &str) -> Result<ServerDirectory, IngestError> {
        let inside = if inside.is_empty() { "." } else { inside };
        let path = self.path.join(inside);
        match self.dir.metadata(inside) {
            Ok(found) if found.is_dir() => Ok(ServerDirectory {
                company: self.dir.try_clone().map_err(|e| refusal(path.clone(), e))?,
                inside: inside.into(),
                path,
            }),
            Ok(_) => Err(IngestError::Unreadable { path, source: io::ErrorKind::NotADirectory.into() }),
            Err(source) => Err(refusal(path, source)),
        }
    }
}

fn refusal(path: PathBuf, source: io::Error) -> IngestError {
    if source.kind() == io::ErrorKind::NotFound {
        IngestError::NotFound { path }
    } else if leads_out(&source) {
        IngestError::Outside { path }
    } else {
        IngestError::Unreadable { path, source }
    }
}

/// cap-std refuses to leave the folder with an error of its own, which no system call has a number for.
fn leads_out(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none()
}

/// A directory of a company's folder. Links in it may lead anywhere in the company's folder.
#[derive(Debug)]
pub struct ServerDirectory {
    company: Dir,
    inside: PathBuf,
    path: PathBuf,
}

/// A file opened for reading.
#[derive(Debug)]
pub struct Source {
    pub file: std::fs::File,
    pub stamp: Stamp,
}

/// What tells whether a file has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub modified: i64,
}

impl ServerDirectory {
    /// Where it is, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a file that a walk found. What is no regular file (any more) is refused without waiting for it.
    pub fn open(&self, relative: &Path) -> Result<Source, IngestError> {
        let path = self.path.join(relative);
        let mut options = OpenOptions::new();
        // A pipe without a writer would make an open for reading wait for ever.
        options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
        let file = match self.company.open_with(self.inside.join(relative), &options) {
            Ok(file) => file,
            Err(source) => return Err(refusal(path, source)),
        };
        match stamp(&file) {
            Ok(Some(stamp)) => Ok(Source { file: file.into_std(), stamp }),
            Ok(None) => Err(IngestError::Unreadable { path, source: io::Error::other("it is not a file") }),
            Err(source) => Err(refusal(path, source)),
        }
    }

    pub fn walk(&self, walk: &Walk<'_>) -> Result<Listing, IngestError> {
        let mut walker =
            Walker { of: self, walk, listing: Listing::default(), seen: HashSet::new(), links: Vec::new() };
        walker.enter(Path::new(""), 0)?;
        walker.follow_links()?;
        let mut listing = walker.listing;
        listing.files.sort_by(|a, b| a.relative.cmp(&b.relative));
        listing.left_out.sort_by(|a, b| a.relative.cmp(&b.relative));
        Ok(listing)
    }
}

impl Source {
    /// Whether somebody wrote to the file since it was opened.
    pub fn has_changed(&self) -> bool {
        let now = self.file.metadata().map(|found| Stamp { bytes: found.len(), modified: modified(found.modified()) });
        now.map_or(true, |now| now != self.stamp)
    }
}

/// None for what is no regular file.
fn stamp(file: &File) -> io::Result<Option<Stamp>> {
    let found = file.metadata()?;
    let stamp =
        Stamp { bytes: found.len(), modified: modified(found.modified().map(cap_std::time::SystemTime::into_std)) };
    Ok(found.is_file().then_some(stamp))
}

fn modified(time: io::Result<std::time::SystemTime>) -> i64 {
    let since = time.ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

struct Walker<'a> {
    of: &'a ServerDirectory,
    walk: &'a Walk<'a>,
    listing: Listing,
    /// Device and number of every folder entered.
    seen: HashSet<(u64, u64)>,
    links: Vec<(PathBuf, usize)>,
}

impl Walker<'_> {
    fn inside(&self, relative: &Path) -> PathBuf {
        self.of.inside.join(relative)
    }

    fn leave_out(&mut self, relative: PathBuf, why: Why) {
        self.listing.left_out.push(LeftOut { relative, why });
    }

    /// Lists a folder. That the first one cannot be read is an error, of further ones a remark.
    fn enter(&mut self, relative: &Path, depth: usize) -> Result<(), IngestError> {
        match self.entries(relative) {
            Ok(None) => self.leave_out(relative.to_owned(), Why::FolderSeenBefore),
            Ok(Some(entries)) => {
                for (name, file_type) in entries {
                    self.meet(relative.join(&name), &name, file_type, depth)?;
                }
            }
            Err(source) if depth == 0 => return Err(refusal(self.of.path.clone(), source)),
            Err(source) => self.leave_out(relative.to_owned(), why(&source)),
        }
        Ok(())
    }

    /// What a folder holds; None if it was entered before.
    fn entries(&mut self, relative: &Path) -> io::Result<Option<Vec<(OsString, FileType)>>> {
        let dir = self.of.company.open_dir(self.inside(relative))?;
        if !self.seen.insert(identity(&dir.dir_metadata()?)) {
            return Ok(None);
        }
        let entries = dir.entries()?.map(|entry| {
            let entry = entry?;
            Ok((entry.file_name(), entry.file_type()?))
        });
        entries.collect::<io::Result<Vec<_>>>().map(Some)
    }

    fn meet(&mut self, relative: PathBuf, name: &OsStr, file_type: FileType, depth: usize) -> Result<(), IngestError> {
        if (self.walk.stop)() {
            return Err(IngestError::Stopped);
        }
        if (self.walk.is_junk)(&name.to_string_lossy()) {
            self.leave_out(relative, Why::Junk);
        } else if file_type.is_symlink() {
            self.links.push((relative, depth));
        } else if file_type.is_dir() {
            self.descend(relative, depth)?;
        } else if file_type.is_file() {
            self.take(relative)?;
        } else {
            self.leave_out(relative, Why::NotAFile);
        }
        Ok(())
    }

    fn descend(&mut self, relative: PathBuf, depth: usize) -> Result<(), IngestError> {
        if !self.walk.subfolders {
            return Ok(());
        }
        if depth >= self.walk.max_depth {
            self.leave_out(relative, Why::TooDeep);
            return Ok(());
        }
        self.enter(&relative, depth + 1)
    }

    fn take(&mut self, relative: PathBuf) -> Result<(), IngestError> {
        let limit = self.walk.max_files;
        if self.listing.files.len() >= limit {
            return Err(IngestError::TooMany { path: self.of.path.clone(), limit });
        }
        match self.of.company.metadata(self.inside(&relative)) {
            Ok(found) => self.listing.files.push(Found { relative, bytes: found.len() }),
            Err(source) => self.leave_out(relative, why(&source)),
        }
        Ok(())
    }

    /// Links found behind links are followed in turn; that a folder is entered once makes it end.
    fn follow_links(&mut self) -> Result<(), IngestError> {
        while !self.links.is_empty() {
            let mut links = std::mem::take(&mut self.links);
            links.sort();
            for (relative, depth) in links {
                match self.of.company.metadata(self.inside(&relative)) {
                    Ok(found) if found.is_dir() => self.descend(relative, depth)?,
                    Ok(found) if found.is_file() => self.take(relative)?,
                    Ok(_) => self.leave_out(relative, Why::NotAFile),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        self.leave_out(relative, Why::LinkLeadsNowhere);
                    }
                    Err(error) => self.leave_out(relative, why(&error)),
                }
            }
        }
        Ok(())
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}

fn why(error: &io::Error) -> Why {
    if leads_out(error) { Why::LinkLeadsOut } else { Why::Unreadable(error.to_string()) }
}

/// A path as text that is the same for no other path: bytes that are no text, what would break a line, and the sign that says
/// so become `\xNN`.
pub fn display(path: &Path) -> String {
    as_text(path, |sign| sign.is_control() || sign == '\\')
}

/// What a name says, whoever else says the same: only bytes that are no text become `\xNN`.
pub fn name_text(path: &Path) -> String {
    as_text(path, |_| false)
}

fn as_text(path: &Path, is_escaped: impl Fn(char) -> bool) -> String {
    let mut text = String::new();
    let escape = |text: &mut String, bytes: &[u8]| text.extend(bytes.iter().map(|byte| format!("\\x{byte:02X}")));
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        for sign in chunk.valid().chars() {
            if is_escaped(sign) {
                escape(&mut text, sign.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(sign);
            }
        }
        escape(&mut text, chunk.invalid());
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    struct Tree {
        _folder: tempfile::TempDir,
        root: PathBuf,
    }

    fn tree(files: &[&str]) -> Tree {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("ingest");
        for file in files {
            let path = root.join("Acme").join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        fs::create_dir_all(root.join("Acme")).unwrap();
        Tree { _folder: folder, root }
    }

    impl Tree {
        fn path(&self, inside: &str) -> PathBuf {
            self.root.join("Acme").join(inside)
        }

        fn directory(&self, server_dir: &str) -> Result<ServerDirectory, IngestError> {
            CompanyFolder::open(&self.root, "Acme").unwrap().directory(server_dir)
        }

        fn walk(&self, server_dir: &str, subfolders: bool) -> Result<Listing, IngestError> {
            let is_junk = |name: &str| name == ".DS_Store";
            let walk = Walk { subfolders, max_depth: 4, max_files: 20, is_junk: &is_junk, stop: &|| false };
            self.directory(server_dir)?.walk(&walk)
        }
    }

    fn names(listing: &Listing) -> Vec<String> {
        listing.files.iter().map(|file| display(&file.relative)).collect()
    }

    fn left_out(listing: &Listing) -> Vec<(String, Why)> {
        listing.left_out.iter().map(|left| (display(&left.relative), left.why.clone())).collect()
    }

    #[test]
    fn files_come_in_order() {
        let tree = tree(&["in/b.jpg", "in/a.jpg", "in/sub/c.jpg", "in/.DS_Store", "in/sub/.DS_Store", "else/x.jpg"]);
        let listing = tree.walk("in", true).unwrap();
        assert_eq!(names(&listing), ["a.jpg", "b.jpg", "sub/c.jpg"]);
        assert_eq!(left_out(&listing), [(".DS_Store".into(), Why::Junk), ("sub/.DS_Store".into(), Why::Junk)]);
        assert_eq!(names(&tree.walk("/in/", false).unwrap()), ["a.jpg", "b.jpg"]);
    }

    #[test]
    fn a_directory_may_be_named_in_several_ways() {
        let tree = tree(&["in/a.jpg"]);
        let whole = tree.path("in").display().to_string();
        for server_dir in ["in", "/in", "in/", "Acme/in", "/Acme/in/", "\\in\\", &whole] {
            assert_eq!(names(&tree.walk(server_dir, false).unwrap()), ["a.jpg"], "{server_dir}");
        }
        assert_eq!(names(&tree.walk("", true).unwrap()), ["in/a.jpg"]);
        assert!(matches!(tree.walk("nowhere", true), Err(IngestError::NotFound { .. })));
        assert!(matches!(tree.walk("in/a.jpg", true), Err(IngestError::Unreadable { .. })));
        assert!(matches!(CompanyFolder::open(&tree.root, "Other"), Err(IngestError::NotFound { .. })));
    }

    #[test]
    fn nothing_leads_out() {
        let tree = tree(&["in/a.jpg", "other/b.jpg"]);
        fs::create_dir(tree.root.join("Rival")).unwrap();
        fs::write(tree.root.join("Rival/secret.jpg"), "secret").unwrap();
        symlink("../../Rival", tree.path("in/dir")).unwrap();
        symlink("../../Rival/secret.jpg", tree.path("in/file.jpg")).unwrap();
        symlink("/etc", tree.path("in/etc")).unwrap();
        symlink("nothing", tree.path("in/dangling")).unwrap();
        let listing = tree.walk("in", true).unwrap();
        assert_eq!(names(&listing), ["a.jpg"]);
        let expected = [
            ("dangling".to_owned(), Why::LinkLeadsNowhere),
            ("dir".into(), Why::LinkLeadsOut),
            ("etc".into(), Why::LinkLeadsOut),
            ("file.jpg".into(), Why::LinkLeadsOut),
        ];
        assert_eq!(left_out(&listing), expected);
        for server_dir in ["..", "../Rival", "in/../../Rival", "in/dir", "/etc", "in/etc"] {
            let refused = tree.directory(server_dir);
            assert!(matches!(refused, Err(IngestError::Outside { .. } | IngestError::NotFound { .. })), "{refused:?}");
        }
        let directory = tree.directory("in").unwrap();
        for file in ["file.jpg", "../../Rival/secret.jpg", "/etc/passwd"] {
            assert!(directory.open(Path::new(file)).is_err(), "{file}");
        }
    }

    #[test]
    fn links_inside_are_followed_and_loops_end() {
        let tree = tree(&["in/a.jpg", "in/sub/b.jpg", "other/c.jpg"]);
        symlink("..", tree.path("in/sub/up")).unwrap();
        symlink("self", tree.path("in/self")).unwrap();
        symlink("../other", tree.path("in/more")).unwrap();
        symlink("../other/c.jpg", tree.path("in/d.jpg")).unwrap();
        let listing = tree.walk("in", true).unwrap();
        assert_eq!(names(&listing), ["a.jpg", "d.jpg", "more/c.jpg", "sub/b.jpg"]);
        let left_out = left_out(&listing);
        assert_eq!(left_out.len(), 2, "{left_out:?}");
        assert!(matches!(&left_out[0], (name, Why::Unreadable(_)) if name == "self"), "{left_out:?}");
        assert_eq!(left_out[1], ("sub/up".into(), Why::FolderSeenBefore));
    }

    #[test]
    fn pipes_are_not_waited_for() {
        let tree = tree(&["in/a.jpg"]);
        let pipe = tree.path("in/pipe.jpg");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert_eq!(left_out(&tree.walk("in", true).unwrap()), [("pipe.jpg".into(), Why::NotAFile)]);
        assert!(tree.directory("in").unwrap().open(Path::new("pipe.jpg")).is_err());
    }

    #[test]
    fn limits_hold() {
        let tree = tree(&["1/2/3/4/5/deep.jpg"]);
        let listing = tree.walk("", true).unwrap();
        assert_eq!(left_out(&listing), [("1/2/3/4/5".into(), Why::TooDeep)]);
        for number in 0..21 {
            fs::write(tree.path(&format!("1/{number}.jpg")), "").unwrap();
        }
        assert!(matches!(tree.walk("1", false), Err(IngestError::TooMany { limit: 20, .. })));
    }

    #[test]
    fn names_that_are_no_text_stay_apart() {
        let tree = tree(&["in/a.jpg"]);
        for byte in [0xfe, 0xff] {
            fs::write(tree.path("in").join(OsStr::from_bytes(&[b'b', byte, b'.', b'j'])), "x").unwrap();
        }
        for name in ["b\\xFE.j", "b\n.j"] {
            std::fs::write(tree.path("in").join(name), "x").unwrap();
        }
        let found = tree.walk("in", false).unwrap();
        assert_eq!(names(&found), ["a.jpg", "b\\x0A.j", "b\\x5CxFE.j", "b\\xFE.j", "b\\xFF.j"]);
        let called: Vec<String> = found.files.iter().map(|file| name_text(&file.relative)).collect();
        assert_eq!(called, ["a.jpg", "b\n.j", "b\\xFE.j", "b\\xFE.j", "b\\xFF.j"]);
    }

    #[test]
    fn a_file_that_grows_is_noticed() {
        let tree = tree(&["in/a.jpg"]);
        let source = tree.directory("in").unwrap().open(Path::new("a.jpg")).unwrap();
        assert!(!source.has_changed());
        fs::write(tree.path("in/a.jpg"), "much longer than before").unwrap();
        assert!(source.has_changed());
    }
}
