//! Puts the files of a tree where they belong, each from wherever its content already is.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Staged, Target, TreeError, Trees, doing};
use crate::assets::blobs::{self, Blobs};
use crate::assets::published::{self, Expected, Look, TEMPORARY, is_same_file, remove_file};
use crate::assets::stamp::Stamp;
use crate::store::publishing::{Publication, Seen, Side};

/// The staging of a tree.
pub(super) struct Staging<'a> {
    pub trees: &'a Trees,
    pub side: Side,
    pub blobs: &'a Blobs,
    pub target: &'a Target,
    pub stop: &'a dyn Fn() -> bool,
    /// The files that are right, by their blobs: what has the same content is the same file.
    pub placed: HashMap<&'a str, Vec<&'a Publication>>,
    /// Blobs that a file was made or linked for.
    pub filled: HashSet<&'a str>,
}

impl<'a> Staging<'a> {
    /// Puts a file in the tree, or takes it out.
    pub fn place(
        &mut self,
        row: &'a Publication,
        touched: &mut Touched<'_>,
        staged: &mut Staged,
    ) -> Result<(), TreeError> {
        if row.blob.is_empty() {
            return Ok(());
        }
        let tree = self.trees.tree(self.side);
        let path = self.trees.file_path(&tree, &row.file_name)?;
        if !row.present {
            remove_file(&path)?;
            return touched.emptied(&path);
        }
        let twin = self.trees.tree(self.side.other()).join(&row.file_name);
        let sibling = self.placed.get(row.blob.as_str()).and_then(|rows| rows.first());
        let sibling = sibling.map(|row| tree.join(&row.file_name));
        let look = |path: &Path| match &sibling {
            Some(sibling) if is_same_file(path, sibling) => {
                Stamp::at(path).map(Look::Right).map_err(doing("look at", path))
            }
            _ => self.look(path, row),
        };
        let here = look(&path)?;
        let is_held = row.seq <= self.target.held_by_other;
        let there = match is_held {
            _ if is_same_file(&path, &twin) => here,
            true => look(&twin)?,
            false => Look::Nothing,
        };
        if is_held && !matches!(there, Look::Right(_)) {
            staged.is_other_unsound = true;
            // A link to the blob is what earlier versions made; the content is right.
            if there != Look::Blob {
                staged.mended.push(row.clone());
            }
        }
        let stamp = match here {
            Look::Right(stamp) => stamp,
            Look::Nothing | Look::Blob | Look::Changed => {
                touched.filled(&path)?;
                let twin = matches!(there, Look::Right(_)).then_some(twin.as_path());
                let links = [sibling.as_deref(), twin];
                if let Err(why) = self.fill(row, &path, &tree.join(TEMPORARY), links) {
                    return self.refuse(row, why, &path, touched, staged);
                }
                self.filled.insert(&row.blob);
                Stamp::at(&path).map_err(doing("look at", &path))?
            }
        };
        let stamp = stamp.to_string();
        if row.stamp.as_ref() != Some(&stamp) {
            staged.seen.push(Seen { file_name: row.file_name.clone(), blob: row.blob.clone(), stamp });
        }
        self.placed.entry(&row.blob).or_default().push(row);
        Ok(())
    }

    /// Each link to a file changes the stamps of those that were there before.
    pub fn look_at_links(&self, staged: &mut Staged) -> Result<(), TreeError> {
        let tree = self.trees.tree(self.side);
        let is_shared =
            |blob: &str| self.filled.contains(blob) && self.placed.get(blob).is_some_and(|rows| rows.len() > 1);
        staged.seen.retain(|seen| !is_shared(&seen.blob));
        for row in self.placed.iter().filter(|(blob, _)| is_shared(blob)).flat_map(|(_, rows)| rows) {
            let path = tree.join(&row.file_name);
            let stamp = Stamp::at(&path).map_err(doing("look at", &path))?.to_string();
            staged.seen.push(Seen { file_name: row.file_name.clone(), blob: row.blob.clone(), stamp });
        }
        Ok(())
    }

    /// Puts the right content at `path`: what was brought for it, else one of the files that have it already, else a copy of
    /// the blob.
    fn fill(
        &self,
        row: &Publication,
        path: &Path,
        temporary: &Path,
        links: [Option<&Path>; 2],
    ) -> Result<(), TreeError> {
        // A folder in the place of a file was put there by nobody of ours, and is not ours to remove but in full.
        match fs::rename(self.trees.brought(&row.blob), path) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(doing("write", path)(error)),
        }
        remove_file(temporary)?;
        // Not every file system has links, and none has any number of them to a file.
        let is_linked = links.into_iter().flatten().any(|link| fs::hard_link(link, temporary).is_ok());
        if !is_linked {
            self.blobs.hand_out(&row.blob, temporary, self.stop)?;
        }
        fs::rename(temporary, path).map_err(doing("write", path))
    }

    /// Nothing wrong is published: what cannot be made right leaves the tree.
    fn refuse(
        &self,
        row: &Publication,
        why: TreeError,
        path: &Path,
        touched: &mut Touched<'_>,
        staged: &mut Staged,
    ) -> Result<(), TreeError> {
        match why {
            TreeError::Blob(why) if why.is_of_file() => {
                remove_file(path)?;
                touched.emptied(path)?;
                staged.mended.retain(|mended| mended.file_name != row.file_name);
                staged.refused.push((row.clone(), why));
                Ok(())
            }
            error => Err(error),
        }
    }

    fn look(&self, path: &Path, row: &Publication) -> Result<Look, TreeError> {
        look(self.blobs, path, row, self.stop)
    }
}

/// What is at the path of a published file.
pub(super) fn look(blobs: &Blobs, path: &Path, row: &Publication, stop: &dyn Fn() -> bool) -> Result<Look, TreeError> {
    let blob = blobs.path(&row.blob)?;
    let expected = Expected { blob: &blob, sha256: &row.blob, bytes: row.bytes, stamp: row.stamp.as_deref() };
    Ok(published::look(path, expected, stop)?)
}

/// Folders of a tree that something was changed in, to be made to survive a power cut.
pub(super) struct Touched<'a> {
    tree: &'a Path,
    pub folders: BTreeSet<PathBuf>,
}

impl<'a> Touched<'a> {
    pub fn new(tree: &'a Path) -> Self {
        Self { tree, folders: BTreeSet::from([tree.to_owned()]) }
    }

    /// A file is about to be put at `path`.
    pub fn filled(&mut self, path: &Path) -> Result<(), TreeError> {
        let Some(folder) = path.parent().filter(|folder| !self.folders.contains(*folder)) else { return Ok(()) };
        fs::create_dir_all(folder).map_err(doing("make the folder", folder))?;
        let inside = folder.ancestors().take_while(|folder| *folder != self.tree);
        self.folders.extend(inside.map(Path::to_owned));
        Ok(())
    }

    /// The file at `path` is gone; folders that nothing is left in go with it.
    pub fn emptied(&mut self, path: &Path) -> Result<(), TreeError> {
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

    pub fn sync(&self) -> Result<(), TreeError> {
        Ok(self.folders.iter().try_for_each(|folder| blobs::sync_folder(folder))?)
    }
}
