//! Looking at jobs: what runs, what waits and why, what was.

mod details;
mod notices;
mod runs;
mod scheduled;
mod slots;

pub use details::{Detail, DetailFilter};
pub use notices::Notice;
pub use runs::{Run, RunFilter, RunOrder};
pub use scheduled::ScheduledJob;
pub use slots::SlotRecord;
