//! Translates between callers and services: SOAP, JSON and the command line.

pub(crate) mod budget;
pub(crate) mod certificates;
pub mod cli;
pub(crate) mod connections;
pub(crate) mod exports;
pub(crate) mod front;
pub mod json;
pub mod multipart;
pub(crate) mod proxies;
mod ranking;
pub(crate) mod seldom;
pub mod soap;
pub mod upload;
