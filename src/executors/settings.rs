//! What the configuration says to executors.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use chrono::TimeDelta;

use crate::config::{Archive, Config, Export, Fetch, Ingest, JpegChroma, Media, PageAnnotations, Poppler, Size};
use crate::media::child::PoolLimits;
use crate::media::pdf::{self, PageLimits};
use crate::media::postscript::PostScriptLimits;
use crate::media::{self, MediaError};
use crate::outward::addresses;

/// An ICC profile, and the hash it is known by.
#[derive(Debug, Clone)]
pub struct CmykProfile {
    bytes: Arc<[u8]>,
    pub hash: String,
}

impl CmykProfile {
    fn read(path: &Path) -> Result<Self, MediaError> {
        let bytes = media::read_cmyk_profile(path)?;
        let hash = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { bytes, hash })
    }
}

/// How much of the memory for pictures a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// One of as many shares as files are in work at a time.
    Share,
    /// All of it, while nobody else has any.
    All,
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Above the companies' folders that upload jobs read.
    pub ingest_root: PathBuf,
    /// Above the trees of published files.
    pub publish_root: PathBuf,
    /// Where the published videos are served.
    pub video_root_url: Option<String>,
    /// Where child processes get their private folders, and pictures that do not fit into memory are set aside.
    pub scratch: PathBuf,
    /// This program, which children start as.
    pub binary: PathBuf,
    /// Above the files of exports.
    pub export_root: PathBuf,
    /// What clients know this server as, if the configuration says so.
    pub public_url: Option<String>,
    /// What they may try where nothing better is known.
    pub own_url: String,
    pub export: Export,
    pub ingest: Ingest,
    pub archive: Archive,
    pub fetch: Fetch,
    pub media: Media,
    /// Taken for CMYK pictures that bring none.
    pub cmyk_profile: Option<CmykProfile>,
    /// Which addresses may be fetched from.
    pub reachable: fn(IpAddr) -> bool,
    /// How long assets stay in the trash.
    pub trash: TimeDelta,
    /// From which share of the stored files on, in percent, it is unusual that nothing refers to them.
    pub max_orphans: u32,
    /// Bytes of stored files that Cleanup reads each night to see whether they are sound.
    pub scrub: u64,
    /// Files that one job works on at the same time.
    pub parallel: usize,
}

impl Settings {
    pub fn new(config: &Config) -> Self {
        Self {
            ingest_root: config.ingest_root(),
            publish_root: config.publish_root(),
            video_root_url: config.publish.video_root_url.as_ref().map(|url| url.as_str().to_owned()),
            scratch: config.data().join("scratch"),
            binary: media::child::RUNNING_BINARY.into(),
            export_root: config.export_root(),
            public_url: config.server.public_url.as_ref().map(|url| url.as_str().trim_end_matches('/').to_owned()),
            own_url: format!("http://{}", config.server.listen),
            export: config.export.clone(),
            ingest: config.ingest.clone(),
            archive: config.archive.clone(),
            fetch: config.fetch.clone(),
            media: config.media.clone(),
            cmyk_profile: None,
            reachable: if config.fetch.allow_private { |_| true } else { addresses::is_public },
            trash: config.retention.trash.delta(),
            max_orphans: config.retention.max_orphans,
            scrub: config.retention.scrub.get(),
            parallel: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// Reads the files that the configuration names.
    pub fn read_files(mut self) -> Result<Self, MediaError> {
        self.cmyk_profile = self.media.cmyk_profile.as_deref().map(CmykProfile::read).transpose()?;
        Ok(self)
    }

    pub fn picture_options(&self) -> media::Options {
        media::Options {
            tile: self.media.tile,
            quality: self.media.jpeg_quality,
            chroma: match self.media.jpeg_chroma {
                JpegChroma::Auto => media::Chroma::ByQuality,
                JpegChroma::Half => media::Chroma::Half,
                JpegChroma::Full => media::Chroma::Full,
            },
            thumbnail_side: self.media.thumbnail_side,
            cmyk_profile: self.cmyk_profile.as_ref().map(|profile| profile.bytes.clone()),
            blacks: media::Blacks::compensated(self.media.black_point_compensation),
            ..media::Options::default()
        }
    }

    pub fn page_limits(&self, room: Room) -> PageLimits {
        let picture = media::Limits { max_memory: self.memory(room), ..self.picture_limits() };
        PageLimits { picture, all_memory: self.memory(Room::All), time: self.media.page_time.duration() }
    }

    /// Whether a document can be read within a share. All of it is in memory while its pages are drawn.
    pub fn room_of_document(&self, bytes: u64) -> Room {
        if bytes > pdf::largest_file(self.memory(Room::Share)) { Room::All } else { Room::Share }
    }

    /// Bytes for pictures.
    fn memory(&self, room: Room) -> u64 {
        /// Enough for a page of A2 at 300 dpi.
        const FOR_EACH: u64 = 256 << 20;
        const LEAST: u64 = 512 << 20;
        let places = self.parallel.max(1) as u64;
        let all = self.media.memory.map_or_else(|| LEAST.max(places.saturating_mul(FOR_EACH)), Size::get);
        match room {
            Room::Share => all / places,
            Room::All => all,
        }
    }

    /// Which annotations pages show.
    pub const fn annotations(&self) -> pdf::Annotations {
        match self.media.annotations {
            PageAnnotations::View => pdf::Annotations::View,
            PageAnnotations::Print => pdf::Annotations::Print,
            PageAnnotations::None => pdf::Annotations::None,
        }
    }

    /// Whether other programs draw pages.
    pub const fn other_programs(&self) -> pdf::Others {
        match self.media.poppler {
            Poppler::Never => pdf::Others::Never,
            Poppler::Needed => pdf::Others::Needed,
            Poppler::Always => pdf::Others::Always,
        }
    }

    /// A picture that is drawn is as a page of its own.
    pub fn stand_in_limits(&self) -> media::StandInLimits {
        media::StandInLimits { picture: self.picture_limits(), time: self.media.page_time.duration() }
    }

    /// A whole file is converted at once, of whatever length.
    pub fn post_script_limits(&self) -> PostScriptLimits {
        PostScriptLimits { time: self.media.page_time.duration() * 10, memory: self.memory(Room::Share) }
    }

    /// What is made of videos is no larger than what may be uploaded.
    pub fn video_limits(&self) -> media::video::VideoLimits {
        media::video::VideoLimits {
            time: self.media.video_time.duration(),
            memory: self.media.video_memory.get(),
            file: self.ingest.max_file_bytes.get(),
            max_pixels: self.media.max_pixels,
            threads: self.parallel.clamp(1, 16),
        }
    }

    /// Workers do what is done on the bytes of files: as many as there are places, each with a share of the memory.
    pub fn pool_limits(&self) -> PoolLimits {
        /// A pyramid, or a picture set aside: four bytes a pixel, a third more for the smaller levels, and a margin.
        const BYTES_A_PIXEL: u64 = 8;
        /// On a machine that does other things as well, or waits for its disks.
        const SLOWER: u32 = 4;
        /// Long enough for the next file of a run, and short enough not to keep its memory.
        const IDLE: Duration = Duration::from_secs(10);
        let cpu = self.media.picture_time.duration();
        PoolLimits {
            places: self.parallel.max(1),
            picture: self.picture_limits(),
            file: self.ingest.max_file_bytes.get().max(self.media.max_pixels.saturating_mul(BYTES_A_PIXEL)),
            cpu,
            wall: cpu.saturating_mul(SLOWER),
            idle: IDLE,
        }
    }

    pub fn picture_limits(&self) -> media::Limits {
        media::Limits {
            max_pixels: self.media.max_pixels,
            max_side: self.media.max_side,
            max_source_bytes: u64::MAX,
            max_memory: self.memory(Room::Share),
            scratch: self.scratch.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::recipe;

    #[test]
    fn the_cmyk_profile_is_read_and_is_part_of_the_recipe() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let vips = |args: &[&str]| assert!(std::process::Command::new("vips").args(args).status().unwrap().success());
        vips(&["black", &at("black.v"), "16", "16", "--bands", "3"]);
        vips(&["copy", &at("black.v"), &at("rgb.v"), "--interpretation", "srgb"]);
        vips(&["icc_export", &at("rgb.v"), &at("cmyk.tif"), "--output-profile", "cmyk"]);
        let picture = media::probe(Path::new(&at("cmyk.tif")), &media::Limits::default()).unwrap();
        std::fs::write(at("press.icc"), picture.profile.unwrap().bytes).unwrap();

        let mut config = Config::default();
        let without = Settings::new(&config).read_files().unwrap();
        assert!(without.picture_options().cmyk_profile.is_none());
        config.media.cmyk_profile = Some(at("press.icc").into());
        let with = Settings::new(&config).read_files().unwrap();
        assert!(with.picture_options().cmyk_profile.is_some());
        assert_ne!(recipe::by_settings(&with), recipe::by_settings(&without));
        config.media.jpeg_chroma = JpegChroma::Full;
        let full = Settings::new(&config).read_files().unwrap();
        assert_ne!(recipe::by_settings(&full), recipe::by_settings(&with), "what was made before is stale");
        let mut plain = without.clone();
        plain.media.black_point_compensation = false;
        assert_ne!(recipe::by_settings(&plain), recipe::by_settings(&without));
        config.media.cmyk_profile = Some(at("cmyk.tif").into());
        let error = Settings::new(&config).read_files().unwrap_err();
        assert!(error.to_string().contains("cmyk.tif is not an ICC profile"), "{error}");
    }
}
