//! Whether a data folder may be worked on: the files in it have their database, and the database has its files.
//!
//! A database that is missing, empty, or not theirs would take the files for nobody's, and Cleanup would remove them.
//! So files of ours without their database are a mistake that a person has to mend, and nothing is written until then.
//! Empty folders, and what lies in the ingest folder, are no files of ours.
//!
//! A database whose files are all gone is most often on a machine that lacks a disk just now. What would be stored until it
//! is back would then lie where nobody finds it.
//!
//! A write-ahead log of another database, or of another time of it, is what a restored backup finds beside it after a crash.

use std::fs;
use std::path::{Path, PathBuf};

use super::{database, parts};
use crate::assets::mark::{self, Found};
use crate::assets::patience::look_at_each;
use crate::config::Config;
use crate::store::peek::{self, Peeked};
use crate::store::{Options, Stray};

/// Why a data folder may not be worked on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Unfit {
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// Looks at a data folder before anything is written to it.
pub async fn examine(config: &Config) -> Result<(), Unfit> {
    let path = database(config.data());
    let shown = path.display();
    let found = peek::peek(&Options::new(&path, config.zone())).await;
    let what = match found {
        Peeked::Unknown => return Ok(()),
        Peeked::Ours { identity, names_files } => {
            return if names_files { has_files(config) } else { Ok(()) }
                .and_then(|()| agrees(config, identity.as_deref()));
        }
        Peeked::Foreign => {
            let what = format!("{shown} is the database of another program, not one of Prepress");
            return Err(Unfit { what, remedy: remedy(&Lying::below(config), Some(&path), config) });
        }
        Peeked::NoDatabase => {
            let what = format!("{shown} is not an SQLite database");
            return Err(Unfit { what, remedy: remedy(&Lying::below(config), Some(&path), config) });
        }
        Peeked::BesideStrayLog(Stray { log }) => return Err(beside_stray(&log, &path)),
        Peeked::Missing => format!("the database {shown} is missing"),
        Peeked::LinkToNowhere(ref target) => {
            format!("the database {shown} is a link to {}, where nothing is", target.display())
        }
        Peeked::Empty => format!("the database {shown} is empty"),
    };
    let in_the_way = matches!(found, Peeked::LinkToNowhere(_)).then_some(path.as_path());
    let lying = Lying::below(config);
    if lying.is_nothing() {
        return Ok(());
    }
    Err(Unfit { what: format!("{what}, but {lying}"), remedy: remedy(&lying, in_the_way, config) })
}

/// A database of ours must be the one that the files belong to.
fn agrees(config: &Config, identity: Option<&str>) -> Result<(), Unfit> {
    let blobs = parts::blob_root(config);
    let Found::Mark(mark) = mark::read(&blobs) else { return Ok(()) };
    if identity == Some(mark.identity.as_str()) {
        return Ok(());
    }
    let what = format!(
        "the database {} is not the one that the files in {} belong to: it is {}, and they belong to {}",
        database(config.data()).display(),
        blobs.display(),
        identity.unwrap_or("without a name"),
        mark.identity,
    );
    let remedy = format!(
        "restore the database of the same backup as the files, or the files of this database; if you know that they \
         belong together, remove {}",
        mark::path(&blobs).display()
    );
    Err(Unfit { what, remedy })
}

/// There must be a stored file, or at least the mark that lies beside them.
fn has_files(config: &Config) -> Result<(), Unfit> {
    let root = parts::blob_root(config);
    // Who may not look does not know what is there.
    let is_empty = fs::read_dir(&root).map_or_else(|error| peek::is_absence(&error), |_| true);
    if !is_empty || mark::read(&root) != Found::Nothing || blobs_in(&root).next().is_some() {
        return Ok(());
    }
    let shown = root.display();
    let what = format!(
        "the database {} has assets, but none of their files is in {shown}, nor the mark that lies beside them",
        database(config.data()).display(),
    );
    let remedy = format!(
        "mount the disk that they are on, or restore them from a backup; to go on without them, make an empty file {}",
        mark::path(&root).display()
    );
    Err(Unfit { what, remedy })
}

/// What the log holds is not in the database, and SQLite would write it over what is.
fn beside_stray(log: &Path, database: &Path) -> Unfit {
    let (log, database) = (log.display(), database.display());
    Unfit {
        what: format!(
            "{log} holds changes of another database, or of another time of it, than {database}: together they would be \
             neither"
        ),
        remedy: format!(
            "if the file {database} was copied from a backup, move away {log} and the -shm file beside it, and keep them; if it was \
             restored by the sqlite3 shell, the restored state lies in {log}: open it once with sqlite3 and close it; otherwise \
             put back the database that {log} belongs to"
        ),
    }
}

/// What `in_the_way` names is no database of ours.
fn remedy(lying: &Lying, in_the_way: Option<&Path>, config: &Config) -> String {
    let path = database(config.data());
    let (path, mut away) = (path.display(), lying.folders.clone());
    away.extend(in_the_way.map(Path::to_owned));
    away.extend(lying.log.clone());
    let mut said = match &lying.log {
        None => format!("restore {path} from a backup"),
        // A backup needs none of it: SQLite would write it over what is restored.
        Some(log) => format!(
            "put back the {path} that {log} belongs to; or move away {log} and the -shm file beside it, keep them, and \
             restore {path} from a backup",
            log = log.display()
        ),
    };
    if !away.is_empty() {
        let away: Vec<String> = away.iter().map(|path| path.display().to_string()).collect();
        said.push_str(&format!("; to begin anew without these files, move away {}", away.join(", ")));
    }
    said
}

/// What of ours lies in a data folder, beside a database.
#[derive(Debug, Default)]
struct Lying {
    blobs: usize,
    has_mark: bool,
    manifests: usize,
    /// Why nobody can tell whether there are any.
    unlooked: Option<String>,
    log: Option<PathBuf>,
    /// Where it lies.
    folders: Vec<PathBuf>,
}

impl Lying {
    fn below(config: &Config) -> Self {
        let (root, published) = (parts::blob_root(config), config.publish_root());
        let blobs = blobs_in(&root).count();
        let has_mark = mark::read(&root) != Found::Nothing;
        let counted = look_at_each(std::slice::from_ref(&published), |root| Ok(count_manifests(root)));
        let (mut manifests, mut unlooked) = (0, None);
        for counted in counted {
            match counted {
                Ok(count) => manifests = count,
                Err(error) => unlooked = Some(format!("{} ({error})", published.display())),
            }
        }
        let log = peek::orphaned_log(&database(config.data()));
        let mut folders = Vec::new();
        if blobs > 0 || has_mark {
            folders.push(root);
        }
        if manifests > 0 || unlooked.is_some() {
            folders.push(published);
        }
        Self { blobs, has_mark, manifests, unlooked, log, folders }
    }

    const fn is_nothing(&self) -> bool {
        self.blobs == 0 && !self.has_mark && self.manifests == 0 && self.unlooked.is_none() && self.log.is_none()
    }
}

impl std::fmt::Display for Lying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        if let Some(unlooked) = &self.unlooked {
            return write!(f, "nobody can tell what lies in {unlooked}: see that the disk answers");
        }
        let mut said = Vec::new();
        if self.blobs > 0 {
            said.push(count(self.blobs, "stored file"));
        }
        if self.has_mark && self.blobs == 0 {
            said.push("the mark of its file store".to_owned());
        }
        if self.manifests > 0 {
            said.push(count(self.manifests, "tree") + " of published files");
        }
        if let Some(log) = &self.log {
            said.push(log.display().to_string());
        }
        let is_one = said.len() == 1 && (self.blobs == 1 || self.blobs == 0 && self.manifests <= 1);
        write!(f, "{} {} there", said.join(" and "), if is_one { "is" } else { "are" })
    }
}

/// Entries of a folder; none, where there is no folder.
fn entries(folder: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten()
}

fn name_of(entry: &fs::DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

fn blobs_in(root: &Path) -> impl Iterator<Item = fs::DirEntry> + use<> {
    let is_hex = |name: &str, length: usize| {
        name.len() == length && name.bytes().all(|sign| matches!(sign, b'0'..=b'9' | b'a'..=b'f'))
    };
    entries(root)
        .filter(move |folder| is_hex(&name_of(folder), 2))
        .flat_map(|folder| entries(&folder.path()))
        .filter(move |file| is_hex(&name_of(file), 64))
}

/// `publish/<context>/.<company>.<a or b>/` with a manifest in it.
fn count_manifests(root: &Path) -> usize {
    const NAMES: [&str; 3] = ["manifest.jsonl", ".manifest.jsonl", "metadata.jsonl"];
    let is_tree = |tree: &fs::DirEntry| {
        let name = name_of(tree);
        name.starts_with('.') && (name.ends_with(".a") || name.ends_with(".b"))
    };
    entries(root)
        .flat_map(|context| entries(&context.path()))
        .filter(is_tree)
        .filter(|tree| NAMES.iter().any(|name| tree.path().join(name).is_file()))
        .count()
}
