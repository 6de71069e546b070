//! Jobs, their runs, and everything that happens to a run.

pub mod submit;
