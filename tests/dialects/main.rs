//! What is particular to a database: how SQLite finds what it is asked for, what PostgreSQL reads of the same statements,
//! and databases of earlier versions.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod plans;
mod recorder;
mod statements;
mod upgrade;
