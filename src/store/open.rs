//! Opening the database.

use std::fs::File;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use futures_util::future::BoxFuture;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection, SqlitePool};

use super::bulk::Bulk;
use super::jobs::zone;
use super::migrations::MIGRATIONS;
use super::signal::Bell;
use super::sql::Held;
use super::writer::{Bells, Transaction, Writer};
use super::{Signals, Stats, StoreError, Unopened, rights, wal};

/// How long a writer of this process waits for one of another process (the command line beside the daemon).
const BUSY: Duration = Duration::from_secs(20);

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
    readers: SqlitePool,
    /// One connection for asking whether the database answers, which must not wait behind readers of long lists.
    pulse: SqlitePool,
    /// For readers of long lists. They have connections of their own, half as many: who submits a job does not wait behind
    /// them, and who has the turn to read a list does not wait in the line of everybody else.
    lists: SqlitePool,
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

/// Removes what SQLite noted, as a daemon ended, of tables that were short then. It would read such a table as a whole, and go
/// on so when that has long become a million rows; of a table that it knows nothing of it thinks that it is long.
async fn forget_small_statistics(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    const SHORT: &str = "SELECT tbl FROM sqlite_stat1 GROUP BY tbl HAVING max(CAST(stat AS INTEGER)) < 1000";
    let noted: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE name IN ('sqlite_stat1', 'sqlite_stat4') ORDER BY name DESC",
    )
    .fetch_all(&mut *connection)
    .await?;
    if noted.last().is_none_or(|name| name != "sqlite_stat1") {
        return Ok(());
    }
    let short: Vec<String> = sqlx::query_scalar(SHORT).fetch_all(&mut *connection).await?;
    if short.is_empty() {
        return Ok(());
    }
    let short = serde_json::json!(short).to_string();
    for table in noted {
        let sql = format!("DELETE FROM {table} WHERE tbl IN (SELECT value FROM json_each($1))");
        sqlx::query(AssertSqlSafe(sql)).bind(&short).execute(&mut *connection).await?;
    }
    // What this connection has read of them already is read again.
    sqlx::query("ANALYZE sqlite_schema").execute(connection).await.map(|_| ())
}

impl Store {
    /// Opens the database, makes it if needed, and brings its schema up to date.
    pub async fn open(options: Options) -> Result<Self, StoreError> {
        let refuse = |reason: Unopened| StoreError::Open { path: options.path.clone(), reason };
        let connect = connecting(&options)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .optimize_on_close(options.keeps_statistics, 1000);
        let alone = alone_at(&options.path, options.patience).await.map_err(refuse)?;
        rights::settle(&options.path);
        let mut connection = connect.connect().await.map_err(|e| refuse(Unopened::by(&e)))?;
        wal::begin_counting(&mut connection).await.map_err(|e| refuse(Unopened::by(&e)))?;
        // Not `run`, whose future the compiler cannot prove to be Send.
        let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
        migrated.map_err(|e| refuse(Unopened::by_migration(&e, newest())))?;
        if let Err(error) = forget_small_statistics(&mut connection).await {
            // It works without, only slower if tables have grown.
            tracing::debug!(%error, "statistics of short tables were not removed");
        }
        drop(alone);
        let reading = connect.create_if_missing(false).pragma("query_only", "on").optimize_on_close(false, None);
        Self::of(options, connection, reading).await
    }

    /// Opens a database that may be read but not written: every write is refused. Its schema must be that of this version.
    pub async fn open_read_only(options: Options) -> Result<Self, StoreError> {
        let refuse = |reason: Unopened| StoreError::Open { path: options.path.clone(), reason };
        // SQLite reads a database beside its write-ahead log, and where there is none it would make one. But then nobody
        // has the database open, and all of it is in its one file.
        let reading = connecting(&options).read_only(true).immutable(!wal::path_of(&options.path).exists());
        let mut connection = reading.connect().await.map_err(|e| refuse(Unopened::by(&e)))?;
        check_schema(&mut connection).await.map_err(refuse)?;
        Self::of(options, connection, reading).await
    }

    async fn of(
        options: Options,
        mut connection: SqliteConnection,
        reading: SqliteConnectOptions,
    ) -> Result<Self, StoreError> {
        let refuse = |e: sqlx::Error| StoreError::Open { path: options.path.clone(), reason: Unopened::by(&e) };
        let known = match options.follows_data {
            true => zone::known_zone(&mut connection).await?,
            false => None,
        };
        let zone = known.and_then(|name| name.parse().ok()).unwrap_or(options.zone);
        // There is no wire to this database that could have been cut: to ask first would double the price of a short question.
        let pool = SqlitePoolOptions::new().acquire_timeout(BUSY).test_before_acquire(false);
        let readers = pool.clone().max_connections(options.readers).min_connections(1);
        let readers = readers.connect_with(reading.clone()).await.map_err(refuse)?;
        let lists = pool.clone().max_connections((options.readers / 2).max(1)).connect_lazy_with(reading.clone());
        let pulse = pool.max_connections(1).connect_lazy_with(reading);
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

fn acquired(pool: &SqlitePool) -> BoxFuture<'_, Result<Held, StoreError>> {
    Box::pin(async { pool.acquire().await.map_err(StoreError::doing("get a connection")) })
}

pub(super) fn connecting(options: &Options) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(&options.path)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("temp_store", "memory")
}

/// The number of the schema that this version knows.
fn newest() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// That the schema is the one this version knows, where it cannot be brought up to date.
async fn check_schema(connection: &mut SqliteConnection) -> Result<(), Unopened> {
    let done = sqlx::query_as("SELECT version, checksum FROM _sqlx_migrations WHERE success ORDER BY version");
    let done: Vec<(i64, Vec<u8>)> = done.fetch_all(connection).await.map_err(|e| Unopened::by(&e))?;
    let is_ours = |(version, checksum): &(i64, Vec<u8>)| {
        MIGRATIONS.iter().any(|known| known.version == *version && known.checksum.as_ref() == checksum.as_slice())
    };
    match done.iter().find(|done| !is_ours(done)) {
        Some((found, _)) if *found > newest() => return Err(Unopened::Newer { found: *found, known: newest() }),
        Some((version, _)) => return Err(Unopened::Altered { version: *version }),
        None => {}
    }
    if done.len() < MIGRATIONS.iter().count() { Err(Unopened::Older) } else { Ok(()) }
}

/// Keeps others that open the database at the same moment waiting while it is made and its schema is brought up to date:
/// SQLite has no lock for that, and does not wait for another that switches to the write-ahead log. The lock is on the
/// folder, so that nothing is left behind. Who cannot open the folder hears more from opening the database.
async fn alone_at(database: &Path, patience: Duration) -> Result<Option<File>, Unopened> {
    /// Between two looks at whether the lock is free.
    const PAUSE: Duration = Duration::from_millis(50);
    let folder = database.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(lock) = File::open(folder) else { return Ok(None) };
    for _ in 0..patience.as_millis().div_ceil(PAUSE.as_millis()).max(1) {
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Some(lock)),
            Err(Errno::WOULDBLOCK | Errno::INTR) => tokio::time::sleep(PAUSE).await,
            // Not every file system has locks.
            Err(_) => return Ok(None),
        }
    }
    Err(Unopened::Locked { folder: folder.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn reason(opened: Result<Store, StoreError>) -> Unopened {
        match opened {
            Err(StoreError::Open { reason, .. }) => reason,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    async fn alter(options: &Options, sql: &'static str) {
        let mut connection = connecting(options).connect().await.unwrap();
        sqlx::query(sql).execute(&mut connection).await.unwrap();
        sqlx::Connection::close(connection).await.unwrap();
    }

    #[tokio::test]
    async fn a_lock_that_somebody_keeps_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { patience: Duration::ZERO, ..Options::new(folder.path().join("test.db"), Tz::UTC) };
        let held = File::open(folder.path()).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let locked = reason(Store::open(options.clone()).await).await;
        assert_eq!(locked, Unopened::Locked { folder: folder.path().to_owned() });
        drop(held);
        Store::open(options).await.unwrap();
    }

    #[tokio::test]
    async fn who_may_only_read_reads_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("test.db"), Tz::UTC);
        let nothing = reason(Store::open_read_only(options.clone()).await).await;
        assert!(matches!(nothing, Unopened::Rights(_)), "nothing is made: {nothing}");
        let store = Store::open(options.clone()).await.unwrap();
        store.ping().await.unwrap();
        let beside = Store::open_read_only(options.clone()).await.unwrap();
        assert_eq!(beside.companies().await.unwrap(), []);
        let forgotten = sqlx::query("DELETE FROM _sqlx_migrations");
        let refused = beside
            .write(|tx| {
                Box::pin(async move { forgotten.execute(tx).await.map(|_| ()).map_err(StoreError::doing("forget")) })
            })
            .await;
        assert!(matches!(refused, Err(StoreError::ReadOnly { .. })), "{refused:?}");
        beside.close().await;
        store.close().await;
        assert!(!wal::path_of(&options.path).exists());
        let alone = Store::open_read_only(options.clone()).await.unwrap();
        assert_eq!(alone.companies().await.unwrap(), []);
        alone.close().await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no file beside the database");

        alter(&options, "UPDATE _sqlx_migrations SET version = 99999 WHERE version = 1").await;
        let newer = Unopened::Newer { found: 99999, known: newest() };
        assert_eq!(reason(Store::open_read_only(options.clone()).await).await, newer);
        assert_eq!(reason(Store::open(options.clone()).await).await, newer);
        alter(&options, "DELETE FROM _sqlx_migrations WHERE version = 99999").await;
        assert_eq!(reason(Store::open_read_only(options).await).await, Unopened::Older);
    }

    #[tokio::test]
    async fn a_schema_of_another_build_is_no_newer_one() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("test.db"), Tz::UTC);
        Store::open(options.clone()).await.unwrap().close().await;
        alter(&options, "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 2").await;
        assert_eq!(reason(Store::open(options.clone()).await).await, Unopened::Altered { version: 2 });
        assert_eq!(reason(Store::open_read_only(options).await).await, Unopened::Altered { version: 2 });
    }

    #[tokio::test]
    async fn what_is_damaged_is_called_so_when_it_is_opened_and_when_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("test.db"), Tz::UTC);
        std::fs::write(&options.path, "this is a text and no database ".repeat(200)).unwrap();
        assert_eq!(reason(Store::open(options.clone()).await).await, Unopened::NotADatabase);
        assert_eq!(reason(Store::open_read_only(options.clone()).await).await, Unopened::NotADatabase);
        std::fs::remove_file(&options.path).unwrap();

        let store = Store::open(options.clone()).await.unwrap();
        let root: i64 = sqlx::query_scalar("SELECT rootpage FROM sqlite_schema WHERE name = 'company'")
            .fetch_one(&mut *store.reader().await.unwrap())
            .await
            .unwrap();
        store.close().await;
        let whole = std::fs::read(&options.path).unwrap();
        let overwrite = |page: i64| {
            let mut bytes = whole.clone();
            let at = usize::try_from(page - 1).unwrap() * 4096;
            bytes[at + if page == 1 { 100 } else { 0 }..at + 4096].fill(0x5a);
            std::fs::write(&options.path, bytes).unwrap();
        };
        overwrite(1);
        let damaged = reason(Store::open(options.clone()).await).await;
        assert!(matches!(damaged, Unopened::Damaged(_)), "{damaged}");
        overwrite(root);
        let store = Store::open(options.clone()).await.unwrap();
        let read = store.companies().await;
        assert!(matches!(read, Err(StoreError::Damaged { .. })), "{read:?}");
    }
}
