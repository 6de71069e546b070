//! What tests of the running daemon share: a data folder, a clock that is moved by hand, and an engine whose executors
//! the test plays itself.
//!
//! Nothing here sleeps. A test waits for what it has caused by listening: on the channel of the attempts that begin, or by
//! looking at the database until it says so, with a guard against waiting for ever.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod attempt;
mod daemon;
mod database;
mod script;
mod sent;
mod world;

pub use attempt::{Attempt, picture};
pub use daemon::{Daemon, policy};
pub use database::{Database, options};
pub use script::{Call, Calls, Scripted, stage};
pub use sent::{Sent, Wire};
pub use world::{Plan, World, at, company, eventually, publish, upload};
