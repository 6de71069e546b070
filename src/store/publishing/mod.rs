//! What is published where, and how far the two trees of a context have come.
//!
//! `publication` is written before any file is touched, and each change carries the number of the publish that made it
//! (`seq`). A tree that holds everything up to a number is brought up to date by the rows with a higher one, however
//! often that is begun. Rows of files that leave stay until both trees have heard of them, and a log has named them.
//!
//! A number is good for one turn. It is checked in each transaction that writes under it: once another publish has taken
//! the next one, or a tree holds this one, a row that was still written under it would never come to that tree. Whoever
//! finds that it was passed takes a new number and begins anew.

mod changes;
mod contexts;
mod definitions;
mod publications;
mod state;
mod states;
mod step;
mod write;

use crate::model::constants;

pub use contexts::{ContextState, Site};
pub use publications::{Cursor, Publication};
pub use state::{AssetState, MemberState};
pub use step::{Begun, FORGOTTEN_AT_ONCE, PublishStep, Published, Seen, Wanted, WantedFile, Withdrawn};
pub(super) use write::apply;

constants! {
    /// One of the two trees of a context.
    pub enum Side("side") { A, B }
}

impl Side {
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As the database and the file system spell it.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}
