//! SQLite, by sqlx.

pub type Database = sqlx::Sqlite;
pub type Connection = sqlx::SqliteConnection;
pub type Arguments = sqlx::sqlite::SqliteArguments;
pub type Row = sqlx::sqlite::SqliteRow;
pub type Done = sqlx::sqlite::SqliteQueryResult;
pub type Error = sqlx::Error;
pub type Query = sqlx::query::Query<'static, Database, Arguments>;
pub type Scalar<T> = sqlx::query::QueryScalar<'static, Database, T, Arguments>;
pub type Tuple<T> = sqlx::query::QueryAs<'static, Database, T, Arguments>;
pub type Builder = sqlx::QueryBuilder<Database>;

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
