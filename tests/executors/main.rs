//! Executors carry out real jobs: real files, a real database, real pictures, real HTTP servers.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

mod child;
mod contexts;
mod optimize;
mod pages;
mod publish;
mod sets;
mod upload;
mod urls;
mod video_publish;
mod videos;
mod world;
