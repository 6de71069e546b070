//! Prepress: a persistent job queue daemon for image production that speaks the SOAP API of the
//! Scene7 Image Production System (IPS).
//!
//! One way through, and no way back up except a query:
//!
//! ```text
//! transport  -> service -> store -> model      what a caller asks
//! engine     -> executors -> assets, media     what the daemon does with it
//! ```
//!
//! `outward` is the guard before HTTP to servers that are not trusted, and knows how their addresses may be shown.
//!
//! The import rule, which `tests/architecture.rs` checks: `transport` uses `service`; `service` uses `store`;
//! `engine` uses `service`, `store` and `executors`; `executors` use `assets`, `media` and the store's narrow handle;
//! `model` uses nothing of ours, and `media` nothing but `serving`, the commands of the image-serving protocol, which use
//! nothing. `contract` is data about the API and may be read by all but them.
//! Only `store::sql` names sqlx, only `transport` names HTTP servers, only it and the metadata in
//! `media` XML, only `clock` asks for the time.

pub mod assets;
pub mod clock;
pub mod config;
pub mod contract;
pub mod daemon;
pub mod engine;
pub mod executors;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod mail;
pub mod media;
pub mod model;
pub mod outward;
pub mod service;
pub mod serving;
pub mod store;
pub mod transport;
pub mod words;
