//! The only place with SQL: one file an aggregate.
//!
//! One writer owns the only connection that writes (`writer.rs`): whatever waits for it is done in one transaction and
//! one fsync, and nobody is answered before the commit. Readers come from a pool and see the last commit. Every write of
//! a state names the state it expects, and of a running attempt its token, and checks that exactly one row changed.

mod bulk;
pub mod effect;
mod error;
pub mod numbers;
mod open;
mod rights;
mod rows;
mod signal;
pub mod sql;
mod stats;
mod system;
mod transaction;
mod writer;

pub mod accounts;
pub mod assets;
pub mod candidates;
pub mod cleanup;
pub mod clock;
pub mod companies;
pub mod condemned;
pub mod contexts;
pub mod exports;
pub mod files;
pub mod folders;
pub mod image_formats;
pub mod jobs;
pub mod metadata_fields;
pub mod overview;
pub mod pictures;
pub mod property_sets;
pub mod publishing;

pub use error::{StoreError, Unopened};
pub use open::{Options, Reads, Store};
pub use rights::open_to_others;
pub use signal::{Bell, Signals};
pub use sql::sqlite::{Stray, limit, peek, sample};
pub use stats::{AttemptResult, Stats};
pub use transaction::Transaction;
