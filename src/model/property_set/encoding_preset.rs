//! A video encoding preset: how one rendition of a video is made.

use super::reader::{Reader, Rule};
use super::{NAME, Properties};
use crate::model::constants;
use crate::model::invalid::Invalid;
use crate::model::name;

pub(super) const RULES: &[Rule] = &[
    Rule::required(NAME, "name of the preset, unique in the company"),
    Rule::required("suffix", "added to the name of the video to form the name of the rendition, such as -480p"),
    Rule::optional("width", "width of the picture in pixels, 16 to 8192; it follows from the height when left out"),
    Rule::optional("height", "height of the picture in pixels, 16 to 8192; it follows from the width when left out"),
    Rule::optional("videoBitrate", "kilobits a second, 16 to 200000; when left out, the encoder's usual quality"),
    Rule::optional("audioBitrate", "kilobits a second, 8 to 1024; 128 when left out"),
    Rule::optional("codec", "H264, which is also what is taken when it is left out"),
];

constants! {
    /// Video codecs.
    pub enum Codec("video codec") { H264 }
}

/// How one rendition of a video is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodingPreset {
    pub name: String,
    pub suffix: String,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Kilobits a second.
    pub video_bitrate: Option<u32>,
    /// Kilobits a second.
    pub audio_bitrate: u32,
    pub codec: Codec,
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
        })
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
            ("bitrate", "1"),
        ] {
            let sound = properties(&[("name", "Small"), ("suffix", "-480p")]);
            let changed = sound.merge(properties(&[(name, value)])).unwrap();
            assert_eq!(EncodingPreset::read(&changed).unwrap_err().field, name, "{value}");
        }
    }
}
