//! The mark beside the blobs, kept up with the database.

use std::collections::BTreeMap;
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
        if self.written.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&numbers) {
            return Ok(());
        }
        let mark = Mark { identity: self.identity.clone(), numbers: numbers.clone() };
        let blobs = self.blobs.clone();
        let written = tokio::task::spawn_blocking(move || mark.write(&blobs)).await;
        let written = written.map_err(|error| Error::Internal(format!("the mark was not written: {error}")))?;
        written.map_err(|error| Error::Refused(error.to_string()))?;
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
            Found::Mark(_) | Found::Nothing | Found::Unreadable(_) => Ok(None),
        }
    }

    /// Whether the files have seen more than the database, as far as that can be seen or was noticed, and nobody has settled it.
    pub async fn is_older_than(&self, blobs: &Path) -> Result<bool, Error> {
        Ok(self.restored().await?.is_some() || self.standing(blobs).await? == Standing::Behind)
    }

    /// That the database was found to be older than the files, and nobody has settled it.
    pub async fn restored(&self) -> Result<Option<Restored>, Error> {
        Ok(self.store.restored().await?)
    }
}
