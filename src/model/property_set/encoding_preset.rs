//! A video encoding preset: how one rendition of a video is made.

use super::reader::{Reader, Rule};
use super::{NAME, Properties};
use crate::model::constants;
use crate::model::invalid::Invalid;
use crate::model::name;

pub(super) const RULES: &[Rule] = &[
    Rule::required(NAME, "name of the preset, unique in the company"),
    Rule::required("suffix", "added to the name of the video to form the name of the rendition, such as -480p"),
    Rule::optional("width", "most pixels across, 16 to 8192; the video keeps its ratio and is never enlarged"),
    Rule::optional("height", "most pixels from top to bottom, 16 to 8192; with neither, the size stays as it is"),
    Rule::optional("videoBitrate", "kilobits a second, 16 to 200000; when left out, the encoder's usual quality"),
    Rule::optional("audioBitrate", "kilobits a second, 8 to 1024; 128 when left out"),
    Rule::optional("codec", "H264, which is also what is taken when it is left out"),
    Rule::optional("profile", "Baseline, Main or High (ITU-T H.264, annex A); High when left out"),
    Rule::optional("keyframeInterval", "seconds between key frames: 1, 2, 3 or 6; 2 when left out"),
];

constants! {
    /// Video codecs.
    pub enum Codec("video codec") { H264 }
}

constants! {
    /// H.264 profiles.
    pub enum Profile("H.264 profile") { Baseline, Main, High }
}

/// Divisors of the six seconds that a segment of a stream has, so that the segments of all renditions break at the same
/// times.
const KEYFRAME_INTERVALS: [u32; 4] = [1, 2, 3, 6];

/// How one rendition of a video is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingPreset {
    pub name: String,
    pub suffix: String,
    /// Most pixels.
    pub width: Option<u32>,
    /// Most pixels.
    pub height: Option<u32>,
    /// Kilobits a second.
    pub video_bitrate: Option<u32>,
    /// Kilobits a second.
    pub audio_bitrate: u32,
    pub codec: Codec,
    pub profile: Profile,
    /// Seconds.
    pub keyframe_interval: u32,
}

impl EncodingPreset {
    pub fn read(properties: &Properties) -> Result<Self, Invalid> {
        let reader = Reader::new(properties, RULES)?;
        name::check_asset_name_part("suffix", reader.required("suffix"))?;
        Ok(Self {
            name: reader.required(NAME).to_owned(),
            suffix: reader.required("suffix").to_owned(),
            width: reader.number("width", 16, 8192)?,
            height: reader.number("height", 16, 8192)?,
            video_bitrate: reader.number("videoBitrate", 16, 200_000)?,
            audio_bitrate: reader.number("audioBitrate", 8, 1024)?.unwrap_or(128),
            codec: reader.parse("codec")?.unwrap_or(Codec::H264),
            profile: reader.parse("profile")?.unwrap_or(Profile::High),
            keyframe_interval: keyframe_interval(&reader)?,
        })
    }
}

fn keyframe_interval(reader: &Reader<'_>) -> Result<u32, Invalid> {
    const NAME: &str = "keyframeInterval";
    let seconds = reader.number(NAME, 1, 6)?.unwrap_or(2);
    if KEYFRAME_INTERVALS.contains(&seconds) {
        Ok(seconds)
    } else {
        Err(Invalid::new(NAME, format!("must be 1, 2, 3 or 6, not \"{seconds}\"")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::properties;
    use super::*;

    #[test]
    fn a_preset_has_defaults() {
        let preset = EncodingPreset::read(&properties(&[("name", "Small"), ("suffix", "-480p"), ("height", "480")]));
        let expected = EncodingPreset {
            name: "Small".into(),
            suffix: "-480p".into(),
            width: None,
            height: Some(480),
            video_bitrate: None,
            audio_bitrate: 128,
            codec: Codec::H264,
            profile: Profile::High,
            keyframe_interval: 2,
        };
        assert_eq!(preset.unwrap(), expected);
    }

    #[test]
    fn a_bad_value_is_named() {
        for (name, value) in [
            ("suffix", "a/b"),
            ("suffix", ""),
            ("name", ""),
            ("width", "wide"),
            ("width", "15"),
            ("height", "8193"),
            ("videoBitrate", "-1"),
            ("audioBitrate", "4096"),
            ("codec", "Sorenson"),
            ("profile", "high10"),
            ("keyframeInterval", "4"),
            ("keyframeInterval", "0"),
            ("bitrate", "1"),
        ] {
            let sound = properties(&[("name", "Small"), ("suffix", "-480p")]);
            let changed = sound.merge(properties(&[(name, value)])).unwrap();
            assert_eq!(EncodingPreset::read(&changed).unwrap_err().field, name, "{value}");
        }
    }
}
