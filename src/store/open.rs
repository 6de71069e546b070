//! Opening the database.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Sqlite, SqliteConnection, SqlitePool};

use super::jobs::finish::{Finish, Finished};
use super::jobs::submit::{NewJob, SubmitError, Submitted};
use super::signal::Bell;
use super::writer::{Transaction, Writer};
use super::{Signals, Stats, StoreError};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!();

/// How long a writer of this process waits for one of another process (the command line beside the daemon).
const BUSY: Duration = Duration::from_secs(20);

#[derive(Debug, Clone)]
pub struct Options {
    /// The database file; made when it is not there.
    pub path: PathBuf,
    /// The server's zone: run names carry local time.
    pub zone: Tz,
    /// Most connections that read at the same time.
    pub readers: u32,
}

impl Options {
    pub fn new(path: impl Into<PathBuf>, zone: Tz) -> Self {
        Self { path: path.into(), zone, readers: 8 }
    }
}

/// The database. Clones share it.
#[derive(Clone)]
pub struct Store {
    writer: Writer,
    readers: SqlitePool,
    /// One connection for asking whether the database answers, which must not wait behind readers of long lists.
    pulse: SqlitePool,
    signals: Arc<Signals>,
    stats: Arc<Stats>,
    path: Arc<Path>,
    zone: Tz,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, makes it if needed, and brings its schema up to date.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let refuse = |reason: String| StoreError::Open { path: options.path.clone(), reason };
        let connect = SqliteConnectOptions::new()
            .filename(&options.path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY)
            .pragma("temp_store", "memory")
            .optimize_on_close(true, 1000);
        let mut connection = connect.connect().await.map_err(|e| refuse(e.to_string()))?;
        migrate(&mut connection).await.map_err(|e| refuse(e.to_string()))?;
        let reading = connect.create_if_missing(false).pragma("query_only", "on").optimize_on_close(false, None);
        let pool = SqlitePoolOptions::new().acquire_timeout(BUSY);
        let readers = pool.clone().max_connections(options.readers).min_connections(1);
        let readers = readers.connect_with(reading.clone()).await.map_err(|e| refuse(e.to_string()))?;
        let pulse = pool.max_connections(1).connect_lazy_with(reading);
        let (signals, stats) = (Arc::new(Signals::default()), Arc::new(Stats::default()));
        Ok(Self {
            writer: Writer::start(connection, options.zone, signals.clone(), stats.clone()),
            readers,
            pulse,
            signals,
            stats,
            path: options.path.into(),
            zone: options.zone,
        })
    }

    /// Bells that ring when something was committed that the engine waits for.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    /// What was done since this store was opened.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub const fn zone(&self) -> Tz {
        self.zone
    }

    /// A connection that reads the last commit.
    pub(super) async fn reader(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.readers.acquire().await.map_err(StoreError::doing("get a connection"))
    }

    pub(super) async fn pulse(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        self.pulse.acquire().await.map_err(StoreError::doing("get a connection"))
    }

    /// Runs `work` in a transaction, together with whatever else waits, and answers after the commit. An error from
    /// `work` undoes what it did, and only that.
    pub(super) async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.writer.write(&[], work).await
    }

    /// The same, and rings `bells` when it is committed, whether or not the caller still waits for the answer.
    pub(super) async fn write_and_ring<T, E, F>(&self, bells: &'static [Bell], work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Transaction) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.writer.write(bells, work).await
    }

    /// Writes a job, with its first run when it is due at once, and answers after the commit.
    pub async fn submit(&self, job: NewJob) -> Result<Submitted, SubmitError> {
        let begun = Instant::now();
        let submitted = self.writer.submit(job).await?;
        self.stats.submit_seconds.observe(begun.elapsed().as_secs_f64());
        Ok(submitted)
    }

    /// Ends a run, together with whatever others end.
    pub(super) async fn finish(&self, finish: Finish) -> Result<Finished, StoreError> {
        self.writer.finish(finish).await
    }

    /// Does what waits and closes the database for all clones. What is asked of it afterwards is refused.
    pub async fn close(self) {
        self.pulse.close().await;
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Brings the schema up to date. SQLite has no lock for that: of two processes that open a new database at the same moment
/// one fails at the migration that the other has just done, and goes on behind it. That can happen at each of them.
async fn migrate(connection: &mut SqliteConnection) -> Result<(), MigrateError> {
    for _ in MIGRATIONS.iter() {
        // Not `run`, whose future the compiler cannot prove to be Send.
        match MIGRATIONS.run_direct(None, connection, false).await {
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)) => {}
            done => return done,
        }
    }
    MIGRATIONS.run_direct(None, connection, false).await
}
