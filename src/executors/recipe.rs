//! How derived files are made: by the settings, and by what is kept with the asset. Another recipe means that they are
//! stale.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::pictures::Unmade;
use super::{Failure, Settings, Workshop, reason};
use crate::assets::blobs::{BlobError, Blobs};
use crate::media::child::borrowed;
use crate::media::errand::ReadSpace;
use crate::media::{self, IccSpace};
use crate::model::id::{AssetId, CompanyId};
use crate::model::job::{Corner, FillMethod};
use crate::model::log::Message;
use crate::model::making::{Colors, Crop, Knockout, LayerShown, Making, Unsharp};
use crate::store::Reads;
use crate::store::pictures::ProfileAsset;

/// Raised when the same options give other bytes than before: everything made until then becomes stale.
const MAKING: u32 = 2;

/// The largest file that is taken for a colour profile. Those of presses have a few megabytes.
const MOST_PROFILE_BYTES: u64 = 32 << 20;

/// Makes recipes. It knows the company's colour profiles as they were when the job looked.
#[derive(Debug, Clone)]
pub struct Recipes {
    workshop: Workshop,
    profiles: Arc<BTreeMap<AssetId, ProfileAsset>>,
}

impl Recipes {
    pub async fn load(store: &Reads, company: CompanyId, workshop: &Workshop) -> Result<Self, Failure> {
        let profiles = Arc::new(store.color_profiles(company).await?);
        Ok(Self { workshop: workshop.clone(), profiles })
    }

    /// In words that are the same whenever what is made is the same. Pages are drawn with their document.
    pub fn of(&self, making: &Making) -> String {
        let mut recipe = by_settings(&self.workshop.settings);
        if *making == Making::default() || making.page.is_some() {
            return recipe;
        }
        recipe.extend([", ".to_owned(), serde_json::json!(making).to_string()]);
        for asset in making.profiles() {
            let blob = self.profiles.get(&asset).map_or("gone", |profile| profile.blob.as_str());
            recipe.extend([format!(", profile {asset} {blob}")]);
        }
        recipe
    }

    /// The same for the workshop. Blocks.
    pub fn options(&self, making: &Making, stop: &dyn Fn() -> bool) -> Result<media::Options, Unmade> {
        let profile = |asset| self.profile(asset, stop);
        let colors = match making.colors {
            None => media::ColorManagement::Default,
            Some(Colors::Maintain) => media::ColorManagement::Maintain,
            Some(Colors::Convert { source, output }) => media::ColorManagement::Convert {
                source: source.map(profile).transpose()?,
                output: output.map(profile).transpose()?,
            },
        };
        let edits = media::Edits {
            crop: making.crop.map(crop),
            mask: making.mask,
            knockout: making.knockout.map(knockout),
            sharpen: making.unsharp.map(sharpen),
        };
        let layer = making.layer.map(|LayerShown { number, extended }| media::LayerChoice { number, extended });
        let page = making.leaf;
        Ok(media::Options { colors, edits, layer, page, ..self.workshop.settings.picture_options() })
    }

    fn profile(&self, asset: AssetId, stop: &dyn Fn() -> bool) -> Result<Arc<[u8]>, Unmade> {
        let unusable = |name: &str| Unmade::Refused(Message::new("reason-profile-unusable").with("profile", name));
        let Some(profile) = self.profiles.get(&asset) else {
            return Err(Unmade::Refused(Message::new("reason-profile-gone").with("asset", asset.0)));
        };
        let bytes = read_profile(&self.workshop.blobs, &profile.blob)?;
        profile_space(&self.workshop, &profile.blob, stop)?.ok_or_else(|| unusable(&profile.name))?;
        Ok(bytes.into())
    }
}

/// How derived files are made under these settings, if nothing else is asked for.
pub fn by_settings(settings: &Settings) -> String {
    let media::Options {
        tile,
        quality,
        chroma,
        thumbnail_side,
        thumbnail_quality,
        cmyk_profile: _,
        blacks,
        // These are told by what is kept with the asset.
        colors: _,
        edits: _,
        layer: _,
        page: _,
        // And this by the format.
        upright: _,
        // What has no loss is not kept.
        lossless: _,
    } = settings.picture_options();
    let profile = settings.cmyk_profile.as_ref().map_or("none", |profile| &profile.hash);
    format!(
        "{MAKING}: tile {tile}, quality {quality}, chroma {chroma:?}, thumbnail {thumbnail_side} at {thumbnail_quality}, CMYK profile {profile}, \
         blacks {blacks:?}"
    )
}

/// The colours that a stored file describes, if it is a profile that pictures can be in. Blocks.
pub fn profile_space(workshop: &Workshop, blob: &str, stop: &dyn Fn() -> bool) -> Result<Option<IccSpace>, Unmade> {
    let file = workshop.blobs.read(blob)?;
    Ok(workshop.crew.send(ReadSpace, &borrowed([&file]), stop)?)
}

fn read_profile(blobs: &Blobs, blob: &str) -> Result<Vec<u8>, Unmade> {
    blobs.content(blob, MOST_PROFILE_BYTES).map_err(|error| match error {
        BlobError::TooLarge { .. } => Unmade::Refused(reason::other(error)),
        error => error.into(),
    })
}

fn crop(crop: Crop) -> media::Crop {
    match crop {
        Crop::Manual(sides) => {
            let pixels = |side: i64| u32::try_from(side).unwrap_or(u32::MAX);
            media::Crop::Sides {
                left: pixels(sides.left),
                right: pixels(sides.right),
                top: pixels(sides.top),
                bottom: pixels(sides.bottom),
            }
        }
        Crop::Color(options) => media::Crop::Color { corner: corner(options.corner), tolerance: options.tolerance },
        Crop::Transparent(options) => media::Crop::Transparent { tolerance: options.tolerance },
    }
}

fn knockout(knockout: Knockout) -> media::Knockout {
    let joined = match knockout.fill {
        FillMethod::FloodFill => true,
        FillMethod::MatchPixel => false,
    };
    media::Knockout { corner: corner(knockout.corner), tolerance: knockout.tolerance, joined }
}

const fn corner(corner: Corner) -> media::Corner {
    match corner {
        Corner::UpperLeft => media::Corner::TopLeft,
        Corner::UpperRight => media::Corner::TopRight,
        Corner::BottomLeft => media::Corner::BottomLeft,
        Corner::BottomRight => media::Corner::BottomRight,
    }
}

fn sharpen(Unsharp { amount, radius, threshold, monochrome }: Unsharp) -> media::Sharpen {
    media::Sharpen { amount, radius, threshold, monochrome }
}
