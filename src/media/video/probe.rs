//! What a video is.

use std::path::Path;

use serde::Deserialize;

use super::{INPUT, SHORT, VideoError, VideoLimits, complaint};
use crate::media::child::{ChildError, Folder, Launcher, Limits, Tool};
use crate::media::decode::Cancel;

/// What was found in a video.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// Milliseconds; None if the file does not say.
    pub duration: Option<u64>,
    /// Bits a second of everything together.
    pub bit_rate: Option<u64>,
    /// None in a file of sound.
    pub picture: Option<Track>,
    pub sound: Option<Sound>,
    /// Of all streams.
    pub codecs: Vec<String>,
    /// How many bytes of a frame may be padding: all of them, where frames stand alone and are filled up to one size.
    pub padding: u64,
}

/// The moving picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Track {
    /// Number in the file.
    pub index: u32,
    pub codec: String,
    /// Pixels as they are shown: upright, and square.
    pub width: u32,
    pub height: u32,
    /// Frames a second.
    pub frame_rate: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// Number in the file.
    pub index: u32,
    pub codec: String,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<Stream>,
    format: Option<Container>,
}

#[derive(Deserialize)]
struct Container {
    format_name: Option<String>,
    duration: Option<String>,
    bit_rate: Option<String>,
}

#[derive(Deserialize)]
struct Stream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    codec_tag_string: Option<String>,
    profile: Option<String>,
    bit_rate: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    #[serde(default)]
    disposition: Disposition,
    #[serde(default)]
    side_data_list: Vec<SideData>,
}

#[derive(Deserialize, Default)]
struct Disposition {
    #[serde(default)]
    attached_pic: u8,
}

#[derive(Deserialize)]
struct SideData {
    rotation: Option<f64>,
}

/// Looks at the file at `source`, an absolute path. Blocks.
pub fn probe(
    launcher: &Launcher,
    source: &Path,
    folder: &Folder,
    limits: &VideoLimits,
    cancel: Cancel<'_>,
) -> Result<Probe, VideoError> {
    let child = Limits { wall: SHORT, cpu: SHORT, memory: limits.memory, file: 0, output: 1 << 20 };
    let tool = Tool::installed("ffprobe", "ffmpeg", child)
        .arguments(["-hide_banner", "-loglevel", "error", "-of", "json", "-show_format", "-show_streams"])
        .arguments(INPUT)
        .argument("-i")
        .argument(source)
        .reads(source);
    let output = launcher.run(tool, folder, cancel).map_err(|error| match error {
        ChildError::Failed { said, .. } => VideoError::Unreadable(complaint(&said)),
        error => error.into(),
    })?;
    let found = read(&output.stdout)?;
    if let Some(Track { width, height, .. }) = found.picture {
        let limit = limits.max_pixels;
        if u64::from(width) * u64::from(height) > limit {
            return Err(VideoError::TooLarge { width, height, limit });
        }
    }
    Ok(found)
}

fn read(answer: &[u8]) -> Result<Probe, VideoError> {
    let answer: Answer = serde_json::from_slice(answer)
        .map_err(|error| VideoError::BadResult { tool: "ffprobe", what: error.to_string() })?;
    let is = |stream: &&Stream, kind: &str| stream.codec_type.as_deref() == Some(kind);
    let picture = answer.streams.iter().find(|stream| is(stream, "video") && stream.disposition.attached_pic == 0);
    let sound = answer.streams.iter().find(|stream| is(stream, "audio") && stream.codec_name.is_some());
    let container = answer.format.as_ref();
    let duration = container.and_then(|format| format.duration.as_deref());
    let duration = duration.or_else(|| picture.and_then(|stream| stream.duration.as_deref()));
    let bit_rate = container.and_then(|format| format.bit_rate.as_deref()?.parse().ok());
    Ok(Probe {
        duration: duration.and_then(milliseconds),
        bit_rate,
        padding: picture.and_then(|stream| padding(stream, container)).unwrap_or(0),
        picture: picture.and_then(track),
        codecs: answer.streams.iter().filter_map(|stream| stream.codec_name.clone()).collect(),
        sound: sound.map(|stream| Sound { index: stream.index, codec: codec(stream) }),
    })
}

/// The bytes of a frame of H.264 that is filled up to one size: AVC-Intra and XAVC Intra, by the tags of QuickTime and AVI, or in MXF,
/// which has no tags. None of others, which may be Intra by their profile too.
fn padding(stream: &Stream, container: Option<&Container>) -> Option<u64> {
    const TAGS: [&str; 2] = ["ai", "AVin"];
    let is_mxf = container.and_then(|format| format.format_name.as_deref()) == Some("mxf");
    let is_tagged = || {
        let tag = stream.codec_tag_string.as_deref().unwrap_or_default();
        TAGS.iter().any(|prefix| tag.starts_with(prefix))
    };
    let is_intra = stream.profile.as_deref().is_some_and(|profile| profile.contains("Intra"));
    if stream.codec_name.as_deref() != Some("h264") || !is_intra || !(is_mxf || is_tagged()) {
        return None;
    }
    let bits = stream.bit_rate.as_deref().or_else(|| container?.bit_rate.as_deref())?.parse::<u64>().ok()?;
    let frames = stream.avg_frame_rate.as_deref().and_then(|text| ratio(text, '/'))?;
    Some((bits as f64 / 8.0 / frames).ceil() as u64)
}

/// None for what has no size: nothing can be shown of it.
fn track(stream: &Stream) -> Option<Track> {
    let (width, height) = (stream.width?, stream.height?);
    if width == 0 || height == 0 {
        return None;
    }
    let (width, height) = squared(width, height, stream.sample_aspect_ratio.as_deref());
    let turned = stream.side_data_list.iter().filter_map(|data| data.rotation).any(|angle| angle % 180.0 != 0.0);
    let (width, height) = if turned { (height, width) } else { (width, height) };
    let frame_rate = stream.avg_frame_rate.as_deref().and_then(|text| ratio(text, '/'));
    Some(Track { index: stream.index, codec: codec(stream), width, height, frame_rate })
}

fn codec(stream: &Stream) -> String {
    stream.codec_name.clone().unwrap_or_else(|| "unknown".to_owned())
}

/// Pixels that are not square are made so by their width.
fn squared(width: u32, height: u32, ratio_of_pixels: Option<&str>) -> (u32, u32) {
    let factor = ratio_of_pixels.and_then(|text| ratio(text, ':')).filter(|factor| (0.1..=10.0).contains(factor));
    let width = factor.map_or(f64::from(width), |factor| (f64::from(width) * factor).round());
    (width as u32, height)
}

/// `30000/1001`, `4:3`; none where one of them is zero, which says that nobody knows.
fn ratio(text: &str, sign: char) -> Option<f64> {
    let (above, below) = text.split_once(sign)?;
    let (above, below): (f64, f64) = (above.parse().ok()?, below.parse().ok()?);
    (above > 0.0 && below > 0.0).then(|| above / below)
}

/// Seconds as ffprobe writes them.
fn milliseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    (seconds > 0.0 && seconds < 1e9).then(|| (seconds * 1000.0).round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_json(answer: serde_json::Value) -> Probe {
        read(answer.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_video_is_seen_as_it_is_shown() {
        let found = read_json(json!({
            "streams": [
                { "index": 0, "codec_type": "video", "codec_name": "mjpeg", "width": 600, "height": 600,
                  "disposition": { "attached_pic": 1 } },
                { "index": 1, "codec_type": "audio", "codec_name": "aac" },
                { "index": 2, "codec_type": "video", "codec_name": "h264", "width": 720, "height": 576,
                  "sample_aspect_ratio": "16:11", "avg_frame_rate": "30000/1001",
                  "side_data_list": [{ "rotation": -90 }] },
            ],
            "format": { "duration": "12.3456", "bit_rate": "800000" },
        }));
        assert_eq!((found.duration, found.bit_rate), (Some(12_346), Some(800_000)));
        let picture = found.picture.unwrap();
        assert_eq!((picture.index, picture.width, picture.height), (2, 576, 1047));
        assert!((picture.frame_rate.unwrap() - 29.97).abs() < 0.001);
        assert_eq!(found.sound.unwrap().index, 1);
        assert_eq!(found.codecs, ["mjpeg", "aac", "h264"]);
    }

    #[test]
    fn frames_of_one_size_are_padded_and_others_are_not() {
        let film = |codec: &str, tag: &str, profile: &str, container: &str| {
            let found = read_json(json!({
                "streams": [{ "index": 0, "codec_type": "video", "codec_name": codec, "codec_tag_string": tag, "profile": profile,
                              "width": 1920, "height": 1080, "bit_rate": "113000000", "avg_frame_rate": "25/1" }],
                "format": { "format_name": container },
            }));
            found.padding
        };
        let (none, quick_time) = ("[0][0][0][0]", "mov,mp4,m4a,3gp,3g2,mj2");
        assert_eq!(film("h264", "ai1q", "High 4:2:2 Intra", quick_time), 565_000);
        assert_eq!(film("h264", "aivx", "High 10 Intra", quick_time), 565_000);
        assert_eq!(film("h264", none, "High 4:2:2 Intra", "mxf"), 565_000);
        assert_eq!(film("h264", "avc1", "High 4:2:2 Intra", quick_time), 0);
        assert_eq!(film("h264", none, "High 10 Intra", "matroska,webm"), 0);
        assert_eq!(film("h264", none, "High", "mxf"), 0);
        assert_eq!(film("hevc", none, "Main Intra", "mxf"), 0);
    }

    #[test]
    fn what_is_not_said_is_not_made_up() {
        let found = read_json(json!({
            "streams": [{ "index": 0, "codec_type": "video", "width": 16, "height": 16, "avg_frame_rate": "0/0",
                          "sample_aspect_ratio": "0:1", "duration": "-1" }],
            "format": { "duration": "N/A" },
        }));
        assert_eq!((found.duration, found.bit_rate, found.sound), (None, None, None));
        let picture = found.picture.unwrap();
        assert_eq!((picture.frame_rate, picture.codec.as_str(), picture.width), (None, "unknown", 16));
        assert_eq!(read_json(json!({})).picture, None);
        assert!(read(b"no").is_err());
    }
}
