//! Opening the database.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use futures_util::future::BoxFuture;

use super::bulk::Bulk;
use super::jobs::zone;
use super::signal::Bell;
use super::sql::{self, Connection, Held, Pool, Readers};
use super::transaction::Transaction;
use super::writer::{Bells, Writer};
use super::{Signals, Stats, StoreError, Unopened};

#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; made when it is not there.
    pub path: PathBuf,
    /// The server's zone: run names carry local time.
    pub zone: Tz,
    /// The zone that the daemon of the data last ran in comes before this one: for who works beside it.
    pub follows_data: bool,
    /// Most connections that read at the same time.
    pub readers: u32,
    /// Statistics are brought up to date when it is closed, which may take a second: for who has it open for long.
    pub keeps_statistics: bool,
    /// How long another process that opens it is waited for: it may have to bring much up to date.
    pub patience: Duration,
}

impl Options {
    pub fn new(path: impl Into<PathBuf>, zone: Tz) -> Self {
        Self {
            path: path.into(),
            zone,
            follows_data: false,
            readers: 8,
            keeps_statistics: true,
            patience: Duration::from_secs(60),
        }
    }
}

/// The database, for who reads it. Clones share it.
#[derive(Clone)]
pub struct Reads {
    readers: Pool,
    /// One connection for asking whether the database answers, which must not wait behind readers of long lists.
    pulse: Pool,
    /// For readers of long lists. They have connections of their own, half as many: who submits a job does not wait behind
    /// them, and who has the turn to read a list does not wait in the line of everybody else.
    lists: Pool,
    path: Arc<Path>,
    zone: Tz,
}

/// The database, for who writes it as well.
#[derive(Clone)]
pub struct Store {
    reads: Reads,
    writer: Writer,
    signals: Arc<Signals>,
    stats: Arc<Stats>,
}

impl std::fmt::Debug for Reads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reads").field("path", &self.path).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Who may write may read.
impl Deref for Store {
    type Target = Reads;

    fn deref(&self) -> &Reads {
        &self.reads
    }
}

impl Store {
    /// Opens the database, makes it if needed, and brings its schema up to date.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let opened = sql::open(&options).await;
        Self::of(options, opened).await
    }

    /// Opens a database that may be read but not written: every write is refused. Its schema must be that of this version.
    pub async fn open_read_only(options: Options) -> Result<Self, StoreError> {
        let opened = sql::open_read_only(&options).await;
        Self::of(options, opened).await
    }

    async fn of(options: Options, opened: Result<(Connection, Readers), Unopened>) -> Result<Self, StoreError> {
        let refuse = |reason: Unopened| StoreError::Open { path: options.path.clone(), reason };
        let (mut connection, readers) = opened.map_err(refuse)?;
        let known = match options.follows_data {
            true => zone::known_zone(&mut connection).await?,
            false => None,
        };
        let zone = known.and_then(|name| name.parse().ok()).unwrap_or(options.zone);
        let lists = readers.lazy((options.readers / 2).max(1));
        let pulse = readers.lazy(1);
        let readers = readers.begun(options.readers).await.map_err(|e| refuse(Unopened::by(&e)))?;
        let (signals, stats) = (Arc::new(Signals::default()), Arc::new(Stats::default()));
        Ok(Self {
            writer: Writer::start(connection, zone, signals.clone(), stats.clone()),
            reads: Reads { readers, pulse, lists, path: options.path.into(), zone },
            signals,
            stats,
        })
    }

    pub const fn reads(&self) -> &Reads {
        &self.reads
    }

    /// Bells that ring when something was committed that the engine waits for.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// What was done since this store was opened.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Runs `work` in a transaction, together with whatever else waits, and answers after the commit. An error from
    /// `work` undoes what it did, and only that.
    pub(super) fn write<T, E, F>(&self, work: F) -> BoxFuture<'_, Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        Box::pin(self.writer.write(Bells::These(&[]), work))
    }

    /// The same, and rings `bells` when it is committed, whether or not the caller still waits for the answer.
    pub(super) fn write_and_ring<T, E, F>(&self, bells: &'static [Bell], work: F) -> BoxFuture<'_, Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        Box::pin(self.writer.write(Bells::These(bells), work))
    }

    /// The same, with bells that depend on what it came to.
    pub(super) fn write_and_ring_by<T, E, F>(
        &self,
        bells: fn(&T) -> &'static [Bell],
        work: F,
    ) -> BoxFuture<'_, Result<T, E>>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        Box::pin(self.writer.write(Bells::By(bells), work))
    }

    /// Writes a request together with others of its sort.
    pub(super) async fn bulk<B: Bulk>(&self, request: B) -> Result<B::Done, B::Error> {
        self.writer.bulk(request).await
    }

    /// Does what waits and closes the database for all clones. What is asked of it afterwards is refused.
    pub async fn close(self) {
        self.pulse.close().await;
        self.lists.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Reads {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn zone(&self) -> Tz {
        self.zone
    }

    // What these, and the writes above, return is boxed: all of the store and all that works with it awaits them, and to prove of
    // each such future anew that it may go to another thread took the compiler a quarter of its time.

    /// A connection that reads the last commit.
    pub(super) fn reader(&self) -> BoxFuture<'_, Result<Held, StoreError>> {
        acquired(&self.readers)
    }

    /// A connection for a question whose answer may be long, or may take long to find.
    pub(super) fn list_reader(&self) -> BoxFuture<'_, Result<Held, StoreError>> {
        acquired(&self.lists)
    }

    pub(super) fn pulse(&self) -> BoxFuture<'_, Result<Held, StoreError>> {
        acquired(&self.pulse)
    }
}

fn acquired(pool: &Pool) -> BoxFuture<'_, Result<Held, StoreError>> {
    Box::pin(async { pool.acquire().await.map_err(StoreError::doing("get a connection")) })
}
