//! A rendition: the same video in another size and at another rate, made for streaming.

use std::path::{Path, PathBuf};

use super::{Complaints, INPUT, Probe, VideoError, VideoLimits, complaint, complaints, ffmpeg, fit};
use crate::media::child::{ChildError, Folder, Launcher};
use crate::media::decode::Cancel;

/// Length of a segment. Key frames come at fractions of it, so that all renditions of a video break at the same times.
pub const SEGMENT_SECONDS: u32 = 6;

/// How playlists call the file that their segments are in. It lies beside them.
pub const STREAM_FILE: &str = "video.mp4";

const PLAYLIST: &str = "video.m3u8";

/// H.264 profiles (ITU-T H.264, annex A).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Baseline,
    Main,
    High,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Main => "main",
            Self::High => "high",
        }
    }
}

/// How a rendition is made. Videos are never enlarged, and keep their ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Most pixels.
    pub width: Option<u32>,
    pub height: Option<u32>,
    /// Kilobits a second; None: as many as the usual quality takes.
    pub video_bitrate: Option<u32>,
    /// Kilobits a second.
    pub audio_bitrate: u32,
    pub profile: Profile,
    /// Seconds between key frames, a divisor of [`SEGMENT_SECONDS`].
    pub keyframe_interval: u32,
}

/// What was made, in the folder it was made in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendition {
    pub file: PathBuf,
    /// A media playlist that names the file [`STREAM_FILE`].
    pub playlist: String,
    pub width: u32,
    pub height: u32,
    /// Milliseconds.
    pub duration: u64,
    /// Bits a second of the segment that has most.
    pub peak_bit_rate: u64,
    /// Names of the codecs (RFC 6381).
    pub codecs: String,
    pub complaints: Option<Complaints>,
}

/// Makes a rendition of the video at `source`, an absolute path, in `folder`. `progress` hears fractions from 0 to 1. Blocks.
#[allow(clippy::too_many_arguments, reason = "what to make, of what, where, within which bounds, and who listens")]
pub fn encode(
    launcher: &Launcher,
    source: &Path,
    probe: &Probe,
    encoding: &Encoding,
    folder: &Folder,
    limits: &VideoLimits,
    cancel: Cancel<'_>,
    progress: &mut dyn FnMut(f64),
) -> Result<Rendition, VideoError> {
    let track = probe.picture.as_ref().ok_or(VideoError::NoPicture)?;
    let (width, height) = fit((track.width, track.height), (encoding.width, encoding.height), 2);
    let mut tool = ffmpeg(limits, limits.time)
        .arguments(INPUT)
        .argument("-i")
        .argument(source)
        .reads(source)
        .arguments(["-map", &format!("0:{}", track.index)]);
    if let Some(sound) = &probe.sound {
        let rate = format!("{}k", encoding.audio_bitrate);
        tool = tool.arguments(["-map", &format!("0:{}", sound.index), "-c:a", "aac", "-b:a", &rate, "-ac", "2"]);
    }
    if let Some(rate) = encoding.video_bitrate {
        let (rate, buffer) = (format!("{rate}k"), format!("{}k", u64::from(rate) * 2));
        tool = tool.arguments(["-b:v", &rate, "-maxrate", &rate, "-bufsize", &buffer]);
    }
    let keyframes = format!("expr:gte(t,n_forced*{})", encoding.keyframe_interval);
    let tool = tool
        .arguments(["-map_metadata", "-1", "-map_chapters", "-1", "-sn", "-dn"])
        .arguments(["-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"])
        .arguments(["-vf", &format!("scale={width}:{height}:flags=lanczos,setsar=1,format=yuv420p")])
        .arguments(["-c:v", "libx264", "-profile:v", encoding.profile.name(), "-threads", &limits.threads.to_string()])
        .arguments(["-sc_threshold", "0", "-force_key_frames", &keyframes])
        .arguments(["-progress", "pipe:1", "-nostats", "-stats_period", "1"])
        .arguments(["-f", "hls", "-hls_time", &SEGMENT_SECONDS.to_string(), "-hls_playlist_type", "vod"])
        .arguments(["-hls_segment_type", "fmp4", "-hls_flags", "single_file"])
        .arguments(["-hls_segment_filename", STREAM_FILE, "-y", PLAYLIST]);
    let duration = probe.duration;
    let said = launcher
        .run_with_lines(tool, folder, cancel, &mut |line| {
            if let Some(fraction) = fraction(line, duration) {
                progress(fraction);
            }
        })
        .map_err(|error| match error {
            ChildError::Failed { said, .. } => VideoError::Unreadable(complaint(&said)),
            error => error.into(),
        })?;
    let (file, list) = (folder.path().join(STREAM_FILE), folder.path().join(PLAYLIST));
    let bad = |what: String| VideoError::BadResult { tool: "ffmpeg", what };
    let playlist = std::fs::read_to_string(list).map_err(|error| bad(error.to_string()))?; // bounded: by the limits of the child, which wrote it
    let segments = Segments::read(&playlist).ok_or_else(|| bad("the playlist has no segments".to_owned()))?;
    let video = video_codec(&file).map_err(|error| bad(error.to_string()))?;
    let video = video.ok_or_else(|| bad("the file names no codec".to_owned()))?;
    // The encoder makes AAC-LC.
    let codecs = if probe.sound.is_some() { format!("{video},mp4a.40.2") } else { video };
    Ok(Rendition {
        file,
        playlist,
        width,
        height,
        duration: segments.duration,
        peak_bit_rate: segments.peak_bit_rate,
        codecs,
        complaints: complaints(&said.complaints),
    })
}

/// How far a line of `-progress` says the work is.
fn fraction(line: &str, duration: Option<u64>) -> Option<f64> {
    let microseconds: f64 = line.strip_prefix("out_time_us=")?.parse().ok()?;
    Some((microseconds / 1000.0 / duration? as f64).clamp(0.0, 1.0))
}

/// What a playlist says of its segments in all.
#[derive(Debug, PartialEq, Eq)]
struct Segments {
    /// Milliseconds.
    duration: u64,
    peak_bit_rate: u64,
}

impl Segments {
    fn read(playlist: &str) -> Option<Self> {
        let mut lengths = playlist.lines().filter_map(|line| line.strip_prefix("#EXTINF:"));
        let sizes = playlist.lines().filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:"));
        let (mut duration, mut peak) = (0.0, 0.0_f64);
        for range in sizes {
            let seconds: f64 = lengths.next()?.trim_end_matches(',').parse().ok()?;
            let bytes: f64 = range.split('@').next()?.parse().ok()?;
            duration += seconds;
            // A rest of a few frames says nothing of the rate.
            peak = peak.max(bytes * 8.0 / seconds.max(1.0));
        }
        (duration > 0.0)
            .then(|| Self { duration: (duration * 1000.0).round() as u64, peak_bit_rate: peak.ceil() as u64 })
    }
}

/// `avc1.PPCCLL`, from the decoder configuration (ISO/IEC 14496-15, 5.3.3) in the head of the file.
fn video_codec(file: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read;
    const HEAD: u64 = 1 << 16;
    const BOX: &[u8] = b"avcC";
    let mut head = Vec::new();
    std::fs::File::open(file)?.take(HEAD).read_to_end(&mut head)?;
    let start = head.windows(BOX.len()).position(|bytes| bytes == BOX);
    // Behind the name stands the version, and then what is looked for.
    let level = start.and_then(|start| head.get(start + BOX.len() + 1..start + BOX.len() + 4));
    Ok(level.map(|bytes| format!("avc1.{:02x}{:02x}{:02x}", bytes[0], bytes[1], bytes[2])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_a_fraction_of_the_length() {
        assert_eq!(fraction("out_time_us=2500000", Some(10_000)), Some(0.25));
        assert_eq!(fraction("out_time_us=99000000", Some(10_000)), Some(1.0));
        assert_eq!(fraction("out_time_us=N/A", Some(10_000)), None);
        assert_eq!(fraction("out_time_us=2500000", None), None);
        assert_eq!(fraction("frame=12", Some(10_000)), None);
    }

    #[test]
    fn a_playlist_tells_length_and_peak() {
        let playlist = "#EXTM3U\n#EXT-X-MAP:URI=\"video.mp4\",BYTERANGE=\"1355@0\"\n#EXTINF:6.000000,\n\
                        #EXT-X-BYTERANGE:600000@1355\nvideo.mp4\n#EXTINF:0.400000,\n#EXT-X-BYTERANGE:90000@601355\n\
                        video.mp4\n#EXT-X-ENDLIST\n";
        assert_eq!(Segments::read(playlist), Some(Segments { duration: 6400, peak_bit_rate: 800_000 }));
        assert_eq!(Segments::read("#EXTM3U\n#EXT-X-ENDLIST\n"), None);
    }
}
