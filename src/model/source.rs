//! What a file is called where it comes from, and which files get one name only because theirs are cleaned.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

use super::name::{FileName, clean_folder};

/// Folder and name of a file as its owner writes them, below the folder that the company's uploads go to. No character is
/// dropped and no accent composed, so that two sources stay two.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName {
    folder: String,
    file: String,
}

impl SourceName {
    /// Slashes that say nothing do not count, nor do folders called ".".
    pub fn new(folder: &str, file: &str) -> Self {
        let parts = folder.split('/').filter(|part| !part.is_empty() && *part != ".");
        Self { folder: parts.collect::<Vec<_>>().join("/"), file: file.to_owned() }
    }

    /// From the form in which it is kept.
    pub fn of_path(path: &str) -> Self {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        Self::new(folder, file)
    }

    pub fn folder(&self) -> &str {
        &self.folder
    }

    pub fn file(&self) -> &str {
        &self.file
    }

    pub fn path(&self) -> String {
        if self.folder.is_empty() { self.file.clone() } else { format!("{}/{}", self.folder, self.file) }
    }

    /// What the asset is called that it becomes, if it can become one.
    pub fn name(&self) -> Option<FileName> {
        FileName::clean("file", &self.file).ok()
    }

    /// It is called as the asset is; what cleaning makes of its folder counts as well.
    pub fn is_clean(&self) -> bool {
        let folder = clean_folder("folder", &self.folder);
        self.name().is_some_and(|name| name.with_extension() == self.file) && folder.is_ok_and(|f| f == self.folder)
    }

    /// Whether both get one name though their owner gave them two: what tells them apart is dropped, composed, or the case of an
    /// extension. Files of one name in two folders are another matter, and so are those that only have other extensions.
    pub fn becomes_one_with(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (self.name(), other.name()) else { return false };
        if self == other || own.stem != others.stem {
            return false;
        }
        if raw_stem(&self.file) != raw_stem(&other.file) {
            return true;
        }
        let (place, other_place) = (self.place(), other.place());
        place.is_some() && place == other_place
    }

    /// Folder and file as they are kept.
    fn place(&self) -> Option<(String, String)> {
        Some((clean_folder("folder", &self.folder).ok()?, self.name()?.with_extension()))
    }
}

/// Files of a job that are called the same once their names are cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    all: BTreeSet<SourceName>,
    /// The first whose name needs no cleaning.
    clean: Option<SourceName>,
}

/// The files of a job, as far as they get one name because theirs are cleaned.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// By the asset name, where files have it that were called differently.
    by_stem: HashMap<String, Arc<Group>>,
    /// By folder and file, where several come to lie.
    by_place: HashMap<(String, String), Arc<Group>>,
}

impl Sources {
    pub fn among(files: impl IntoIterator<Item = SourceName>) -> Self {
        let (mut by_stem, mut by_place) = (HashMap::new(), HashMap::new());
        for file in files {
            let Some(name) = file.name() else { continue };
            if let Some(place) = file.place() {
                note(&mut by_place, place, &file);
            }
            note(&mut by_stem, name.stem, &file);
        }
        by_stem.retain(|_, files| {
            let first = files.first().map(|file| raw_stem(&file.file).to_owned());
            files.iter().any(|file| Some(raw_stem(&file.file)) != first.as_deref())
        });
        by_place.retain(|_, files| files.len() > 1);
        Self { by_stem: grouped(by_stem), by_place: grouped(by_place) }
    }

    /// The other files that a file could be taken for.
    pub fn siblings_of(&self, file: &SourceName) -> Siblings {
        Siblings {
            by_stem: file.name().and_then(|name| self.by_stem.get(&name.stem)).cloned(),
            by_place: file.place().and_then(|place| self.by_place.get(&place)).cloned(),
        }
    }
}

fn note<K: Eq + Hash>(files: &mut HashMap<K, BTreeSet<SourceName>>, key: K, file: &SourceName) {
    files.entry(key).or_default().insert(file.clone());
}

fn grouped<K: Eq + Hash>(files: HashMap<K, BTreeSet<SourceName>>) -> HashMap<K, Arc<Group>> {
    let group = |all: BTreeSet<SourceName>| {
        let clean = all.iter().find(|file| file.is_clean()).cloned();
        Arc::new(Group { all, clean })
    };
    files.into_iter().map(|(key, all)| (key, group(all))).collect()
}

/// Files of the same job, among them those that are taken for one file once names are cleaned. Clones share them: there may be many.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Siblings {
    by_stem: Option<Arc<Group>>,
    by_place: Option<Arc<Group>>,
}

impl Siblings {
    pub const fn is_empty(&self) -> bool {
        self.by_stem.is_none() && self.by_place.is_none()
    }

    pub fn holds(&self, file: &SourceName) -> bool {
        [&self.by_stem, &self.by_place].into_iter().flatten().any(|group| group.all.contains(file))
    }

    /// The file that is called as the asset would be, if `file` is not.
    pub fn rightful(&self, file: &SourceName) -> Option<&SourceName> {
        let name = file.name()?;
        if file.is_clean() {
            return None;
        }
        let group = if raw_stem(&file.file) == name.stem { &self.by_place } else { &self.by_stem };
        group.as_ref()?.clean.as_ref()
    }
}

fn raw_stem(file: &str) -> &str {
    match file.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => stem,
        _ => file,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_makes_one_name_of_two() {
        let one = |a: &str, b: &str| {
            let (a, b) = (SourceName::of_path(a), SourceName::of_path(b));
            assert_eq!(a.becomes_one_with(&b), b.becomes_one_with(&a));
            a.becomes_one_with(&b)
        };
        for (a, b) in [
            ("c&d.jpg", "cd.jpg"),
            ("c&d.jpg", "c+d.png"),
            ("A/c&d.jpg", "B/cd.jpg"),
            ("e\u{301}t.jpg", "\u{e9}t.jpg"),
            ("shoe.JPG", "shoe.jpg"),
            ("a&b/shoe.jpg", "ab/shoe.jpg"),
            (" shoe.jpg", "shoe.jpg"),
        ] {
            assert!(one(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("cd.jpg", "cd.jpg"),
            ("A/cd.jpg", "B/cd.jpg"),
            ("cd.jpg", "cd.png"),
            ("Shoe.jpg", "shoe.jpg"),
            ("A//./cd.jpg", "/A/cd.jpg"),
            ("a&b/shoe.jpg", "ab/shoe.png"),
            ("%%%.jpg", "cd.jpg"),
        ] {
            assert!(!one(a, b), "{a} {b}");
        }
    }

    #[test]
    fn siblings_are_those_that_become_one() {
        let files = ["c&d.jpg", "cd.jpg", "A/x.jpg", "B/x.jpg", "a&b/y.jpg", "ab/y.jpg", "z.JPG", "z.jpg", "%.jpg"]
            .map(SourceName::of_path);
        let sources = Sources::among(files);
        for (file, rightful) in [
            ("c&d.jpg", Some("cd.jpg")),
            ("cd.jpg", None),
            ("a&b/y.jpg", Some("ab/y.jpg")),
            ("z.JPG", Some("z.jpg")),
            ("z.jpg", None),
        ] {
            let file = SourceName::of_path(file);
            let siblings = sources.siblings_of(&file);
            assert!(!siblings.is_empty());
            assert_eq!(siblings.rightful(&file), rightful.map(SourceName::of_path).as_ref());
        }
        for alone in ["A/x.jpg", "%.jpg", "other.jpg"] {
            assert!(sources.siblings_of(&SourceName::of_path(alone)).is_empty(), "{alone}");
        }
    }

    #[test]
    fn some_names_need_no_cleaning() {
        for (path, clean) in
            [("A/cd.jpg", true), ("a&b/cd.jpg", false), ("cd.JPG", false), ("c&d.jpg", false), ("e\u{301}.jpg", false)]
        {
            assert_eq!(SourceName::of_path(path).is_clean(), clean, "{path}");
        }
    }
}
