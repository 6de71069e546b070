//! Jobs, their runs, and everything that happens to a run.

pub mod attempt;
pub mod claim;
pub mod control;
pub mod finish;
pub(in crate::store) mod lines;
pub mod named;
pub mod outbox;
mod overlap;
mod pick;
pub mod posts;
pub mod query;
pub mod rescue;
pub mod retention;
pub mod submit;
pub mod triggers;
pub mod zone;

use crate::model::id::InstanceId;

/// What an attempt must name with everything it writes. A run that was claimed again has another attempt number, and
/// a write with an old one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fence {
    pub instance: InstanceId,
    pub attempt: i64,
}
