//! The mark beside the blobs, kept up with the database.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Services};
use crate::assets::mark::{self, Found, Mark};
use crate::assets::published;
use crate::model::id::ContextId;
use crate::store::Store;
pub use crate::store::numbers::Restored;
use crate::store::numbers::is_behind;
use crate::store::publishing::Site;

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
    /// The mark, or a tree of published files, has seen more.
    Behind,
}

/// What is known of a database that may not know all that the files have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Older,
    /// The mark beside the files is gone, or nobody can read it.
    Unknown,
}

/// As the rest of a sentence about the database.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Older => {
                "is older than the stored files or the published ones, as one that was restored from a backup"
            }
            Self::Unknown => {
                "may be older than the stored files: the mark that lay beside them is gone, or cannot be read"
            }
        })
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
        if !self.newer_trees(&beside.publish).await?.is_empty() {
            return Ok(Standing::Behind);
        }
        let mark = match mark {
            Found::Nothing => return Ok(Standing::Unmarked),
            Found::Unreadable(why) => return Ok(Standing::Unreadable(why)),
            Found::Mark(mark) => mark,
        };
        let own = self.store.highest_numbers().await?;
        Ok(if is_behind(&own, &mark.numbers) { Standing::Behind } else { Standing::Agrees })
    }

    /// Contexts whose trees hold a publish that the database knows nothing of, each with its number.
    async fn newer_trees(&self, publish: &Path) -> Result<Vec<(ContextId, i64)>, Error> {
        // First the trees, for the same reason; a context that is new meanwhile has none yet.
        let sites = self.store.publish_sites().await?;
        let root = publish.to_owned();
        let looked = tokio::task::spawn_blocking(move || {
            let seen = |site: &Site| {
                let folder = root.join(published::folder(site.kind));
                let newest = published::newest_publish(&folder, &site.root_path, published::manifest(site.kind));
                newest.unwrap_or_else(|error| {
                    tracing::warn!(%error, company = %site.company, "the manifests of published files cannot be read");
                    0
                })
            };
            sites.iter().map(|site| (site.state.id, seen(site))).collect::<Vec<_>>()
        });
        let mut seen =
            looked.await.map_err(|error| Error::Internal(format!("a look at trees ended early: {error}")))?;
        let now = self.store.publish_sites().await?;
        let known: BTreeMap<i64, i64> = now.iter().map(|site| (site.state.id.0, site.state.publish_seq)).collect();
        seen.retain(|(context, seen)| known.get(&context.0).is_some_and(|known| known < seen));
        Ok(seen)
    }

    /// Learns from the mark and from the trees what numbers were given, for a database that is older than they are.
    pub async fn meet_mark(&self, beside: &Beside) -> Result<(), Error> {
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
        let newer = self.newer_trees(&beside.publish).await?;
        if !newer.is_empty() {
            self.store.catch_up_trees(newer, now).await?;
        }
        Ok(())
    }

    /// Whether the files may have seen more than the database, as far as that can be seen or was noticed, and nobody has settled
    /// it.
    pub async fn age(&self, beside: &Beside) -> Result<Option<Age>, Error> {
        if let Some(restored) = self.restored().await? {
            return Ok(Some(restored.into()));
        }
        Ok(match self.standing(beside).await? {
            Standing::Behind => Some(Age::Older),
            Standing::Unmarked | Standing::Unreadable(_) if self.store.is_marked().await? => Some(Age::Unknown),
            Standing::Agrees | Standing::Unmarked | Standing::Unreadable(_) | Standing::Stranger => None,
        })
    }

    /// That the database was found to be older than the files, and nobody has settled it.
    pub async fn restored(&self) -> Result<Option<Restored>, Error> {
        Ok(self.store.restored().await?)
    }
}
