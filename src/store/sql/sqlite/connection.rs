//! The connection to SQLite, by sqlx.

pub type Database = sqlx::Sqlite;
pub type Connection = sqlx::SqliteConnection;
pub type Arguments = sqlx::sqlite::SqliteArguments;
pub type Row = sqlx::sqlite::SqliteRow;
pub type Done = sqlx::sqlite::SqliteQueryResult;
pub type Error = sqlx::Error;
pub type Pool = sqlx::SqlitePool;
/// Of a pool.
pub type Held = sqlx::pool::PoolConnection<Database>;

/// Ends a connection in good order.
pub async fn close(connection: Connection) -> Result<(), Error> {
    sqlx::Connection::close(connection).await
}

/// Tables and their columns that are called so, or end so behind a low line.
pub async fn columns_of(connection: &mut Connection, name: &str) -> Result<Vec<(String, String)>, Error> {
    const COLUMNS: &str = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND (c.name = $1 OR c.name LIKE '%\\_' || $1 ESCAPE '\\')";
    sqlx::query_as(COLUMNS).bind(name).fetch_all(connection).await
}

/// What of SQLite's result codes has a meaning of its own here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Full,
    Rights,
    Damaged,
    NotADatabase,
    Busy,
    Constraint,
    Other,
}

/// SQLite's primary result codes (the low byte of the extended one).
const SQLITE_BUSY: i32 = 5;
const SQLITE_READONLY: i32 = 8;
const SQLITE_CORRUPT: i32 = 11;
const SQLITE_FULL: i32 = 13;
const SQLITE_CANTOPEN: i32 = 14;
const SQLITE_CONSTRAINT: i32 = 19;
const SQLITE_NOTADB: i32 = 26;

/// The extended code of an error that has but one cause in practice: there is no room for the index of the log.
const SQLITE_IOERR_SHMSIZE: i32 = 4874;

pub fn class(error: &Error) -> Class {
    let code = error.as_database_error().and_then(|e| e.code()).and_then(|code| code.parse::<i32>().ok());
    match code.map(|code| if code == SQLITE_IOERR_SHMSIZE { SQLITE_FULL } else { code & 0xff }) {
        Some(SQLITE_FULL) => Class::Full,
        Some(SQLITE_READONLY | SQLITE_CANTOPEN) => Class::Rights,
        Some(SQLITE_CORRUPT) => Class::Damaged,
        Some(SQLITE_NOTADB) => Class::NotADatabase,
        Some(SQLITE_BUSY) => Class::Busy,
        Some(SQLITE_CONSTRAINT) => Class::Constraint,
        Some(_) | None => Class::Other,
    }
}
