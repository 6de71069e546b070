//! A look at a database file before anybody opens it to write: whether it is there, and whose it is. Nothing is made and
//! nothing is changed.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;

use super::connection::{Connection, Error, close};
use super::open::connecting;
use super::wal::{self, Stray};
use crate::store::Options;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peeked {
    Missing,
    /// A link to where nothing is.
    LinkToNowhere(PathBuf),
    /// Not a byte, or not a table of ours yet.
    Empty,
    /// Something else than a SQLite database.
    NoDatabase,
    /// The database of another program.
    Foreign,
    /// A write-ahead log lies beside it that is not its own: whoever opens it mixes the two.
    BesideStrayLog(Stray),
    /// Ours, with its random name if it has one yet.
    Ours {
        identity: Option<String>,
        /// Whether there is an asset that has a stored file.
        names_files: bool,
    },
    /// It could not be looked into: whoever opens it will hear why.
    Unknown,
}

/// How every SQLite database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Looks at the database file of a data folder.
pub async fn peek(options: &Options) -> Peeked {
    if let Some(found) = before_opening(&options.path) {
        return found;
    }
    match wal::stray(&options.path) {
        Ok(Some(stray)) => Peeked::BesideStrayLog(stray),
        // Who may not look at the log hears more when it is opened.
        Ok(None) | Err(_) => inside(options).await.unwrap_or(Peeked::Unknown),
    }
}

/// The write-ahead log of a database that is not there, if it holds anything.
pub fn orphaned_log(database: &Path) -> Option<PathBuf> {
    let log = wal::path_of(database);
    fs::metadata(&log).is_ok_and(|found| found.len() > 0).then_some(log)
}

/// Whether an error says that nothing is there. Every other one, as a lack of rights, says nothing about that.
pub fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn before_opening(path: &Path) -> Option<Peeked> {
    match fs::metadata(path) {
        Ok(_) => {}
        Err(error) if is_absence(&error) => {
            return Some(match fs::read_link(path) {
                Ok(target) => Peeked::LinkToNowhere(target),
                Err(_) => Peeked::Missing,
            });
        }
        // Who may not look does not know whether it is there.
        Err(_) => return Some(Peeked::Unknown),
    }
    let mut start = Vec::new();
    let file = fs::File::open(path).ok()?;
    if !file.metadata().ok()?.is_file() {
        return Some(Peeked::Unknown);
    }
    file.take(MAGIC.len() as u64).read_to_end(&mut start).ok()?;
    if start.is_empty() {
        Some(Peeked::Empty)
    } else if start != MAGIC {
        Some(Peeked::NoDatabase)
    } else {
        None
    }
}

async fn inside(options: &Options) -> Result<Peeked, Error> {
    let immutable = !wal::path_of(&options.path).exists();
    let mut connection = connecting(options).read_only(true).immutable(immutable).connect().await?;
    let found = whose(&mut connection).await;
    close(connection).await?;
    found
}

async fn whose(connection: &mut Connection) -> Result<Peeked, Error> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )
    .fetch_all(&mut *connection)
    .await?;
    let has = |name: &str| tables.iter().any(|table| table == name);
    // A first start that broke off leaves the list of migrations, and nothing in it.
    if tables.iter().all(|table| table == "_sqlx_migrations") {
        return Ok(Peeked::Empty);
    }
    if !(has("_sqlx_migrations") && has("system") && has("instance") && has("asset")) {
        return Ok(Peeked::Foreign);
    }
    let identity = sqlx::query_scalar("SELECT value FROM system WHERE key = 'installation'");
    let identity = identity.fetch_optional(&mut *connection).await?;
    let names_files = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM asset WHERE blob > '')");
    Ok(Peeked::Ours { identity, names_files: names_files.fetch_one(connection).await? })
}
