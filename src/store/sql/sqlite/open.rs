//! Connecting to a database file, making it, and bringing its schema up to date.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions};

use super::connection::{Connection, Error, Pool};
use super::migrations::MIGRATIONS;
use super::wal;
use crate::store::{Options, Unopened, rights};

/// How long a writer of this process waits for one of another process (the command line beside the daemon).
const BUSY: Duration = Duration::from_secs(20);

/// How those connect that read.
pub struct Readers(SqliteConnectOptions);

impl Readers {
    /// At most so many, of which one is there already.
    pub async fn begun(&self, most: u32) -> Result<Pool, Error> {
        Self::pool(most).min_connections(1).connect_with(self.0.clone()).await
    }

    /// At most so many, each of which connects when it is asked for.
    pub fn lazy(&self, most: u32) -> Pool {
        Self::pool(most).connect_lazy_with(self.0.clone())
    }

    fn pool(most: u32) -> SqlitePoolOptions {
        // There is no wire to this database that could have been cut: to ask first would double the price of a short question.
        SqlitePoolOptions::new().acquire_timeout(BUSY).test_before_acquire(false).max_connections(most)
    }
}

/// Makes the database if needed, brings its schema up to date, and gives the connection that writes.
pub async fn open(options: &Options) -> Result<(Connection, Readers), Unopened> {
    let connect = connecting(options)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .optimize_on_close(options.keeps_statistics, 1000);
    let alone = alone_at(&options.path, options.patience).await?;
    rights::settle(&options.path);
    let mut connection = connect.connect().await.map_err(|e| Unopened::by(&e))?;
    wal::begin_counting(&mut connection).await.map_err(|e| Unopened::by(&e))?;
    // Not `run`, whose future the compiler cannot prove to be Send.
    let migrated = MIGRATIONS.run_direct(None, &mut connection, false).await;
    migrated.map_err(|e| unmigrated(&e))?;
    if let Err(error) = forget_small_statistics(&mut connection).await {
        // It works without, only slower if tables have grown.
        tracing::debug!(%error, "statistics of short tables were not removed");
    }
    drop(alone);
    let reading = connect.create_if_missing(false).pragma("query_only", "on").optimize_on_close(false, None);
    Ok((connection, Readers(reading)))
}

/// Connects to a database that may be read but not written: every write is refused. Its schema must be that of this version.
pub async fn open_read_only(options: &Options) -> Result<(Connection, Readers), Unopened> {
    // SQLite reads a database beside its write-ahead log, and where there is none it would make one. But then nobody
    // has the database open, and all of it is in its one file.
    let reading = connecting(options).read_only(true).immutable(!wal::path_of(&options.path).exists());
    let mut connection = reading.connect().await.map_err(|e| Unopened::by(&e))?;
    check_schema(&mut connection).await?;
    Ok((connection, Readers(reading)))
}

/// Removes what SQLite noted, as a daemon ended, of tables that were short then. It would read such a table as a whole, and go
/// on so when that has long become a million rows; of a table that it knows nothing of it thinks that it is long.
async fn forget_small_statistics(connection: &mut Connection) -> Result<(), Error> {
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

pub fn connecting(options: &Options) -> SqliteConnectOptions {
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

/// Why the schema was not brought up to date.
fn unmigrated(error: &MigrateError) -> Unopened {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Unopened::by(error),
        // Numbers only ever grow, so that one below ours is of a build that branched off.
        MigrateError::VersionMissing(found) if *found > newest() => Unopened::Newer { found: *found, known: newest() },
        MigrateError::VersionMissing(version) | MigrateError::VersionMismatch(version) => {
            Unopened::Altered { version: *version }
        }
        other => Unopened::Other(other.to_string()),
    }
}

/// That the schema is the one this version knows, where it cannot be brought up to date.
async fn check_schema(connection: &mut Connection) -> Result<(), Unopened> {
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
    use chrono_tz::Tz;

    use super::*;
    use crate::store::{Store, StoreError};

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
