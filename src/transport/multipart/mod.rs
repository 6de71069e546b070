//! Bodies of several parts (`multipart/…`, RFC 2046 and 7578), read as they come.
//!
//! ```text
//! bytes -> Parser -> Begin(Head), Data, Data, …, End, Begin(Head), …
//! ```
//!
//! [`Parser`] is fed with what has arrived and holds no more of it than the beginning of a line that may be a boundary, or
//! the head of a part. Each byte is looked at once, and what does not end has a bound ([`Limits`]).
//!
//! It reads more than the standards ask for, because clients send it: lines that end with LF alone, spaces after a
//! boundary, and a boundary that is closed after each part and not only after the last one, as the reference of IPS
//! prints it. What is damaged is refused, not guessed at.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod header;
mod parser;
mod transfer;

pub use header::{Head, MediaType};
pub use parser::{Event, Limits, Malformed, Parser};
pub use transfer::Encoding;

#[cfg(test)]
mod tests;
