//! videoPublishJob: what video servers read.
//!
//! ```text
//! <video>.<extension>         a master as it was uploaded, or a rendition
//! <caption>.<extension>       a caption as it was uploaded
//! thumbnails/<video>.jpg      the frame that shows a master
//! hls/<rendition>/video.m3u8  a media playlist (RFC 8216), and beside it the rendition under the name that it knows
//! <set>.m3u8                  the multivariant playlist of an adaptive set
//! ```
//!
//! The manifest is hidden (`.manifest.jsonl`), as no asset can be. `sitemap.xml` is written by a job of its own.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::rule::{CleanupTypes, Content, Given, LogTypes, Rule, is_set};
use crate::media::video::STREAM_FILE;
use crate::model::asset::{AssetType, ContextKind, DerivedRole};
use crate::model::log::{FileType, LogType};
use crate::store::publishing::AssetState;

/// The site map in a tree.
pub static RULE: Rule = Rule {
    kind: ContextKind::Video,
    keeps_folders: false,
    looks_at_all: true,
    types: LogTypes {
        success: LogType::VideoPublishSuccess,
        error: LogType::VideoPublishError,
        warning: LogType::VideoPublishWarning,
        cleanup: Some(CleanupTypes {
            begin: (LogType::BeginVideoPublishCleanup, "begin-video-publish-cleanup"),
            success: LogType::VideoPublishCleanupSuccess,
            end: (LogType::EndVideoPublishCleanup, "end-video-publish-cleanup"),
        }),
    },
    files,
};

fn files(asset: &AssetState) -> Vec<Given> {
    let file_type = FileType::of_master(asset.asset_type);
    match asset.asset_type {
        _ if is_set(asset) => {
            let playlist = playlist(asset).map(Content::Text);
            playlist.map(|text| Given::new(format!("{}.m3u8", asset.name), file_type, text)).into_iter().collect()
        }
        AssetType::MasterVideo => {
            let thumbnail = Content::Beside(DerivedRole::Thumbnail);
            vec![master(asset), Given::new(format!("thumbnails/{}.jpg", asset.name), FileType::Icon, thumbnail)]
        }
        AssetType::Video => vec![
            master(asset),
            Given::new(stream_path(asset, STREAM_FILE), file_type, Content::Master),
            Given::new(stream_path(asset, PLAYLIST), file_type, Content::Beside(DerivedRole::Playlist)),
        ],
        AssetType::VideoCaption => vec![master(asset)],
        _ => Vec::new(),
    }
}

const PLAYLIST: &str = "video.m3u8";

fn stream_path(asset: &AssetState, file: &str) -> String {
    format!("hls/{}/{file}", asset.name)
}

fn master(asset: &AssetState) -> Given {
    let extension = asset.file_name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
    // A film that came as sitemap.xml is not taken for the site map.
    let extension = if extension == "xml" { "bin" } else { extension };
    Given::new(format!("{}.{extension}", asset.name), FileType::of_master(asset.asset_type), Content::Master)
}

/// The multivariant playlist of a set, with its renditions in their order; None if it has none.
fn playlist(set: &AssetState) -> Option<String> {
    let variants: Vec<String> = set.members.iter().filter_map(|member| variant(&member.asset)).collect();
    (!variants.is_empty())
        .then(|| format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n{}", variants.concat()))
}

fn variant(asset: &AssetState) -> Option<String> {
    let video = asset.video.as_ref()?;
    let stream = video.stream.as_ref()?;
    // The mean is that of the file, with its header; a peak below it would be none.
    let mut attributes = format!("BANDWIDTH={}", stream.peak_bit_rate.max(video.bit_rate.unwrap_or_default()));
    if let Some(rate) = video.bit_rate {
        attributes += &format!(",AVERAGE-BANDWIDTH={rate}");
    }
    if let Some((width, height)) = asset.pixels {
        attributes += &format!(",RESOLUTION={width}x{height}");
    }
    if let Some(rate) = video.frame_rate {
        attributes += &format!(",FRAME-RATE={rate:.3}");
    }
    attributes += &format!(",CODECS=\"{}\"", stream.codecs);
    Some(format!("#EXT-X-STREAM-INF:{attributes}\n{}\n", address(&stream_path(asset, PLAYLIST))))
}

/// A path as part of an address.
pub fn address(path: &str) -> String {
    const PLAIN: &percent_encoding::AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
    utf8_percent_encode(path, PLAIN).to_string()
}
