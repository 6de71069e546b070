//! Translates between callers and services: SOAP, JSON and the command line.

pub mod cli;
pub mod json;
pub mod soap;
