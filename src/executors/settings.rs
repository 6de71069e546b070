//! What the configuration says to executors.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::config::{Config, Fetch, Ingest, Media};
use crate::media;
use crate::media::pdf::PageLimits;
use crate::media::postscript::PostScriptLimits;
use crate::outward::addresses;

#[derive(Debug, Clone)]
pub struct Settings {
    /// Above the companies' folders that upload jobs read.
    pub ingest_root: PathBuf,
    /// Above the trees of published files.
    pub publish_root: PathBuf,
    /// Where child processes get their private folders, and pictures that do not fit into memory are set aside.
    pub scratch: PathBuf,
    /// This program, which children start as.
    pub binary: PathBuf,
    pub ingest: Ingest,
    pub fetch: Fetch,
    pub media: Media,
    /// Which addresses may be fetched from.
    pub reachable: fn(IpAddr) -> bool,
    /// Files that one job works on at the same time.
    pub parallel: usize,
}

impl Settings {
    pub fn new(config: &Config) -> Self {
        Self {
            ingest_root: config.ingest_root(),
            publish_root: config.publish_root(),
            scratch: config.data().join("scratch"),
            binary: media::child::RUNNING_BINARY.into(),
            ingest: config.ingest.clone(),
            fetch: config.fetch.clone(),
            media: config.media.clone(),
            reachable: if config.fetch.allow_private { |_| true } else { addresses::is_public },
            parallel: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    pub fn picture_options(&self) -> media::Options {
        media::Options {
            tile: self.media.tile,
            quality: self.media.jpeg_quality,
            thumbnail_side: self.media.thumbnail_side,
            ..media::Options::default()
        }
    }

    pub fn page_limits(&self) -> PageLimits {
        PageLimits { picture: self.picture_limits(), time: self.media.page_time.duration() }
    }

    /// A whole file is converted at once, of whatever length.
    pub fn post_script_limits(&self) -> PostScriptLimits {
        PostScriptLimits { time: self.media.page_time.duration() * 10, memory: self.media.memory.get() }
    }

    pub fn picture_limits(&self) -> media::Limits {
        media::Limits {
            max_pixels: self.media.max_pixels,
            max_side: self.media.max_side,
            max_source_bytes: u64::MAX,
            max_memory: self.media.memory.get() / self.parallel.max(1) as u64,
            scratch: self.scratch.clone(),
        }
    }
}
