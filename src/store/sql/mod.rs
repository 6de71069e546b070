//! The seam between the store and its database: connections, statements, arguments, rows and errors have their names here, and
//! what databases say in different words is written in one, which each dialect expands ([`fragments`]).
//!
//! The rest of the store is written in what SQLite and PostgreSQL both read.

pub mod fragments;
pub mod postgres;
mod query;
pub mod sqlite;

pub(super) use query::{Builder, Columns, Query, Rows, columns, query, scalar, tuple};
pub(super) use sqlite::{
    Class, Connection, Done, Error, Held, Pool, Readers, Row, begin, class, close, columns_of, full_check, open,
    open_read_only, quick_check, reference_check,
};
pub(super) use sqlx::{Arguments as Add, Row as Cells};

use sqlite::Database;

/// What a column of a row can be read as.
pub(super) trait Readable<'r>: sqlx::Decode<'r, Database> + sqlx::Type<Database> {}

impl<'r, T: sqlx::Decode<'r, Database> + sqlx::Type<Database>> Readable<'r> for T {}

/// What an argument of a statement can be.
pub(super) trait Bindable<'t>: sqlx::Encode<'t, Database> + sqlx::Type<Database> {}

impl<'t, T: sqlx::Encode<'t, Database> + sqlx::Type<Database>> Bindable<'t> for T {}
