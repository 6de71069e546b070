//! Published files on the disk: where the trees of each kind of context lie, and what a look at a file tells.

use std::collections::HashMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, ioctl_ficlone};

use super::blobs::{self, BlobError};
use super::manifest::{Manifest, Totals};
use super::stamp::Stamp;
use crate::model::asset::ContextKind;

/// The search data of a tree.
pub const SEARCH: &str = "search.jsonl";

/// What is being written in a tree. No published file begins with a dot.
pub const TEMPORARY: &str = ".new";

/// Folder below the publish root that the trees of a kind lie in.
pub const fn folder(kind: ContextKind) -> &'static str {
    match kind {
        ContextKind::ImageServing => "image-serving",
        ContextKind::ImageRendering => "image-rendering",
        ContextKind::Video => "video",
        ContextKind::ServerDirectory => "server-directory",
        ContextKind::Metadata => "metadata",
    }
}

/// Name of the manifest in a tree. No asset may come to have it.
pub const fn manifest(kind: ContextKind) -> &'static str {
    match kind {
        ContextKind::ImageServing | ContextKind::ImageRendering => "manifest.jsonl",
        ContextKind::Video | ContextKind::ServerDirectory => ".manifest.jsonl",
        ContextKind::Metadata => "metadata.jsonl",
    }
}

/// A file that another job puts into the trees, and every publish hands on. No asset may come to have it either.
pub const fn guest(kind: ContextKind) -> Option<&'static str> {
    match kind {
        ContextKind::Video => Some("sitemap.xml"),
        ContextKind::ImageServing
        | ContextKind::ImageRendering
        | ContextKind::ServerDirectory
        | ContextKind::Metadata => None,
    }
}

/// Whether a file in a tree is one that every publish writes, or was writing when it broke off.
pub fn is_ours(name: &str, manifest: &str, guest: Option<&str>) -> bool {
    [Some(manifest), guest, Some(SEARCH), Some(TEMPORARY)].contains(&Some(name))
        || Path::new(manifest).with_extension("new") == Path::new(name)
}

/// What lies hidden beside the link of a company: its trees (`a`, `b`), the lock, contents on their way.
pub fn hidden(folder: &Path, company: &str, ending: &str) -> PathBuf {
    folder.join(format!(".{company}.{ending}"))
}

/// How far the number of a publish may be ahead of what the database knows, so that it is believed: a publish a minute for two
/// years. What is in a manifest may have been written by anybody, and numbers that were believed are never given again.
pub const MOST_AHEAD: i64 = 1_000_000;

/// What the manifests of a company's trees are closed with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Newest {
    /// The highest number of a publish that can be believed; 0 without any.
    pub publish: i64,
    /// The highest number of a run that published; 0 if none says so.
    pub run: i64,
    /// A number of a publish that nobody can have come to.
    pub unbelievable: Option<i64>,
}

/// The trees of a company, and the number of the last publish to them that the database knows.
#[derive(Debug, Clone)]
pub struct Site {
    pub folder: PathBuf,
    pub company: String,
    pub manifest: &'static str,
    pub known: i64,
}

impl Site {
    pub fn below(root: &Path, kind: ContextKind, company: &str, known: i64) -> Self {
        Self { folder: root.join(folder(kind)), company: company.to_owned(), manifest: manifest(kind), known }
    }

    /// What readers open.
    pub fn link(&self) -> PathBuf {
        self.folder.join(&self.company)
    }

    /// What the manifests of both trees are closed with: an error where a little of them does not tell.
    pub fn newest(&self) -> io::Result<Newest> {
        self.newest_by(Manifest::totals_near_its_end)
    }

    /// The same for who writes anew what does not tell.
    pub fn newest_of_any(&self) -> io::Result<Newest> {
        self.newest_by(Manifest::totals)
    }

    fn newest_by(&self, totals: fn(&Manifest) -> io::Result<Option<Totals>>) -> io::Result<Newest> {
        let mut newest = Newest::default();
        for ending in ["a", "b"] {
            let tree = hidden(&self.folder, &self.company, ending);
            let Some(totals) = totals(&Manifest::of(&tree, self.manifest))? else { continue };
            if totals.publish.saturating_sub(self.known) > MOST_AHEAD {
                newest.unbelievable = Some(totals.publish);
                continue;
            }
            newest.publish = newest.publish.max(totals.publish);
            newest.run = newest.run.max(totals.run.unwrap_or(0));
        }
        Ok(newest)
    }
}

/// What there is at the path of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Nothing,
    /// The right content, in a file of its own.
    Right(Stamp),
    /// A link to the blob.
    Blob,
    /// Something else.
    Changed,
}

/// What a published file should be.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    pub blob: &'a Path,
    pub sha256: &'a str,
    pub bytes: u64,
    /// By which it is known without being read.
    pub stamp: Option<&'a str>,
}

/// Looks at a published file, and reads it if nothing else tells.
pub fn look(path: &Path, expected: Expected<'_>, stop: &dyn Fn() -> bool) -> Result<Look, BlobError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Look::Nothing);
        }
        Err(error) => return Err(BlobError::doing("look at", path)(error)),
    };
    if found.is_file() && is_same_file(path, expected.blob) {
        return Ok(Look::Blob);
    }
    if !found.is_file() || found.len() != expected.bytes {
        return Ok(Look::Changed);
    }
    let stamp = Stamp::of(&found);
    if expected.stamp == Some(stamp.to_string().as_str()) {
        return Ok(Look::Right(stamp));
    }
    let mut file = File::open(path).map_err(BlobError::doing("open", path))?;
    let is_right = blobs::hash(&mut file, stop, path)? == expected.sha256;
    Ok(if is_right { Look::Right(stamp) } else { Look::Changed })
}

pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
}

/// Goes through a tree without following links. `visit` is given the path, the name as published files have it, and what is
/// there, and says whether to go into a folder.
pub fn walk<E: From<BlobError>>(
    tree: &Path,
    stop: &dyn Fn() -> bool,
    visit: &mut dyn FnMut(&Path, &str, &Metadata) -> Result<bool, E>,
) -> Result<(), E> {
    let mut folders = vec![(tree.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(BlobError::doing("list", &folder))? {
            if stop() {
                return Err(BlobError::Stopped.into());
            }
            let path = entry.map_err(BlobError::doing("list", &folder))?.path();
            let found = match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                found => found.map_err(BlobError::doing("look at", &path))?,
            };
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if visit(&path, &name, &found)? && found.is_dir() {
                folders.push((path, format!("{name}/")));
            }
        }
    }
    Ok(())
}

/// What was parted from the blobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parted {
    pub files: u64,
    pub bytes: u64,
}

/// Gives every file of both trees that somebody else has a link to room of its own: earlier versions made them links to
/// blobs. What the trees share with each other they go on to share. Readers see the same bytes at any moment.
pub fn part(trees: [&Path; 2], stop: &dyn Fn() -> bool) -> Result<Parted, BlobError> {
    let mut parting = Parting::default();
    for (tree, other) in [(trees[0], trees[1]), (trees[1], trees[0])].into_iter().filter(|(tree, _)| tree.is_dir()) {
        walk(tree, stop, &mut |path, name, found| {
            if found.is_file() {
                parting.part(path, found, tree, (&other.join(name), other), stop)?;
            }
            Ok::<_, BlobError>(true)
        })?;
    }
    Ok(parting.parted)
}

#[derive(Debug, Default)]
struct Parting {
    parted: Parted,
    /// Where the content of a file with several names lies now, by what it was and by what it is.
    known: HashMap<(u64, u64), PathBuf>,
}

impl Parting {
    fn part(
        &mut self,
        path: &Path,
        found: &Metadata,
        tree: &Path,
        (twin, other): (&Path, &Path),
        stop: &dyn Fn() -> bool,
    ) -> Result<(), BlobError> {
        let is_shared = is_same_file(path, twin);
        let shared = 1 + u64::from(is_shared);
        let identity = (found.dev(), found.ino());
        if found.nlink() <= shared || self.known.get(&identity).is_some_and(|known| is_same_file(known, path)) {
            return Ok(());
        }
        match self.known.get(&identity) {
            // Another name of a file that was parted before.
            Some(known) => replace_by_link(known, &tree.join(TEMPORARY), path)?,
            None => {
                part_file(path, &tree.join(TEMPORARY), stop)?;
                self.parted.files += 1;
                self.parted.bytes += found.len();
                // The blob is one name; others can only be those of other files with the same content.
                if found.nlink() > shared + 1 {
                    let now = fs::symlink_metadata(path).map_err(BlobError::doing("look at", path))?;
                    self.known.extend([identity, (now.dev(), now.ino())].map(|identity| (identity, path.to_owned())));
                }
            }
        }
        if is_shared { replace_by_link(path, &other.join(TEMPORARY), twin) } else { Ok(()) }
    }
}

/// Puts a link to a file in the place of another; a copy where there can be no link: not every file system has them, and none
/// has any number of them to a file.
pub fn replace_by_link(path: &Path, temporary: &Path, target: &Path) -> Result<(), BlobError> {
    remove_file(temporary)?;
    if fs::hard_link(path, temporary).is_err() {
        let copied = copy_file(path, temporary, &|| false).map_err(BlobError::doing("copy", path))?;
        if !copied {
            return Err(BlobError::Stopped);
        }
    }
    fs::rename(temporary, target).map_err(BlobError::doing("write", target))
}

/// Puts a copy of a file in its place.
fn part_file(path: &Path, temporary: &Path, stop: &dyn Fn() -> bool) -> Result<(), BlobError> {
    remove_file(temporary)?;
    let copied = copy_file(path, temporary, stop).map_err(BlobError::doing("copy", path))?;
    if !copied {
        return Err(BlobError::Stopped);
    }
    fs::rename(temporary, path).map_err(BlobError::doing("write", path))
}

/// Makes a file with the content and the time of another, which survives a power cut. False when it was stopped.
fn copy_file(path: &Path, copy: &Path, stop: &dyn Fn() -> bool) -> io::Result<bool> {
    const PIECE: usize = 1 << 18;
    let mut source = File::open(path)?;
    let mut out = OpenOptions::new().write(true).create_new(true).open(copy)?;
    if ioctl_ficlone(&out, &source).is_err() {
        let mut piece = vec![0; PIECE];
        loop {
            if stop() {
                return Ok(false);
            }
            match source.read(&mut piece)? {
                0 => break,
                count => out.write_all(&piece[..count])?,
            }
        }
    }
    blobs::keep_time(&source, &out)?;
    out.sync_all()?;
    Ok(true)
}

/// Removes a file, if it is there.
pub fn remove_file(path: &Path) -> Result<(), BlobError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(BlobError::doing("remove", path)(error)),
        _ => Ok(()),
    }
}

/// A new file in the place of what may lie there: a link would be written through, and a pipe waited for.
pub fn create_afresh(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// A file to be read, if there is one. What lies there in its place, as a pipe, is not waited for.
pub fn open_file(path: &Path) -> io::Result<Option<File>> {
    let without_waiting = OFlags::NONBLOCK.bits().cast_signed();
    match File::options().read(true).custom_flags(without_waiting).open(path) {
        Ok(file) if file.metadata()?.is_file() => Ok(Some(file)),
        Ok(_) => Err(io::Error::other("it is no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_created_afresh_goes_through_no_link_and_waits_for_no_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let (elsewhere, path) = (folder.path().join("elsewhere"), folder.path().join("draft"));
        fs::write(&elsewhere, "theirs").unwrap();
        let pipe = || assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let link = || std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        for lay in [&pipe as &dyn Fn(), &link] {
            lay();
            create_afresh(&path).unwrap().write_all(b"ours").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "ours");
            fs::remove_file(&path).unwrap();
        }
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "theirs");
    }

    #[test]
    fn a_number_that_nobody_can_have_come_to_is_told_and_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let site = Site::below(folder.path(), ContextKind::Video, "Acme", 7);
        fs::create_dir(&site.folder).unwrap();
        assert_eq!(site.newest().unwrap(), Newest::default());
        for (ending, publish) in [("a", 9), ("b", 8 + MOST_AHEAD)] {
            let tree = hidden(&site.folder, &site.company, ending);
            fs::create_dir(&tree).unwrap();
            let line = format!("{{\"publish\":{publish},\"run\":31,\"files\":0,\"lines\":0,\"at\":\"\"}}\n");
            fs::write(tree.join(site.manifest), line).unwrap();
        }
        assert_eq!(site.newest().unwrap(), Newest { publish: 9, run: 31, unbelievable: Some(8 + MOST_AHEAD) });
        let later = Site { known: 8, ..site };
        assert_eq!(later.newest().unwrap(), Newest { publish: 8 + MOST_AHEAD, run: 31, unbelievable: None });
    }

    #[test]
    fn a_file_is_copied_where_it_cannot_be_linked() {
        let (here, there) = super::super::two_disks::folders();
        let (path, target) = (there.path().join("search.jsonl"), here.path().join("search.jsonl"));
        fs::write(&path, "found").unwrap();
        fs::write(&target, "of before").unwrap();
        assert!(fs::hard_link(&path, here.path().join("link")).is_err(), "a link leads to no other disk");
        replace_by_link(&path, &here.path().join(TEMPORARY), &target).unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "found");
        assert!(!is_same_file(&path, &target));
        let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        assert_eq!(time(&path), time(&target));
    }
}
