//! The mark beside the blobs, kept up with the database.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Error, Services};
use crate::assets::mark::{self, Found, Mark};
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
    /// The mark has seen more.
    Behind,
}

/// What is known of a database that may not know all that the files have seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Older,
    /// The mark beside the files is gone.
    Unknown,
}

/// As the rest of a sentence about the database.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Older => "is older than the stored files, as one that was restored from a backup",
            Self::Unknown => "may be older than the stored files: the mark that lay beside them is gone",
        })
    }
}

impl From<Restored> for Age {
    fn from(restored: Restored) -> Self {
        if restored.seen_run.is_some() { Self::Older } else { Self::Unknown }
    }
}

impl Services {
    /// Compares the mark beside the blobs with the database.
    pub async fn standing(&self, blobs: &Path) -> Result<Standing, Error> {
        // First the mark: the daemon beside us may write a newer one at any time, but never one that is ahead.
        let mark = match mark::read(blobs) {
            Found::Nothing => return Ok(Standing::Unmarked),
            Found::Unreadable(why) => return Ok(Standing::Unreadable(why)),
            Found::Mark(mark) => mark,
        };
        if self.store.identity().await?.as_ref() != Some(&mark.identity) {
            return Ok(Standing::Stranger);
        }
        let own = self.store.highest_numbers().await?;
        Ok(if is_behind(&own, &mark.numbers) { Standing::Behind } else { Standing::Agrees })
    }

    /// Learns from the mark what numbers were given, for a database that is older than it. Says so the first time.
    pub async fn meet_mark(&self, blobs: &Path) -> Result<Option<Restored>, Error> {
        match mark::read(blobs) {
            Found::Mark(mark) if self.store.identity().await?.as_ref() == Some(&mark.identity) => {
                Ok(self.store.catch_up(mark.numbers, self.clock.now()).await?)
            }
            // Who copies the folder of the files may leave out what begins with a dot.
            Found::Nothing if self.store.is_marked().await? => {
                self.store.miss_mark(self.clock.now()).await?;
                Ok(self.restored().await?)
            }
            Found::Mark(_) | Found::Nothing | Found::Unreadable(_) => Ok(None),
        }
    }

    /// Whether the files may have seen more than the database, as far as that can be seen or was noticed, and nobody has settled
    /// it.
    pub async fn age(&self, blobs: &Path) -> Result<Option<Age>, Error> {
        if let Some(restored) = self.restored().await? {
            return Ok(Some(restored.into()));
        }
        Ok(match self.standing(blobs).await? {
            Standing::Behind => Some(Age::Older),
            Standing::Unmarked if self.store.is_marked().await? => Some(Age::Unknown),
            Standing::Agrees | Standing::Unmarked | Standing::Unreadable(_) | Standing::Stranger => None,
        })
    }

    /// That the database was found to be older than the files, and nobody has settled it.
    pub async fn restored(&self) -> Result<Option<Restored>, Error> {
        Ok(self.store.restored().await?)
    }
}
