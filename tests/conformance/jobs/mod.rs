//! The life of jobs, from their submission to what the world outside hears of their end, under a clock that is moved by
//! hand and through crashes of the daemon.

mod attempts;
mod completion;
mod control;
mod crash;
mod dispatch;
mod fences;
mod lists;
mod mark;
mod outbox;
mod posts;
mod retention;
mod schedule;
mod writer;
mod wrong_clock;
mod zones;
