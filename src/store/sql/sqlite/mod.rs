//! SQLite, by sqlx: all that is particular to it.

mod connection;
mod itself;
pub mod limit;
mod migrations;
mod open;
pub mod peek;
pub mod sample;
mod wal;
mod words;

pub(super) use connection::Database;
pub use connection::{Arguments, Class, Connection, Done, Error, Held, Pool, Row, class, close, columns_of};
pub use itself::{full_check, quick_check, reference_check};
pub use open::{Readers, open, open_read_only};
pub use wal::{Stray, begin};
pub use words::Sqlite;
