//! Looking at jobs.
