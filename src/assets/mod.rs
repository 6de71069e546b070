//! Files of assets: the store of their contents, the folders they come from, and what kind a file is.

pub mod blobs;
pub mod exports;
pub mod ingest;
pub mod manifest;
pub mod mark;
pub mod marks;
#[cfg(test)]
mod nobody;
pub mod patience;
pub mod published;
pub mod recognize;
pub mod room;
pub mod stamp;
#[cfg(test)]
mod two_disks;
