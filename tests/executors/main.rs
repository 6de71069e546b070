//! Executors carry out real jobs: real files, a real database, real pictures, real HTTP servers.

mod publish;
mod upload;
mod world;
