//! The life of jobs, from their submission to what the world outside hears of their end, under a clock that is moved by
//! hand and through crashes of the daemon.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod attempts;
mod completion;
mod control;
mod crash;
mod dispatch;
mod fences;
mod lists;
mod mark;
mod outbox;
mod plans;
mod posts;
mod recorder;
mod retention;
mod schedule;
mod statements;
mod upgrade;
mod writer;
mod wrong_clock;
mod zones;
