//! Whether the write-ahead log that lies beside a database is its own.
//!
//! SQLite carries out every whole log that it finds beside a database, whichever database it is of. A backup that was copied
//! over a database whose daemon was killed would become a mixture of both, which is found out much later, or never. So each
//! transaction of the writer counts one further in a field that the first page of every database has for its users
//! (`user_version`), and that page is in the log with each of them. The database itself was left by the last transaction that
//! was taken over from the log, or by the one before the first of the log: any other number is of another time, or of another
//! database, for a new one begins anywhere. A copy that `VACUUM INTO` made is told by the number of its schema: it is one higher
//! than that of the original, and its pages lie otherwise.
//!
//! What others write by hand is not counted, and counts as done with the transaction before it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sqlx::AssertSqlSafe;

use super::connection::{Connection, Error};
use crate::store::StoreError;

/// Of SQLite's file formats: where the first page has `user_version`, the number of its schema, and the size of a page.
const VERSION_AT: u64 = 60;
const SCHEMA_AT: u64 = 40;
const PAGE_SIZE_AT: u64 = 16;

/// The head of a log and of a page in it.
const LOG_HEAD: u64 = 32;
const FRAME_HEAD: u64 = 24;

/// How often a log is looked at that somebody writes to meanwhile. Who does has found it to be right.
const LOOKS: u32 = 5;

/// A log that belongs to another database, or to another time of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    pub log: PathBuf,
}

/// Where the log of a database lies: beside the file itself, wherever a link leads to it.
pub fn path_of(database: &Path) -> PathBuf {
    let aimed_at = || Some(database.parent()?.join(fs::read_link(database).ok()?));
    let path = fs::canonicalize(database).ok().or_else(aimed_at).unwrap_or_else(|| database.to_owned());
    let mut name = path.into_os_string();
    name.push("-wal");
    name.into()
}

/// The log beside a database, if it cannot be the database's own. For who has the database not open yet: closing the file would
/// undo SQLite's locks.
pub fn stray(database: &Path) -> io::Result<Option<Stray>> {
    let log = path_of(database);
    for _ in 0..LOOKS {
        let Some(before) = Head::of(&log)? else { return Ok(None) };
        let file = File::open(database)?;
        if file.metadata()?.len() <= number(&file, PAGE_SIZE_AT, 2)?.into() {
            // Nothing was ever taken over: all that there is is in the log.
            return Ok(None);
        }
        let (left_at, schema) = (number(&file, VERSION_AT, 4)?, number(&file, SCHEMA_AT, 4)?);
        if schema == 0 {
            // No table has reached it yet: its first taking over was cut.
            return Ok(None);
        }
        let span = before.span()?;
        if Head::of(&log)?.is_some_and(|after| after.salts == before.salts) {
            let is_own = span.is_none_or(|span| {
                // Numbers that begin again behind the highest are as near to each other as others.
                let before_first = span.first.wrapping_sub(1);
                schema <= span.schema && left_at.wrapping_sub(before_first) <= span.more.saturating_add(1)
            });
            return Ok((!is_own).then_some(Stray { log }));
        }
    }
    Ok(None)
}

/// The beginning of a log.
struct Head {
    file: File,
    page: u64,
    /// They are others whenever the log begins anew, and each page that was written since has them.
    salts: u64,
}

impl Head {
    /// None if nothing is in it that SQLite would read.
    fn of(log: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(log) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        if file.metadata()?.len() <= LOG_HEAD {
            return Ok(None);
        }
        let page = u64::from(number(&file, 8, 4)?);
        let salts = salts(&file, 16)?;
        Ok((page.is_power_of_two() && page <= 1 << 16).then_some(Self { file, page, salts }))
    }

    /// None if the log does not have the first page.
    fn span(&self) -> io::Result<Option<Span>> {
        let length = self.file.metadata()?.len();
        let mut span: Option<Span> = None;
        let mut at = LOG_HEAD;
        while at + FRAME_HEAD + self.page <= length && salts(&self.file, at + 8)? == self.salts {
            if number(&self.file, at, 4)? == 1 {
                let count = number(&self.file, at + FRAME_HEAD + VERSION_AT, 4)?;
                let schema = number(&self.file, at + FRAME_HEAD + SCHEMA_AT, 4)?;
                span = Some(span.map_or(Span { first: count, more: 0, schema }, |span| Span {
                    // What was written and then undone may still lie behind what came later.
                    more: span.more.max(count.wrapping_sub(span.first)),
                    schema: span.schema.max(schema),
                    ..span
                }));
            }
            at += FRAME_HEAD + self.page;
        }
        Ok(span)
    }
}

/// What the first page counts where the log has it first, how much further it gets, and the highest number of its schemas.
#[derive(Clone, Copy)]
struct Span {
    first: u32,
    more: u32,
    schema: u32,
}

fn number(file: &File, at: u64, bytes: usize) -> io::Result<u32> {
    let mut whole = [0; 4];
    file.read_exact_at(&mut whole[4 - bytes..], at)?;
    Ok(u32::from_be_bytes(whole))
}

fn salts(file: &File, at: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, at)?;
    Ok(u64::from_be_bytes(bytes))
}

/// A transaction of the writer that has begun.
#[derive(Debug, Clone, Copy)]
pub struct Begun {
    version: i32,
    changes: i64,
}

/// Begins a transaction.
pub async fn begin(connection: &mut Connection) -> Result<Begun, StoreError> {
    const BEGIN: &str = "BEGIN IMMEDIATE; SELECT user_version, total_changes() FROM pragma_user_version";
    let (version, changes) =
        sqlx::query_as(BEGIN).fetch_one(connection).await.map_err(StoreError::doing("begin a transaction"))?;
    Ok(Begun { version, changes })
}

impl Begun {
    /// Commits it, as one more if it has changed anything.
    pub async fn commit(self, connection: &mut Connection) -> Result<(), StoreError> {
        let failed = || StoreError::doing("commit");
        let changes: i64 =
            sqlx::query_scalar("SELECT total_changes()").fetch_one(&mut *connection).await.map_err(failed())?;
        let commit = if changes == self.changes {
            "COMMIT".to_owned()
        } else {
            format!("PRAGMA user_version = {}; COMMIT", self.version.wrapping_add(1))
        };
        sqlx::query(AssertSqlSafe(commit)).persistent(false).execute(connection).await.map(|_| ()).map_err(failed())
    }
}

/// Lets the counting of a database that has nothing in it begin anywhere, so that no log of another one continues it.
pub async fn begin_counting(connection: &mut Connection) -> Result<(), Error> {
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut *connection).await?;
    if tables > 0 {
        return Ok(());
    }
    let random: i32 = sqlx::query_scalar("SELECT random() >> 33").fetch_one(&mut *connection).await?;
    sqlx::query(AssertSqlSafe(format!("PRAGMA user_version = {random}"))).execute(connection).await.map(|_| ())
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;
    use sqlx::{Connection as _, SqliteConnection};

    use super::*;
    use crate::store::{Options, Store};

    struct Lived {
        folder: tempfile::TempDir,
        store: Store,
    }

    impl Lived {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(Options::new(folder.path().join("a.db"), Tz::UTC)).await.unwrap();
            Self { folder, store }
        }

        async fn execute(&self, sql: &'static str) {
            let done = self.store.write(move |tx| {
                Box::pin(
                    async move { sqlx::query(sql).execute(tx).await.map(|_| ()).map_err(StoreError::doing("test")) },
                )
            });
            done.await.unwrap();
        }

        /// A transaction that fills some pages.
        async fn write(&self) {
            self.execute("INSERT INTO system (key, value) VALUES (hex(randomblob(8)), hex(randomblob(30000)))").await;
        }

        /// The database and its log as a process leaves them that is killed now.
        fn killed(&self) -> (Vec<u8>, Vec<u8>) {
            (fs::read(self.folder.path().join("a.db")).unwrap(), fs::read(self.folder.path().join("a.db-wal")).unwrap())
        }

        /// The same, after the log was taken over as a whole.
        async fn taken_over(&self) -> (Vec<u8>, Vec<u8>) {
            let mut connection = SqliteConnection::connect(self.store.path().to_str().unwrap()).await.unwrap();
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut connection).await.unwrap();
            let found = self.killed();
            connection.close().await.unwrap();
            found
        }

        async fn backup(&self) -> Vec<u8> {
            let target = tempfile::tempdir().unwrap();
            let path = target.path().join("backup.db");
            let into = AssertSqlSafe(format!("VACUUM INTO '{}'", path.display()));
            let mut connection = SqliteConnection::connect(self.store.path().to_str().unwrap()).await.unwrap();
            sqlx::query(into).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            fs::read(path).unwrap()
        }
    }

    fn is_stray(database: &[u8], log: &[u8]) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.db");
        fs::write(&path, database).unwrap();
        fs::write(folder.path().join("b.db-wal"), log).unwrap();
        stray(&path).unwrap().is_some()
    }

    #[tokio::test]
    async fn a_log_belongs_to_the_database_that_it_was_written_beside() {
        let lived = Lived::new().await;
        let other = Lived::new().await;
        let mut moments = Vec::new();
        let mut backups = Vec::new();
        // The log of about 1000 pages begins anew several times.
        for round in 0..400 {
            lived.write().await;
            let (database, log) = lived.killed();
            assert!(!is_stray(&database, &log), "{round}");
            if round % 80 == 79 {
                backups.push(lived.backup().await);
                moments.push((database, log));
            }
        }
        for _ in 0..80 {
            other.write().await;
        }
        let (first, last) = (moments.first().unwrap(), moments.last().unwrap());
        assert!(!moments.iter().any(|moment| moment.1[16..24] == other.killed().1[16..24]));
        assert!(moments.windows(2).all(|two| two[0].1[16..24] != two[1].1[16..24]), "each has a log of its own");
        assert!(is_stray(&first.0, &last.1) && is_stray(&last.0, &first.1), "an earlier or later database");
        assert!(is_stray(&backups[0], &last.1) && is_stray(&backups[0], &moments[2].1), "a backup");
        assert!(is_stray(backups.last().unwrap(), &last.1), "a backup that is not made page by page, of the same hour");
        assert!(is_stray(&last.0, &other.killed().1) && is_stray(&other.killed().0, &last.1), "another database");
        assert!(!is_stray(&last.0, &last.1[..32]) && !is_stray(&last.0, b""), "nothing is in it");

        // What nobody counts fits between what is counted: somebody who writes by hand.
        let mut by_hand = SqliteConnection::connect(lived.store.path().to_str().unwrap()).await.unwrap();
        for _ in 0..60 {
            let insert = "INSERT INTO system (key, value) VALUES (hex(randomblob(8)), hex(randomblob(90000)))";
            sqlx::query(insert).execute(&mut by_hand).await.unwrap();
            let (database, log) = lived.killed();
            assert!(!is_stray(&database, &log));
        }
        by_hand.close().await.unwrap();
        lived.write().await;
        let (database, log) = lived.killed();
        assert!(!is_stray(&database, &log));
        lived.store.close().await;
        other.store.close().await;
    }

    /// A large transaction that was undone after it had begun to write leaves pages behind those that are written in its place.
    #[tokio::test]
    async fn what_was_undone_does_not_count() {
        let lived = Lived::new().await;
        for _ in 0..3 {
            lived.write().await;
        }
        let (_, log) = lived.killed();
        let page = u32::from_be_bytes(log[8..12].try_into().unwrap()) as usize;
        let frames = log[LOG_HEAD as usize..].chunks_exact(FRAME_HEAD as usize + page);
        let first = frames.into_iter().find(|frame| frame[..4] == [0, 0, 0, 1]).unwrap().to_vec();
        lived.write().await;
        let (database, log) = lived.taken_over().await;
        assert!(!is_stray(&database, &log));
        assert!(!is_stray(&database, &[log, first].concat()), "the highest counts, wherever it lies");
        lived.store.close().await;
    }

    #[tokio::test]
    async fn what_changes_nothing_is_not_counted() {
        let lived = Lived::new().await;
        lived.write().await;
        let before = lived.killed();
        lived.execute("DELETE FROM system WHERE key = 'no such key'").await;
        assert!(lived.killed() == before, "nothing is written to the disk");
        lived.store.close().await;
    }
}
