//! Translates between callers and services: SOAP, JSON and the command line.

pub mod cli;
pub(crate) mod connections;
pub mod json;
pub mod soap;
pub mod upload;
