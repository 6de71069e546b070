//! Videos, by ffprobe and ffmpeg as confined children: what they are, a frame as a picture, and renditions that can be
//! streamed.
//!
//! A rendition is one file, fragmented MP4 (ISO/IEC 14496-12) with H.264 and AAC, which plays as it is, and a media playlist
//! (HTTP Live Streaming, RFC 8216) whose segments are ranges of that same file. So what is downloaded and what is
//! streamed are the same bytes.

mod frame;
mod probe;
mod rendition;
mod wholeness;

use std::time::Duration;

use super::child::{self, ChildError, Tool};

pub use frame::frame;
pub use probe::{Probe, Track, probe};
pub use rendition::{Encoding, Profile, Rendition, SEGMENT_SECONDS, STREAM_FILE, encode};
pub use wholeness::{MOST_PARTS, State, Wholeness, wholeness};

/// What the tools may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VideoLimits {
    /// For one rendition, from start to end.
    pub time: Duration,
    /// Bytes of address space.
    pub memory: u64,
    /// Bytes of a rendition.
    pub file: u64,
    /// Pixels of a frame.
    pub max_pixels: u64,
    /// Threads of the encoder.
    pub threads: usize,
}

/// Why nothing was made of a video.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("it cannot be read as a video: {0}")]
    Unreadable(String),
    #[error("its frames of {width} × {height} pixels are larger than the {limit} pixels allowed")]
    TooLarge { width: u32, height: u32, limit: u64 },
    #[error("it holds no moving picture")]
    NoPicture,
    #[error("{tool} made something that cannot be used: {what}")]
    BadResult { tool: &'static str, what: String },
}

/// What only looks at a video is done soon, or never.
const SHORT: Duration = Duration::from_mins(2);

fn ffmpeg(limits: &VideoLimits, wall: Duration) -> Tool {
    let cpu = wall.saturating_mul(u32::try_from(limits.threads).unwrap_or(u32::MAX).max(1));
    let limits = super::child::Limits { wall, cpu, memory: limits.memory, file: limits.file, output: 16 << 20 };
    // What is said again and again counts as often.
    Tool::installed("ffmpeg", "ffmpeg", limits).arguments(["-nostdin", "-hide_banner", "-loglevel", "repeat+error"])
}

/// Containers that hold their frames themselves. Formats that are lists of other files are not among them.
const CONTAINERS: &str =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,rm,mxf,wtv,dv,h264,hevc,m4v,vc1,nut,ivf";

/// Arguments in front of an input: nothing but this file is opened.
const INPUT: [&str; 4] = ["-protocol_whitelist", "file", "-format_whitelist", CONTAINERS];

/// What a tool complained of although it came to its end: it makes something of what is damaged, too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    pub count: u64,
    pub first: String,
}

fn complaints(said: &child::Complaints) -> Option<Complaints> {
    (said.lines > 0).then(|| Complaints { count: said.lines, first: complaint(&said.first) })
}

/// What a tool said, without what is of no use to whoever sent the video.
fn complaint(said: &str) -> String {
    let mut line = said.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason was given");
    // Messages begin with the parts that speak, `[mov,mp4 @ 0x55…]`, and name the file in the store.
    while let Some((_, rest)) = line.strip_prefix('[').and_then(|part| part.split_once("] ")) {
        line = rest;
    }
    let line = line.rsplit_once("/").map_or(line, |(_, rest)| rest.split_once(": ").map_or(rest, |(_, why)| why));
    line.chars().take(200).collect()
}

/// The largest size with the same ratio that fits, not larger than it is, both sides at least `step` and multiples of it.
pub(super) fn fit(size: (u32, u32), within: (Option<u32>, Option<u32>), step: u32) -> (u32, u32) {
    let (width, height) = (f64::from(size.0), f64::from(size.1));
    let scale = |side: f64, most: Option<u32>| most.map_or(1.0, |most| f64::from(most) / side);
    let factor = scale(width, within.0).min(scale(height, within.1)).min(1.0);
    let round = |side: f64, most: Option<u32>| {
        let steps = (side * factor / f64::from(step)).round().max(1.0);
        // Sides are checked to be far below what would be cut off.
        let side = steps as u32 * step;
        most.map_or(side, |most| side.min((most / step).max(1) * step))
    };
    (round(width, within.0), round(height, within.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit_and_keep_their_ratio() {
        for (size, within, step, expected) in [
            ((1920, 1080), (None, Some(480)), 2, (854, 480)),
            ((1920, 1080), (Some(640), None), 2, (640, 360)),
            ((1920, 1080), (Some(640), Some(640)), 2, (640, 360)),
            ((1080, 1920), (Some(640), Some(640)), 2, (360, 640)),
            ((1920, 1080), (None, None), 2, (1920, 1080)),
            ((321, 241), (None, None), 2, (322, 242)),
            ((321, 241), (Some(321), None), 2, (320, 242)),
            ((320, 240), (Some(1920), Some(1080)), 2, (320, 240)),
            ((5000, 1), (Some(100), None), 2, (100, 2)),
            ((1920, 1080), (Some(256), Some(256)), 1, (256, 144)),
        ] {
            assert_eq!(fit(size, within, step), expected, "{size:?} within {within:?}");
        }
    }

    #[test]
    fn a_complaint_names_no_file_of_ours() {
        for (said, expected) in [
            ("[mov,mp4 @ 0x5581] moov atom not found\n/data/blobs/ab/abcd: Invalid data", "moov atom not found"),
            (
                "/data/blobs/ab/abcd: Invalid data found when processing input",
                "Invalid data found when processing input",
            ),
            ("[vist#0:0/h264 @ 0x55] [dec:h264 @ 0x56] Decoding error: Invalid data", "Decoding error: Invalid data"),
            ("", "no reason was given"),
        ] {
            assert_eq!(complaint(said), expected);
        }
    }
}
