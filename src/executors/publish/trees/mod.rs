//! The files of a company in a context: two trees, and a link that says which of them readers see.
//!
//! ```text
//! publish/image-serving/Acme -> .Acme.a      what readers open
//! publish/image-serving/.Acme.a/             live:    mug.tif, content/guide.pdf, manifest.jsonl, search.jsonl
//! publish/image-serving/.Acme.b/             standby: brought up to date, then switched to
//! publish/image-serving/.Acme.in/            contents that are new, on their way from the blobs to a tree
//! ```
//!
//! A published file is never a blob: whoever edits one in place would edit the master. It has room of its own (shared until
//! it is changed, where the file system can), but both trees have the same file, so that a publish costs one copy. An edit
//! in place then changes both; so a file is taken over from the other tree only if it is what it should be, by its
//! [`Stamp`] or else by its hash. One that is not is made again from its blob, and said.
//!
//! Whatever is done here can be done again after it broke off anywhere. A lock keeps a worker that nobody waits for any
//! more, but has not noticed yet, apart from the one that came after it. The lock says whose turn it is: an attempt that has
//! a successor finds another name in it, and touches nothing any more.

mod extras;
mod staging;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::assets::blobs::{self, BlobError, Blobs};
use crate::assets::manifest::{Closing, Manifest, Totals};
use crate::assets::published::{self, Look, Newest, Parted, SEARCH, Site, TEMPORARY, is_same_file, remove_file, walk};
use crate::assets::stamp::Stamp;
use crate::model::asset::ContextKind;
use crate::model::listing::Entry;
use crate::store::publishing::{Publication, Seen, Side};
use extras::Extras;
use staging::{Staging, Touched};

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("\"{0}\" is not a name for a folder of published files")]
    BadName(String),
    #[error("{path} is not the link that publishing makes there; move it away, and publish again")]
    NotOurs { path: PathBuf },
    #[error("stopped before the new publish was complete")]
    Stopped,
    #[error("another attempt has taken its turn at the published files in {path}; this one leaves them alone")]
    Passed { path: PathBuf },
    #[error("readers see {path}, which was to be brought up to date; the link was switched meanwhile, try again")]
    Live { path: PathBuf },
    #[error("another process holds {path} for longer than a publish does; fuser names it, end it or try again")]
    Locked { path: PathBuf },
    #[error("cannot {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Blob(#[from] BlobError),
}

/// How often the lock is tried, and how long a pause is: those who hold it in good order are done in that time, for whoever
/// is stopped asks for it as often.
const LOCK_TRIES: u32 = 150;
const LOCK_PAUSE: Duration = Duration::from_millis(100);

fn doing(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TreeError {
    let path = path.to_owned();
    move |source| TreeError::Io { doing, path, source }
}

/// The search data of a publish.
#[derive(Debug, Clone)]
pub enum Search {
    /// As the readers have it now.
    Keep,
    /// The lines in this file, which has no name: there may be more of them than fit into memory.
    Write(Arc<File>),
}

/// What a tree shall become.
#[derive(Debug, Clone)]
pub struct Target {
    /// Number of the publish it then holds.
    pub seq: i64,
    /// Rows that changed since what it holds; all of them for a tree that is made in full.
    pub rows: Vec<Publication>,
    /// Whatever the tree has, only what these rows name stays, and only if it is what they say.
    pub in_full: bool,
    /// Number of the publish that the tree holds. 0: nothing is known of it.
    pub held: i64,
    /// The same of the other tree, which has the files of all rows up to it.
    pub held_by_other: i64,
    /// Names of files that leave, each with the number of the publish that it left.
    pub leaving: HashMap<String, i64>,
    /// All rows, if the manifest is to be written anew.
    pub compact: Option<Vec<Publication>>,
    /// Files it then has.
    pub files: i64,
    pub search: Search,
    pub run: i64,
    pub at: String,
}

impl Target {
    /// Numbers that the manifest of a tree which holds a publish may be closed with: a later publish may have broken off there.
    const fn publishes_since(&self, held: i64) -> RangeInclusive<i64> {
        held..=self.seq
    }

    /// Whether a tree that holds a publish may still have what left later.
    fn may_have(&self, name: &str, held: i64) -> bool {
        self.leaving.get(name).is_some_and(|left| *left > held)
    }
}

/// How closely published files are looked at, none of which is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closeness {
    /// Nobody has touched them.
    Stamp,
    /// Their sizes and times of writing are the same.
    SizeAndTime,
}

/// What staging came to.
#[derive(Debug, Default)]
pub struct Staged {
    /// Files whose stamps are others than the rows say.
    pub seen: Vec<Seen>,
    /// Files that were published and had been changed or removed since: they are as they should be again.
    pub mended: Vec<Publication>,
    /// Files that the tree does not have, because their blobs are not what they should be.
    pub refused: Vec<(Publication, BlobError)>,
    /// What else of ours somebody had changed, and is written over.
    pub altered: Vec<String>,
    /// Whether the other tree has files that it should not have as they are.
    pub is_other_unsound: bool,
}

/// What somebody else has done to the trees, beside changing files that were published.
#[derive(Debug, Default)]
pub struct Meddling {
    /// Files that no publish put there, in their order.
    pub strangers: Vec<String>,
    /// Files that readers see, in a tree of which nothing is known, and that the database knows nothing of, in their order.
    pub unknown: Vec<String>,
    /// Files that were changed or removed in the tree that is to be written to, and in that one only. What is so in the other one
    /// is still there to be found by an attempt that begins again.
    pub mended: Vec<Publication>,
    /// Whether a manifest is not what was written.
    pub is_manifest_altered: bool,
    /// Whether any of that is so in the tree that is not to be written to.
    pub is_other_unsound: bool,
}

/// The trees of a company.
#[derive(Debug, Clone)]
pub struct Trees {
    folder: PathBuf,
    name: String,
    manifest: &'static str,
    guest: Option<&'static str>,
    /// Who writes to them; None for who needs no turn.
    turn: Option<Arc<str>>,
}

impl Trees {
    /// The trees of a company below the publish root, whose folder is called as the company's.
    pub fn of(root: &Path, kind: ContextKind, company_root: &str) -> Result<Self, TreeError> {
        let trees = Self::new(root.join(published::folder(kind)), company_root, published::manifest(kind))?;
        Ok(Self { guest: published::guest(kind), ..trees })
    }

    /// `folder` holds the trees of all companies; `manifest` is the name of the manifest in each.
    fn new(folder: PathBuf, name: &str, manifest: &'static str) -> Result<Self, TreeError> {
        if is_plain(name) {
            Ok(Self { folder, name: name.to_owned(), manifest, guest: None, turn: None })
        } else {
            Err(TreeError::BadName(name.to_owned()))
        }
    }

    /// Where the trees of all companies are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The same for an attempt, which is named as no other is.
    pub fn in_turn(self, attempt: &str) -> Self {
        Self { turn: Some(attempt.into()), ..self }
    }

    /// Begins the turn of this attempt, and ends that of any other.
    pub fn take_turn(&self, stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
        fs::create_dir_all(&self.folder).map_err(doing("make the folder", &self.folder))?;
        let (mut lock, path) = (self.lock(stop)?, self.hidden("lock"));
        // Who comes late would end the turn of its successor.
        if stop() {
            return Err(TreeError::Stopped);
        }
        let turn = self.turn.as_deref().unwrap_or_default();
        let written = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(turn.as_bytes()));
        written.map_err(doing("write", &path))
    }

    /// The lock, for the attempt whose turn it is.
    fn lock_in_turn(&self, stop: &dyn Fn() -> bool) -> Result<File, TreeError> {
        /// No name of an attempt is longer.
        const LONGEST: u64 = 200;
        let (lock, path) = (self.lock(stop)?, self.hidden("lock"));
        let Some(turn) = self.turn.as_deref() else { return Ok(lock) };
        let mut found = String::new();
        (&lock).take(LONGEST).read_to_string(&mut found).map_err(doing("read", &path))?;
        if found == turn { Ok(lock) } else { Err(TreeError::Passed { path: self.link() }) }
    }

    /// What readers open.
    pub fn link(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    pub fn tree(&self, side: Side) -> PathBuf {
        self.hidden(side.letter())
    }

    fn hidden(&self, ending: &str) -> PathBuf {
        published::hidden(&self.folder, &self.name, ending)
    }

    /// The tree that readers see. The link itself is what counts, whatever the database has heard of it.
    pub fn live(&self) -> Result<Option<Side>, TreeError> {
        let link = self.link();
        match fs::read_link(&link) {
            Ok(target) => {
                let side =
                    Side::ALL.iter().copied().find(|side| self.tree(*side).file_name() == Some(target.as_os_str()));
                side.map(Some).ok_or(TreeError::NotOurs { path: link })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(TreeError::NotOurs { path: link }),
            Err(error) => Err(doing("read the link", &link)(error)),
        }
    }

    /// The totals of the last publish that the tree holds in full.
    pub fn totals(&self, side: Side) -> Result<Option<Totals>, TreeError> {
        let tree = self.tree(side);
        Manifest::of(&tree, self.manifest).totals().map_err(doing("read the manifest in", &tree))
    }

    /// What the manifests of both trees are closed with, where the database knows of publishes up to this one.
    pub fn newest(&self, known: i64) -> Result<Newest, TreeError> {
        let (folder, company) = (self.folder.clone(), self.name.clone());
        let site = Site { folder, company, manifest: self.manifest, known };
        site.newest_of_any().map_err(doing("read the manifests of", &self.link()))
    }

    /// Links that somebody put in the place of folders which these files lie in: what is written there would go elsewhere.
    pub fn links_instead_of_folders(&self, side: Side, rows: &[Publication]) -> Vec<String> {
        let tree = self.tree(side);
        let folders: BTreeSet<&Path> =
            rows.iter().flat_map(|row| Path::new(&row.file_name).ancestors().skip(1)).collect();
        let is_link = |folder: &&Path| !folder.as_os_str().is_empty() && tree.join(folder).is_symlink();
        // One in the place of the tree itself is removed with all that it seemed to hold.
        let itself = tree.is_symlink().then(|| tree.display().to_string());
        let inside = folders.into_iter().filter(is_link).map(|folder| folder.display().to_string());
        itself.into_iter().chain(inside).collect()
    }

    /// Brings a content from the blobs to the disk of the trees, where [`Trees::stage`] finds it. It is not there if it is
    /// not what was stored.
    pub fn bring(&self, blobs: &Blobs, blob: &str, stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let (tray, path) = (self.tray(), self.brought(blob));
        if path.is_file() {
            return Ok(());
        }
        fs::create_dir_all(&tray).map_err(doing("make the folder", &tray))?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let draft = tray.join(format!("{}-{number}~", std::process::id()));
        remove_file(&draft)?;
        blobs.hand_out(blob, &draft, stop)?;
        fs::rename(&draft, &path).map_err(doing("write", &path))
    }

    fn tray(&self) -> PathBuf {
        self.hidden("in")
    }

    /// What is there is whole.
    fn brought(&self, blob: &str) -> PathBuf {
        self.tray().join(blob)
    }

    /// Removes what was brought and is not needed any more.
    pub fn clear_tray(&self, stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
        if !self.folder.is_dir() {
            return Ok(());
        }
        let _lock = self.lock_in_turn(stop)?;
        let tray = self.tray();
        match fs::remove_dir_all(&tray) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(doing("remove", &tray)(error)),
            _ => Ok(()),
        }
    }

    /// Removes what was brought, and what was being brought, but for these contents. Whether anything went.
    pub fn keep_in_tray(&self, wanted: &HashSet<String>, stop: &dyn Fn() -> bool) -> Result<bool, TreeError> {
        let _lock = self.lock_in_turn(stop)?;
        let (tray, mut is_any_gone) = (self.tray(), false);
        if !tray.is_dir() {
            return Ok(false);
        }
        for entry in fs::read_dir(&tray).map_err(doing("list", &tray))? {
            let entry = entry.map_err(doing("list", &tray))?;
            if !wanted.contains(&*entry.file_name().to_string_lossy()) {
                remove_file(&entry.path())?;
                is_any_gone = true;
            }
        }
        Ok(is_any_gone)
    }

    /// Makes a tree what it shall become. Nobody may be reading it.
    pub fn stage(
        &self,
        side: Side,
        blobs: &Blobs,
        target: &Target,
        stop: &dyn Fn() -> bool,
    ) -> Result<Staged, TreeError> {
        fs::create_dir_all(&self.folder).map_err(doing("make the folder", &self.folder))?;
        let _lock = self.lock_in_turn(stop)?;
        let tree = self.tree(side);
        // What was found out before it had the lock may be true no more.
        if self.live()? == Some(side) {
            return Err(TreeError::Live { path: tree });
        }
        if stop() {
            return Err(TreeError::Stopped);
        }
        if tree.is_symlink() {
            remove_file(&tree)?;
        }
        fs::create_dir_all(&tree).map_err(doing("make the folder", &tree))?;
        let mut touched = Touched::new(&tree);
        let mut extras = self.extras();
        let altered = self.altered(side, &mut extras, matches!(target.search, Search::Write(_)));
        let mut staged = Staged { altered, ..Staged::default() };
        if target.in_full {
            self.sweep(&tree, target, &mut touched, stop)?;
        }
        let mut staging =
            Staging { trees: self, side, blobs, target, stop, placed: HashMap::new(), filled: HashSet::new() };
        // First what leaves: a folder may come in the place of a file.
        let (leaving, staying): (Vec<&Publication>, Vec<_>) = target.rows.iter().partition(|row| !row.present);
        for row in leaving.into_iter().chain(staying) {
            if stop() {
                return Err(TreeError::Stopped);
            }
            staging.place(row, &mut touched, &mut staged)?;
        }
        staging.look_at_links(&mut staged)?;
        self.place_search(&tree, side, &target.search, &mut extras)?;
        if let Some(guest) = self.guest {
            self.hand_on(&tree, side, guest)?;
        }
        self.write_manifest(&tree, target, &staged)?;
        touched.sync()?;
        blobs::sync_folder(&self.folder)?;
        Ok(staged)
    }

    /// Names what the tree has, and nothing else.
    fn write_manifest(&self, tree: &Path, target: &Target, staged: &Staged) -> Result<(), TreeError> {
        let refused: HashSet<&str> = staged.refused.iter().map(|(row, _)| row.file_name.as_str()).collect();
        let manifest = Manifest::of(tree, self.manifest);
        let closing = Closing { publish: target.seq, run: Some(target.run), at: &target.at };
        let written = match (&target.compact, target.in_full) {
            (Some(all), _) => manifest.write(entries_without(all, &refused), closing),
            (None, true) => manifest.write(entries_without(&target.rows, &refused), closing),
            (None, false) => {
                let files = target.files - refused.len() as i64;
                manifest.append(entries_without(&target.rows, &refused), files, closing)
            }
        };
        written.map_err(doing("write the manifest in", tree))
    }

    /// Looks what somebody else has done to both trees, before the one is made in full and all that goes.
    pub fn meddling(
        &self,
        side: Side,
        blobs: &Blobs,
        target: &Target,
        stop: &dyn Fn() -> bool,
    ) -> Result<Meddling, TreeError> {
        if !self.folder.is_dir() {
            return Ok(Meddling::default());
        }
        let _lock = self.lock_in_turn(stop)?;
        let mut strangers = self.strangers(side.other(), target.held_by_other, target, stop)?;
        let is_other_altered = !self.is_manifest_right(side.other(), target.held_by_other, target)?;
        let is_other_unsound = is_other_altered || !strangers.is_empty();
        strangers.extend(self.strangers(side, target.held, target, stop)?);
        strangers.sort_unstable();
        strangers.dedup();
        let is_manifest_altered = is_other_altered || !self.is_manifest_right(side, target.held, target)?;
        let mended = self.mended(side, blobs, target, stop)?;
        let mut unknown = Vec::new();
        if target.held_by_other == 0 && self.live()? == Some(side.other()) {
            unknown = self.outside_of(side.other(), target, &|name| target.leaving.contains_key(name), stop)?;
            unknown.sort_unstable();
        }
        Ok(Meddling { strangers, unknown, mended, is_manifest_altered, is_other_unsound })
    }

    /// What the tree should hold and does not, while the other one does or was not to.
    fn mended(
        &self,
        side: Side,
        blobs: &Blobs,
        target: &Target,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Publication>, TreeError> {
        let (tree, other, mut mended) = (self.tree(side), self.tree(side.other()), Vec::new());
        if tree.is_symlink() || !tree.is_dir() {
            return Ok(mended);
        }
        // A link to the blob is what earlier versions made; the content is right.
        let is_wrong = |path: &Path, row: &Publication| -> Result<bool, TreeError> {
            Ok(matches!(staging::look(blobs, path, row, stop)?, Look::Nothing | Look::Changed))
        };
        for row in target.rows.iter().filter(|row| row.present && !row.blob.is_empty() && row.seq <= target.held) {
            if stop() {
                return Err(TreeError::Stopped);
            }
            let (path, twin) = (tree.join(&row.file_name), other.join(&row.file_name));
            let has_twin = row.seq <= target.held_by_other;
            if has_twin && is_same_file(&path, &twin) {
                continue;
            }
            if is_wrong(&path, row)? && !(has_twin && is_wrong(&twin, row)?) {
                mended.push(row.clone());
            }
        }
        Ok(mended)
    }

    /// Whether the manifest of a tree that holds a publish says of all rows up to it what they say.
    fn is_manifest_right(&self, side: Side, held: i64, target: &Target) -> Result<bool, TreeError> {
        let tree = self.tree(side);
        if held == 0 || !tree.is_dir() {
            return Ok(true);
        }
        let reading = Manifest::of(&tree, self.manifest).read().map_err(doing("read the manifest in", &tree))?;
        let later: HashSet<&str> =
            target.rows.iter().filter(|row| row.seq > held).map(|row| row.file_name.as_str()).collect();
        let is_open = |name: &str| later.contains(name) || target.may_have(name, held);
        // What readers see was finished.
        let may_break_off = self.live()? != Some(side);
        Ok(reading.agrees(entries(&target.rows), is_open, &target.publishes_since(held), may_break_off))
    }

    /// Whether the files of these rows, and a manifest closed with one of these publishes, are all as they were when they were
    /// last found to be right. No file is read.
    pub fn is_untouched(
        &self,
        side: Side,
        publishes: &RangeInclusive<i64>,
        rows: &[Publication],
        closeness: Closeness,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, TreeError> {
        let tree = self.tree(side);
        let manifest = Manifest::of(&tree, self.manifest);
        if !manifest.is_untouched(publishes).map_err(doing("look at the manifest in", &tree))? {
            return Ok(false);
        }
        // Each file has one stamp, though it is a copy in each tree where there can be no links.
        let mut has_links = None;
        for row in rows.iter().filter(|row| row.present && !row.blob.is_empty()) {
            if stop() {
                return Err(TreeError::Stopped);
            }
            let found = Stamp::at(&tree.join(&row.file_name)).ok();
            let is_same = match (found, &row.stamp, closeness) {
                (None, ..) => false,
                (Some(found), Some(kept), Closeness::SizeAndTime) => found.resembles(kept),
                // It was published by a version that kept no stamps.
                (Some(_), None, Closeness::SizeAndTime) => true,
                (Some(found), kept, Closeness::Stamp) => {
                    let is_kept = Some(found.to_string()) == *kept;
                    is_kept
                        || self.live()? != Some(side)
                            && kept.as_ref().is_some_and(|kept| found.resembles(kept))
                            && !*has_links.get_or_insert_with(|| self.has_links())
                }
            };
            if !is_same {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the file system of the trees has links to files.
    fn has_links(&self) -> bool {
        let (lock, link) = (self.hidden("lock"), self.hidden("link"));
        let is_linked = remove_file(&link).is_ok() && fs::hard_link(&lock, &link).is_ok();
        // One that stays is removed by the next look.
        is_linked && remove_file(&link).is_ok()
    }

    /// Removes everything from a tree that is no published file, by its name and by what it is.
    fn sweep(
        &self,
        tree: &Path,
        target: &Target,
        touched: &mut Touched<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), TreeError> {
        let named = Named::of(&target.rows);
        walk(tree, stop, &mut |path, name, found| {
            if found.is_dir() && named.folders.contains(name) {
                return Ok(true);
            }
            if found.is_file() && named.files.contains(name) {
                return Ok(false);
            }
            touched.folders.extend(path.parent().map(Path::to_owned));
            if found.is_dir() {
                fs::remove_dir_all(path).map_err(doing("remove", path))?;
            } else {
                remove_file(path)?;
            }
            Ok(false)
        })
    }

    /// What a tree that holds a publish has, and that neither is published nor was when it was written.
    fn strangers(
        &self,
        side: Side,
        held: i64,
        target: &Target,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, TreeError> {
        if held == 0 {
            return Ok(Vec::new());
        }
        self.outside_of(side, target, &|name| target.may_have(name, held), stop)
    }

    /// Files of a tree that no row names, but for those that it may still have.
    fn outside_of(
        &self,
        side: Side,
        target: &Target,
        may_have: &dyn Fn(&str) -> bool,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<String>, TreeError> {
        let (tree, named, mut found_outside) = (self.tree(side), Named::of(&target.rows), Vec::new());
        if tree.is_symlink() || !tree.is_dir() {
            return Ok(found_outside);
        }
        walk(&tree, stop, &mut |_, name, found| {
            if found.is_dir() {
                return Ok(true);
            }
            let is_ours = published::is_ours(name, self.manifest, self.guest);
            if !is_ours && !named.files.contains(name) && !may_have(name) {
                found_outside.push(name.to_owned());
            }
            Ok::<_, TreeError>(false)
        })?;
        Ok(found_outside)
    }

    /// Parts both trees from whoever else has links to their files: see [`published::part`].
    pub fn part(&self, stop: &dyn Fn() -> bool) -> Result<Parted, TreeError> {
        if !self.folder.is_dir() {
            return Ok(Parted::default());
        }
        let _lock = self.lock_in_turn(stop)?;
        Ok(published::part([&self.tree(Side::A), &self.tree(Side::B)], stop)?)
    }

    /// Names come from assets and folders, whose names are cleaned; here it is made sure once more that none leads
    /// elsewhere.
    fn file_path(&self, tree: &Path, file_name: &str) -> Result<PathBuf, TreeError> {
        if file_name.split('/').all(is_plain) && file_name != self.manifest && Some(file_name) != self.guest {
            Ok(tree.join(file_name))
        } else {
            Err(TreeError::BadName(file_name.to_owned()))
        }
    }

    /// Shows readers a tree, all of it at once.
    pub fn switch(&self, side: Side, stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
        let _lock = self.lock_in_turn(stop)?;
        self.live()?;
        if stop() {
            return Err(TreeError::Stopped);
        }
        let (next, link) = (self.hidden("next"), self.link());
        remove_file(&next)?;
        let tree = self.tree(side);
        symlink(tree.file_name().unwrap_or_default(), &next).map_err(doing("make the link", &next))?;
        fs::rename(&next, &link).map_err(doing("switch the link", &link))?;
        Ok(blobs::sync_folder(&self.folder)?)
    }

    /// Whoever waits here keeps a place that other work waits for, and so neither for ever nor for nobody.
    fn lock(&self, stop: &dyn Fn() -> bool) -> Result<File, TreeError> {
        let path = self.hidden("lock");
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(doing("open the lock", &path))?;
        for _ in 0..LOCK_TRIES {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(Errno::WOULDBLOCK | Errno::INTR) if stop() => return Err(TreeError::Stopped),
                Err(Errno::WOULDBLOCK | Errno::INTR) => std::thread::sleep(LOCK_PAUSE),
                Err(error) => return Err(doing("take the lock", &path)(error.into())),
            }
        }
        Err(TreeError::Locked { path })
    }

    /// A file without a name, on the disk of the trees.
    pub fn scratch(&self) -> Result<File, TreeError> {
        fs::create_dir_all(&self.folder).map_err(doing("make the folder", &self.folder))?;
        tempfile::tempfile_in(&self.folder).map_err(doing("make a file below", &self.folder))
    }

    fn place_search(&self, tree: &Path, side: Side, search: &Search, extras: &mut Extras) -> Result<(), TreeError> {
        match search {
            Search::Write(lines) => {
                let mut lines = &**lines;
                lines.rewind().map_err(doing("read the search data for", &tree.join(SEARCH)))?;
                self.write_extra(tree, SEARCH, lines, extras)
            }
            Search::Keep => self.hand_on(tree, side, SEARCH),
        }
    }

    /// Gives a tree the file that the other one has.
    fn hand_on(&self, tree: &Path, side: Side, name: &str) -> Result<(), TreeError> {
        let (current, path, temporary) = (self.tree(side.other()).join(name), tree.join(name), tree.join(TEMPORARY));
        if !fs::symlink_metadata(&current).is_ok_and(|found| found.is_file()) || is_same_file(&current, &path) {
            return Ok(());
        }
        Ok(published::replace_by_link(&current, &temporary, &path)?)
    }

    /// Puts the guest into both trees, so that no switch takes it back.
    pub fn place_guest(&self, name: &str, text: &str, stop: &dyn Fn() -> bool) -> Result<Placed, TreeError> {
        if !self.folder.is_dir() {
            return Ok(Placed::NoTree);
        }
        let _lock = self.lock(stop)?;
        let Some(live) = self.live()? else { return Ok(Placed::NoTree) };
        let mut extras = self.extras();
        let is_altered = self.is_altered(&extras, name);
        for tree in [live.other(), live].map(|side| self.tree(side)).into_iter().filter(|tree| tree.is_dir()) {
            self.write_extra(&tree, name, text.as_bytes(), &mut extras)?;
            blobs::sync_folder(&tree)?;
        }
        Ok(if is_altered { Placed::OverAnother } else { Placed::Done })
    }

    /// Whether readers see a guest with this text.
    pub fn has_guest(&self, name: &str, text: &str) -> Result<bool, TreeError> {
        let path = self.link().join(name);
        // What somebody put in its place may be of any size, or no file.
        let is_like =
            fs::symlink_metadata(&path).is_ok_and(|found| found.is_file() && found.len() == text.len() as u64);
        Ok(is_like && fs::read(&path).map_err(doing("read", &path))? == text.as_bytes())
    }
}

/// What came of placing the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    Done,
    /// Somebody else had changed the one that was there.
    OverAnother,
    /// There is no tree that readers see.
    NoTree,
}

fn entries(rows: &[Publication]) -> impl Iterator<Item = Entry<'_>> {
    rows.iter().map(Publication::entry)
}

/// The same without the files that were refused.
fn entries_without<'a>(rows: &'a [Publication], refused: &'a HashSet<&str>) -> impl Iterator<Item = Entry<'a>> {
    rows.iter().map(|row| {
        let entry = row.entry();
        if refused.contains(row.file_name.as_str()) { Entry { file: None, ..entry } } else { entry }
    })
}

/// The names of published files, and of the folders that they lie in.
struct Named<'a> {
    files: HashSet<&'a str>,
    folders: HashSet<&'a str>,
}

impl<'a> Named<'a> {
    fn of(rows: &'a [Publication]) -> Self {
        let files: HashSet<&str> =
            rows.iter().filter(|row| row.present && !row.blob.is_empty()).map(|row| row.file_name.as_str()).collect();
        let above = |name: &&'a str| {
            std::iter::successors(name.rsplit_once('/'), |(folder, _)| folder.rsplit_once('/'))
                .map(|(folder, _)| folder)
        };
        let folders = files.iter().flat_map(above).collect();
        Self { files, folders }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::collections::BTreeMap;

    use chrono::DateTime;

    use super::*;
    use crate::model::id::AssetId;
    use crate::model::log::FileType;

    const MANIFEST: &str = "manifest.jsonl";

    struct World {
        folder: tempfile::TempDir,
        blobs: Blobs,
        trees: Trees,
    }

    fn world() -> World {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs")).unwrap();
        let trees = Trees::new(folder.path().join("publish"), "Acme", MANIFEST).unwrap();
        World { folder, blobs, trees }
    }

    impl World {
        fn row(&self, file_name: &str, text: &str) -> Publication {
            let blob = self.blobs.store(&mut text.as_bytes(), u64::MAX, &|| false).unwrap();
            Publication {
                file_name: file_name.to_owned(),
                asset: AssetId(1),
                asset_name: "mug".to_owned(),
                file_type: FileType::NoType,
                blob: blob.id,
                bytes: blob.bytes,
                detail: None,
                present: true,
                seq: 1,
                stamp: None,
                published_at: DateTime::UNIX_EPOCH,
            }
        }

        fn stage(&self, seq: i64, rows: &[Publication], stop: &dyn Fn() -> bool) -> Result<Staged, TreeError> {
            let target = Target {
                seq,
                rows: rows.to_vec(),
                in_full: seq == 1,
                held: 0,
                held_by_other: 0,
                leaving: HashMap::new(),
                compact: None,
                files: 3,
                search: Search::Keep,
                run: 1,
                at: "now".into(),
            };
            self.trees.stage(Side::A, &self.blobs, &target, stop)
        }

        fn texts(&self) -> BTreeMap<String, String> {
            let read = |entry: io::Result<fs::DirEntry>| {
                let path = entry.unwrap().path();
                let text = fs::read_to_string(&path).ok()?;
                Some((path.file_name().unwrap().to_string_lossy().into_owned(), text))
            };
            let tree = self.trees.tree(Side::A);
            let content = fs::read_dir(tree.join("content")).into_iter().flatten();
            fs::read_dir(&tree).unwrap().chain(content).filter_map(read).collect()
        }
    }

    #[test]
    fn staging_that_stops_anywhere_is_taken_up_again() {
        let first = |world: &World| ["a.tif", "b.tif", "content/c.pdf"].map(|name| world.row(name, name));
        let second = |world: &World| {
            let gone = Publication { present: false, ..world.row("b.tif", "b.tif") };
            [world.row("a.tif", "another"), gone, world.row("d.tif", "d.tif")]
        };
        let undisturbed = world();
        undisturbed.stage(1, &first(&undisturbed), &|| false).unwrap();
        undisturbed.stage(2, &second(&undisturbed), &|| false).unwrap();
        let mut world = world();
        // What is asked now and then whether to stop, is asked more often than this nowhere.
        const MOST: usize = 24;
        let ends = (0..MOST).map(|steps| (steps, MOST)).chain((0..MOST).map(|steps| (MOST, steps)));
        for (steps_of_first, steps_of_second) in ends {
            let of_its_own = world.folder.path().join(format!("{steps_of_first}-{steps_of_second}"));
            world.trees = Trees::new(of_its_own, "Acme", MANIFEST).unwrap();
            let stopping_after = |steps: usize| {
                let left = Cell::new(steps);
                move || left.replace(left.get().saturating_sub(1)) == 0
            };
            let stopped = world.stage(1, &first(&world), &stopping_after(steps_of_first));
            assert!(stopped.is_err() || steps_of_first >= 3, "it asks for each file");
            assert!(stopped.is_ok() || steps_of_first < MOST);
            world.stage(1, &first(&world), &|| false).unwrap();
            let _ = world.stage(2, &second(&world), &stopping_after(steps_of_second));
            world.stage(2, &second(&world), &|| false).unwrap();
            let texts = world.texts();
            assert_eq!(texts["a.tif"], "another");
            let names: Vec<_> = texts.keys().collect();
            assert_eq!(names, undisturbed.texts().keys().collect::<Vec<_>>());
            assert_eq!(world.trees.totals(Side::A).unwrap().unwrap().publish, 2);
        }
    }

    #[test]
    fn the_link_is_always_one_of_the_trees() {
        let world = world();
        assert_eq!(world.trees.live().unwrap(), None);
        world.stage(1, &[world.row("a.tif", "a")], &|| false).unwrap();
        // A switch that broke off between its two steps.
        symlink(".Acme.b", world.trees.hidden("next")).unwrap();
        world.trees.switch(Side::A, &|| false).unwrap();
        assert_eq!(world.trees.live().unwrap(), Some(Side::A));
        assert_eq!(fs::read_to_string(world.trees.link().join("a.tif")).unwrap(), "a");
        fs::remove_file(world.trees.link()).unwrap();
        symlink("/etc", world.trees.link()).unwrap();
        assert!(matches!(world.trees.live(), Err(TreeError::NotOurs { .. })));
        assert!(matches!(world.trees.switch(Side::A, &|| false), Err(TreeError::NotOurs { .. })));
    }

    #[test]
    fn who_has_a_successor_touches_nothing_any_more() {
        let mut world = world();
        let all = world.trees.clone();
        let (first, second) = (all.clone().in_turn("run 1, attempt 1"), all.in_turn("run 2, attempt 1"));
        world.trees = first.clone();
        first.take_turn(&|| false).unwrap();
        world.stage(1, &[world.row("a.tif", "a")], &|| false).unwrap();
        // The first was told to leave off, and stands before the lock with all that it was to do.
        second.take_turn(&|| false).unwrap();
        let is_passed = |tried: Result<(), TreeError>| matches!(tried, Err(TreeError::Passed { .. }));
        assert!(is_passed(first.switch(Side::A, &|| false)));
        assert!(is_passed(world.stage(2, &[world.row("b.tif", "b")], &|| false).map(drop)));
        assert!(is_passed(first.clear_tray(&|| false)));
        assert!(is_passed(first.part(&|| false).map(drop)));
        assert_eq!(first.live().unwrap(), None);
        assert!(!world.texts().contains_key("b.tif"));
        world.trees = second.clone();
        world.stage(2, &[world.row("b.tif", "b")], &|| false).unwrap();
        second.switch(Side::A, &|| false).unwrap();
        assert_eq!(second.live().unwrap(), Some(Side::A));
        // An earlier attempt of the same run is another one as well.
        let again = second.clone().in_turn("run 2, attempt 2");
        again.take_turn(&|| false).unwrap();
        assert!(is_passed(second.switch(Side::A, &|| false)));
    }

    /// Another process, as a backup or a script, that does not let go.
    #[test]
    fn who_waits_for_the_lock_asks_whether_to_stop() {
        let world = world();
        world.trees.take_turn(&|| false).unwrap();
        let held = File::open(world.trees.hidden("lock")).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let asked = Cell::new(0);
        let stopped = world.trees.take_turn(&|| asked.replace(asked.get() + 1) == 2);
        assert!(matches!(stopped, Err(TreeError::Stopped)), "{stopped:?}");
        drop(held);
        world.trees.take_turn(&|| false).unwrap();
    }

    #[test]
    fn what_readers_see_is_not_written_to() {
        let world = world();
        world.stage(1, &[world.row("a.tif", "a")], &|| false).unwrap();
        assert!(matches!(world.trees.switch(Side::A, &|| true), Err(TreeError::Stopped)));
        assert_eq!(world.trees.live().unwrap(), None, "nobody waits for the switch any more");
        world.trees.switch(Side::A, &|| false).unwrap();
        let before = world.texts();
        let staged = world.stage(2, &[world.row("a.tif", "another")], &|| false);
        assert!(matches!(staged, Err(TreeError::Live { .. })), "{staged:?}");
        assert_eq!(world.texts(), before);
    }

    #[test]
    fn no_name_leads_out_of_a_tree() {
        let world = world();
        for name in
            ["../x.tif", "/etc/passwd", "content/../../x", "content/", "content/.new", ".new", "manifest.jsonl", ""]
        {
            let refused = world.stage(1, &[world.row(name, "x")], &|| false);
            assert!(matches!(refused, Err(TreeError::BadName(_))), "{name}");
        }
        for name in ["", ".", "..", "a/b", ".hidden"] {
            assert!(Trees::new("publish".into(), name, MANIFEST).is_err(), "{name}");
        }
    }
}
