//! The seam between the store and its database: connections, statements, arguments, rows and errors have their names here, and
//! what databases say in different words is written in one word, which each dialect expands ([`fragments`]).
//!
//! The rest of the store is written in what SQLite and PostgreSQL both read.

mod fragments;
mod sqlite;

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, FromRow, SqlSafeStr, SqlStr};

pub(super) use sqlite::{Arguments, Builder, Class, Connection, Done, Error, Query, Row, Scalar, Tuple, class};
pub(super) use sqlx::{Arguments as Add, Row as Cells};

/// What a column of a row can be read as.
pub(super) trait Readable<'r>: sqlx::Decode<'r, Database> + sqlx::Type<Database> {}

impl<'r, T: sqlx::Decode<'r, Database> + sqlx::Type<Database>> Readable<'r> for T {}

use sqlite::Database;

/// Of this database.
pub(super) type Held = sqlx::pool::PoolConnection<Database>;

/// A statement: numbered parameters (`$1`), and the fragments of [`fragments`].
pub(super) fn query(text: impl Into<Cow<'static, str>>) -> Query {
    sqlx::query(expanded(text.into()))
}

/// A statement whose rows have one column.
pub(super) fn scalar<T>(text: impl Into<Cow<'static, str>>) -> Scalar<T>
where
    (T,): for<'r> FromRow<'r, Row>,
{
    sqlx::query_scalar(expanded(text.into()))
}

/// A statement whose rows are tuples of their columns.
pub(super) fn tuple<T>(text: impl Into<Cow<'static, str>>) -> Tuple<T>
where
    T: for<'r> FromRow<'r, Row>,
{
    sqlx::query_as(expanded(text.into()))
}

/// A statement whose arguments are there already.
pub(super) fn with(text: impl Into<Cow<'static, str>>, arguments: Arguments) -> Query {
    sqlx::query_with(expanded(text.into()), arguments)
}

/// Ends a connection in good order.
pub(super) async fn close(connection: Connection) -> Result<(), Error> {
    sqlx::Connection::close(connection).await
}

fn expanded(text: Cow<'static, str>) -> SqlStr {
    match fragments::expand(text) {
        Cow::Borrowed(text) => text.into_sql_str(),
        // What is not part of the program is bound, not written into a statement.
        Cow::Owned(text) => AssertSqlSafe(text).into_sql_str(),
    }
}
