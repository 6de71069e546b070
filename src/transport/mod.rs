//! Translates between callers and services: SOAP, JSON and the command line.

pub mod cli;
pub(crate) mod connections;
pub(crate) mod exports;
pub mod json;
pub(crate) mod proxies;
pub mod soap;
pub mod upload;
