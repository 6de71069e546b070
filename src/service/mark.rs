//! The mark beside the blobs, kept up with the database.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Services};
use crate::assets::exports;
use crate::assets::mark::{self, Found, Mark};
use crate::assets::patience::look_at_each;
use crate::assets::published;
use crate::model::id::ContextId;
use crate::store::Store;
pub use crate::store::numbers::Restored;
use crate::store::numbers::is_behind;

/// Writes the mark when numbers have changed. Clones share what was written last.
#[derive(Debug, Clone)]
pub struct MarkKeeper {
    store: Store,
    blobs: PathBuf,
    identity: String,
    written: Arc<Mutex<Option<BTreeMap<String, i64>>>>,
}

impl MarkKeeper {
    /// `blobs` is the folder of the blob store.
    pub fn new(store: Store, blobs: &Path, identity: String) -> Self {
        Self { store, blobs: blobs.to_owned(), identity, written: Arc::default() }
    }

    /// Writes what is new; nothing, if nothing is.
    pub async fn keep(&self) -> Result<(), Error> {
        let numbers = self.store.highest_numbers().await?;
        let written = self.written.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_known = written.as_ref() == Some(&numbers);
        let mark = Mark { identity: self.identity.clone(), numbers: numbers.clone() };
        let blobs = self.blobs.clone();
        let done = tokio::task::spawn_blocking(move || {
            // Somebody may have tidied up.
            if is_known && mark::path(&blobs).exists() { Ok(()) } else { mark.write(&blobs) }
        });
        let done = done.await.map_err(|error| Error::Internal(format!("the mark was not written: {error}")))?;
        done.map_err(|error| Error::Refused(error.to_string()))?;
        if written.is_none() {
            self.store.note_mark().await?;
        }
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = Some(numbers);
        Ok(())
    }
}

/// How the mark and the database stand to each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The mark has seen nothing that the database does not know.
    Agrees,
    /// There is no mark yet.
    Unmarked,
    /// There is something that nobody can read.
    Unreadable(String),
    /// It is the mark of another database.
    Stranger,
    /// The mark, a tree of published files, or an archive of an export has seen more.
    Behind,
    /// Nothing that could be looked at has seen more; what could not, and why.
    Unlooked(String),
}

/// What is known of a database that may not know all that the files have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Age {
    Older,
    /// The mark beside the files is gone, or nobody can read it.
    Unknown,
    /// What lies beside it could not be looked at, and why.
    Unlooked(String),
}

impl Age {
    /// What follows from it, and what there is to do.
    pub const fn consequence(&self) -> (&'static str, &'static str) {
        match self {
            Self::Older | Self::Unknown => (
                "Cleanup removes nothing until `prepress doctor --repair` has ended with 0",
                "stop the daemon, and run: prepress doctor --repair",
            ),
            Self::Unlooked(_) => (
                "Cleanup removes nothing for as long as that is so",
                "see that the disk answers, and that the daemon's user may read it",
            ),
        }
    }
}

/// As the rest of a sentence about the database.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Older => f.write_str(
                "is older than the stored files or the published ones, as one that was restored from a backup",
            ),
            Self::Unknown => f.write_str(
                "may be older than the stored files: the mark that lay beside them is gone, or cannot be read",
            ),
            Self::Unlooked(what) => write!(f, "may be older than the published files: {what}"),
        }
    }
}

impl From<Restored> for Age {
    fn from(restored: Restored) -> Self {
        if restored.seen_run.is_some() || restored.has_newer_trees { Self::Older } else { Self::Unknown }
    }
}

/// What lies beside the database.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The folder of the blob store, with the mark.
    pub blobs: PathBuf,
    /// The folder of the trees. They say what they hold as well, and may be of a later time than a mark that came from the
    /// same backup as the database.
    pub publish: PathBuf,
    /// The folder of exports, each of which lies in that of its run.
    pub exports: PathBuf,
}

/// How far the number of a run may be ahead of what the database knows, so that it is believed.
const MOST_RUNS_AHEAD: i64 = 1 << 40;

/// What published files and exports tell that the database does not know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Contexts whose trees hold a later publish, each with its number.
    pub trees: Vec<(ContextId, i64)>,
    /// The highest number of a run, if it is higher than any that was given.
    pub run: Option<i64>,
    /// What could not be looked at, and why.
    pub unlooked: Option<String>,
    /// Contexts of which that is so.
    pub unlooked_trees: Vec<ContextId>,
    /// Numbers that nobody can have come to, each in words.
    pub unbelievable: Vec<String>,
}

impl Services {
    /// Compares what lies beside the database with it.
    pub async fn standing(&self, beside: &Beside) -> Result<Standing, Error> {
        // First the mark: the daemon beside us may write a newer one at any time, but never one that is ahead.
        let mark = mark::read(&beside.blobs);
        if let Found::Mark(mark) = &mark
            && self.store.identity().await?.as_ref() != Some(&mark.identity)
        {
            return Ok(Standing::Stranger);
        }
        let ahead = self.ahead(beside).await?;
        if !ahead.trees.is_empty() || ahead.run.is_some() {
            return Ok(Standing::Behind);
        }
        let own = self.store.highest_numbers().await?;
        Ok(match (mark, ahead.unlooked) {
            (Found::Mark(mark), _) if is_behind(&own, &mark.numbers) => Standing::Behind,
            (Found::Nothing, _) => Standing::Unmarked,
            (Found::Unreadable(why), _) => Standing::Unreadable(why),
            (Found::Mark(_), Some(what)) => Standing::Unlooked(what),
            (Found::Mark(_), None) => Standing::Agrees,
        })
    }

    /// What trees and exports have seen beyond the database.
    pub async fn ahead(&self, beside: &Beside) -> Result<Ahead, Error> {
        // First the files, for the same reason; a context that is new meanwhile has no trees yet.
        let sites = self.store.publish_sites().await?;
        let own = self.own_run().await?;
        let (asked, exports) = (sites.clone(), beside.exports.clone());
        let root = beside.publish.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let places: Vec<published::Site> = asked
                .iter()
                .map(|site| published::Site::below(&root, site.kind, &site.root_path, site.state.publish_seq))
                .collect();
            let newest = look_at_each(&places, published::Site::newest);
            let exported = look_at_each(&[(exports, own)], |(root, known)| exports::newest_run(root, *known));
            (places, newest, exported)
        });
        let (places, newest, exported) =
            looked.await.map_err(|error| Error::Internal(format!("a look at trees ended early: {error}")))?;
        let now = self.store.publish_sites().await?;
        let known: BTreeMap<i64, i64> = now.iter().map(|site| (site.state.id.0, site.state.publish_seq)).collect();
        let own = self.own_run().await?;
        let (mut ahead, mut run) = (Ahead::default(), 0);
        for exported in exported {
            match exported {
                Err(error) => {
                    ahead.unlooked = Some(format!("{} could not be looked at ({error})", beside.exports.display()));
                }
                Ok(newest) => run = run.max(newest.unwrap_or(0)),
            }
        }
        for ((site, place), newest) in sites.iter().zip(&places).zip(newest) {
            let id = site.state.id;
            // Who was deleted meanwhile has nothing to tell.
            let Some(known) = known.get(&id.0) else { continue };
            match newest {
                Err(error) => {
                    let what = || format!("{} could not be looked at ({error})", place.link().display());
                    ahead.unlooked.get_or_insert_with(what);
                    ahead.unlooked_trees.push(id);
                }
                Ok(newest) => {
                    run = run.max(newest.run);
                    ahead.trees.extend((newest.publish > *known).then_some((id, newest.publish)));
                    ahead.unbelievable.extend(newest.unbelievable.map(|number| {
                        format!(
                            "publish {number} in the manifest below {}, where {known} was the last",
                            place.link().display()
                        )
                    }));
                }
            }
        }
        if run.saturating_sub(own) > MOST_RUNS_AHEAD {
            ahead.unbelievable.push(format!("run {run} beside published files or exports, where {own} was the last"));
        } else if run > own {
            ahead.run = Some(run);
        }
        Ok(ahead)
    }

    /// The last run that the database knows.
    async fn own_run(&self) -> Result<i64, Error> {
        Ok(self.store.highest_numbers().await?.get("run").copied().unwrap_or(0))
    }

    /// Learns from the mark, from the trees and from exports what numbers were given, for a database that is older than they are.
    /// Gives what they told.
    pub async fn meet_mark(&self, beside: &Beside) -> Result<Ahead, Error> {
        let now = self.clock.now();
        match mark::read(&beside.blobs) {
            Found::Mark(mark) if self.store.identity().await?.as_ref() == Some(&mark.identity) => {
                self.store.catch_up(mark.numbers, now).await?;
            }
            // Who copies the folder of the files may leave out what begins with a dot; a disk that was full leaves it empty.
            Found::Nothing | Found::Unreadable(_) if self.store.is_marked().await? => {
                self.store.miss_mark(now).await?;
            }
            Found::Mark(_) | Found::Nothing | Found::Unreadable(_) => {}
        }
        let ahead = self.ahead(beside).await?;
        if let Some(run) = ahead.run {
            self.store.catch_up_runs(run, now).await?;
        }
        if !ahead.trees.is_empty() {
            self.store.catch_up_trees(ahead.trees.clone(), now).await?;
        }
        Ok(ahead)
    }

    /// Whether the files may have seen more than the database, as far as that can be seen or was noticed, and nobody has settled
    /// it.
    pub async fn age(&self, beside: &Beside) -> Result<Option<Age>, Error> {
        if let Some(restored) = self.restored().await? {
            return Ok(Some(restored.into()));
        }
        Ok(match self.standing(beside).await? {
            Standing::Behind => Some(Age::Older),
            Standing::Unlooked(what) => Some(Age::Unlooked(what)),
            Standing::Unmarked | Standing::Unreadable(_) if self.store.is_marked().await? => Some(Age::Unknown),
            Standing::Agrees | Standing::Unmarked | Standing::Unreadable(_) | Standing::Stranger => None,
        })
    }

    /// That the database was found to be older than the files, and nobody has settled it.
    pub async fn restored(&self) -> Result<Option<Restored>, Error> {
        Ok(self.store.restored().await?)
    }
}
