//! Executors carry out real jobs: real files, a real database, real pictures, real HTTP servers.

mod optimize;
mod publish;
mod upload;
mod urls;
mod world;
