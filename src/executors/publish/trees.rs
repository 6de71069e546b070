//! The files of a company in a context: two trees, and a link that says which of them readers see.
//!
//! ```text
//! publish/image-serving/Acme -> .Acme.a      what readers open
//! publish/image-serving/.Acme.a/             live:    mug.tif, content/guide.pdf, manifest.jsonl, search.jsonl
//! publish/image-serving/.Acme.b/             standby: brought up to date, then switched to
//! ```
//!
//! Published files are hard links to blobs (copies, where the trees lie in another file system). Whatever is done here
//! can be done again after it broke off anywhere. A lock keeps a worker that nobody waits for any more, but has not
//! noticed yet, apart from the one that came after it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::manifest::{Manifest, Totals};
use crate::assets::blobs::{self, BlobError, Blobs};
use crate::store::publishing::{Publication, Side};

const SEARCH: &str = "search.jsonl";

#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    #[error("\"{0}\" is no name for a folder of published files")]
    BadName(String),
    #[error("{path} is not the link that publishing makes there; move it away, and publish again")]
    NotOurs { path: PathBuf },
    #[error("stopped before the new publish was complete")]
    Stopped,
    #[error("cannot {doing} {path}: {source}")]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(transparent)]
    Blob(#[from] BlobError),
}

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
    /// Rows that changed since what it holds; all of them for a tree that begins with nothing.
    pub rows: Vec<Publication>,
    pub from_nothing: bool,
    /// All rows, if the manifest is to be written anew.
    pub compact: Option<Vec<Publication>>,
    /// Files it then has.
    pub files: i64,
    pub search: Search,
    pub at: String,
}

/// The trees of a company.
#[derive(Debug, Clone)]
pub struct Trees {
    folder: PathBuf,
    name: String,
    manifest: &'static str,
    guest: Option<&'static str>,
}

impl Trees {
    /// `folder` holds the trees of all companies; `manifest` is the name of the manifest in each.
    pub fn new(folder: PathBuf, name: &str, manifest: &'static str) -> Result<Self, TreeError> {
        if is_plain(name) {
            Ok(Self { folder, name: name.to_owned(), manifest, guest: None })
        } else {
            Err(TreeError::BadName(name.to_owned()))
        }
    }

    /// `guest` is the name of a file that another job puts into the trees.
    pub const fn with_guest(mut self, guest: Option<&'static str>) -> Self {
        self.guest = guest;
        self
    }

    /// What readers open.
    pub fn link(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    pub fn tree(&self, side: Side) -> PathBuf {
        self.hidden(side.letter())
    }

    fn hidden(&self, ending: &str) -> PathBuf {
        self.folder.join(format!(".{}.{ending}", self.name))
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

    /// Makes a tree what it shall become. Nobody may be reading it.
    pub fn stage(&self, side: Side, blobs: &Blobs, target: &Target, stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
        fs::create_dir_all(&self.folder).map_err(doing("make the folder", &self.folder))?;
        let _lock = self.lock()?;
        let tree = self.tree(side);
        if target.from_nothing && tree.exists() {
            fs::remove_dir_all(&tree).map_err(doing("remove", &tree))?;
        }
        fs::create_dir_all(&tree).map_err(doing("make the folder", &tree))?;
        let mut touched = Touched::new(&tree);
        // First what leaves: a folder may come in the place of a file.
        let (leaving, staying): (Vec<&Publication>, Vec<_>) = target.rows.iter().partition(|row| !row.present);
        for row in leaving.into_iter().chain(staying) {
            if stop() {
                return Err(TreeError::Stopped);
            }
            self.place(&tree, blobs, row, &mut touched)?;
        }
        self.place_search(&tree, side, &target.search)?;
        if let Some(guest) = self.guest {
            self.hand_on(&tree, side, guest)?;
        }
        let manifest = Manifest::of(&tree, self.manifest);
        let written = match &target.compact {
            Some(all) => manifest.write(all, target.seq, &target.at),
            None if target.from_nothing => manifest.write(&target.rows, target.seq, &target.at),
            None => manifest.append(&target.rows, target.seq, target.files, &target.at),
        };
        written.map_err(doing("write the manifest in", &tree))?;
        touched.sync()?;
        Ok(blobs::sync_folder(&self.folder)?)
    }

    /// Puts a file in the tree, or takes it out.
    fn place(&self, tree: &Path, blobs: &Blobs, row: &Publication, touched: &mut Touched) -> Result<(), TreeError> {
        if row.blob.is_empty() {
            return Ok(());
        }
        let path = self.file_path(tree, &row.file_name)?;
        if !row.present {
            remove_file(&path)?;
            return touched.emptied(&path);
        }
        if is_same_file(&blobs.path(&row.blob)?, &path) {
            return Ok(());
        }
        touched.filled(&path)?;
        let temporary = tree.join(TEMPORARY);
        remove_file(&temporary)?;
        blobs.hand_out(&row.blob, &temporary)?;
        fs::rename(&temporary, &path).map_err(doing("write", &path))
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
    pub fn switch(&self, side: Side) -> Result<(), TreeError> {
        let _lock = self.lock()?;
        self.live()?;
        let (next, link) = (self.hidden("next"), self.link());
        remove_file(&next)?;
        let tree = self.tree(side);
        symlink(tree.file_name().unwrap_or_default(), &next).map_err(doing("make the link", &next))?;
        fs::rename(&next, &link).map_err(doing("switch the link", &link))?;
        Ok(blobs::sync_folder(&self.folder)?)
    }

    fn lock(&self) -> Result<File, TreeError> {
        let path = self.hidden("lock");
        let file = File::options().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(doing("open the lock", &path))?;
        flock(&file, FlockOperation::LockExclusive).map_err(|error| doing("take the lock", &path)(error.into()))?;
        Ok(file)
    }

    /// A file without a name, on the disk of the trees.
    pub fn scratch(&self) -> Result<File, TreeError> {
        fs::create_dir_all(&self.folder).map_err(doing("make the folder", &self.folder))?;
        tempfile::tempfile_in(&self.folder).map_err(doing("make a file below", &self.folder))
    }

    fn place_search(&self, tree: &Path, side: Side, search: &Search) -> Result<(), TreeError> {
        match search {
            Search::Write(lines) => {
                let mut lines = &**lines;
                lines.rewind().map_err(doing("read the search data for", &tree.join(SEARCH)))?;
                write(tree, SEARCH, lines)
            }
            Search::Keep => self.hand_on(tree, side, SEARCH),
        }
    }

    /// Gives a tree the file that the other one has.
    fn hand_on(&self, tree: &Path, side: Side, name: &str) -> Result<(), TreeError> {
        let (current, path, temporary) = (self.tree(side.other()).join(name), tree.join(name), tree.join(TEMPORARY));
        if !current.exists() || is_same_file(&current, &path) {
            return Ok(());
        }
        remove_file(&temporary)?;
        fs::hard_link(&current, &temporary).map_err(doing("link", &temporary))?;
        fs::rename(&temporary, &path).map_err(doing("write", &path))
    }

    /// Puts the guest into both trees, so that no switch takes it back. False without a tree that readers see.
    pub fn place_guest(&self, name: &str, text: &str) -> Result<bool, TreeError> {
        let Some(live) = self.live()? else { return Ok(false) };
        let _lock = self.lock()?;
        for tree in [live.other(), live].map(|side| self.tree(side)).into_iter().filter(|tree| tree.is_dir()) {
            write(&tree, name, text.as_bytes())?;
            blobs::sync_folder(&tree)?;
        }
        Ok(true)
    }

    /// The guest as readers see it; None if there is none.
    pub fn guest(&self, name: &str) -> Result<Option<String>, TreeError> {
        let path = self.link().join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(doing("read", &path)(error)),
        }
    }
}

/// No published file begins with a dot.
const TEMPORARY: &str = ".new";

/// Folders of a tree that something was changed in, to be made to survive a power cut.
struct Touched<'a> {
    tree: &'a Path,
    folders: BTreeSet<PathBuf>,
}

impl<'a> Touched<'a> {
    fn new(tree: &'a Path) -> Self {
        Self { tree, folders: BTreeSet::from([tree.to_owned()]) }
    }

    /// A file is about to be put at `path`.
    fn filled(&mut self, path: &Path) -> Result<(), TreeError> {
        let Some(folder) = path.parent().filter(|folder| !self.folders.contains(*folder)) else { return Ok(()) };
        fs::create_dir_all(folder).map_err(doing("make the folder", folder))?;
        let inside = folder.ancestors().take_while(|folder| *folder != self.tree);
        self.folders.extend(inside.map(Path::to_owned));
        Ok(())
    }

    /// The file at `path` is gone; folders that nothing is left in go with it.
    fn emptied(&mut self, path: &Path) -> Result<(), TreeError> {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.tree) {
            match fs::remove_dir(folder) {
                Ok(()) => self.folders.remove(folder),
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                    self.folders.insert(folder.to_owned());
                    break;
                }
                Err(error) => return Err(doing("remove the folder", folder)(error)),
            };
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), TreeError> {
        Ok(self.folders.iter().try_for_each(|folder| blobs::sync_folder(folder))?)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
}

/// Writes a file of a tree, all of it at once.
fn write(tree: &Path, name: &str, mut content: impl Read) -> Result<(), TreeError> {
    let (path, temporary) = (tree.join(name), tree.join(TEMPORARY));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        io::copy(&mut content, &mut file)?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    })();
    written.map_err(doing("write", &path))
}

/// Removes a file, if it is there.
fn remove_file(path: &Path) -> Result<(), TreeError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(doing("remove", path)(error)),
        _ => Ok(()),
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::symlink_metadata(path).map(|found| (found.dev(), found.ino())).ok();
    identity(one).is_some_and(|one| identity(other) == Some(one))
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
                published_at: DateTime::UNIX_EPOCH,
            }
        }

        fn stage(&self, seq: i64, rows: &[Publication], stop: &dyn Fn() -> bool) -> Result<(), TreeError> {
            let target = Target {
                seq,
                rows: rows.to_vec(),
                from_nothing: seq == 1,
                compact: None,
                files: 3,
                search: Search::Keep,
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
            fs::read_dir(&tree).unwrap().chain(fs::read_dir(tree.join("content")).unwrap()).filter_map(read).collect()
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
        for (steps_of_first, steps_of_second) in (0..4).flat_map(|one| (0..4).map(move |two| (one, two))) {
            let of_its_own = world.folder.path().join(format!("{steps_of_first}{steps_of_second}"));
            world.trees = Trees::new(of_its_own, "Acme", MANIFEST).unwrap();
            let stopping_after = |steps: usize| {
                let left = Cell::new(steps);
                move || left.replace(left.get().saturating_sub(1)) == 0
            };
            let stopped = world.stage(1, &first(&world), &stopping_after(steps_of_first));
            assert_eq!(stopped.is_err(), steps_of_first < 3);
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
        world.trees.switch(Side::A).unwrap();
        assert_eq!(world.trees.live().unwrap(), Some(Side::A));
        assert_eq!(fs::read_to_string(world.trees.link().join("a.tif")).unwrap(), "a");
        fs::remove_file(world.trees.link()).unwrap();
        symlink("/etc", world.trees.link()).unwrap();
        assert!(matches!(world.trees.live(), Err(TreeError::NotOurs { .. })));
        assert!(matches!(world.trees.switch(Side::A), Err(TreeError::NotOurs { .. })));
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
