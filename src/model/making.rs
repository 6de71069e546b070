//! What the derived files of an asset are made with, beside what the configuration says: kept with the asset, so that
//! whoever makes them again makes the same.

use serde::{Deserialize, Serialize};

use super::handle;
use super::id::AssetId;
use super::job::{
    AutoColorCropOptions, AutoTransparentCropOptions, ColorManagement, Corner, FillMethod, KnockoutBackgroundOptions,
    ManualCropOptions, PageColorspace, ProcessingOptions, UnsharpMaskOptions,
};

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Making {
    /// The page of the master that the asset shows, from 1, where the master has several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// The layer of the master that the asset shows, where the master has layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<LayerShown>,
    /// The page of the master that the asset shows, from 2, where the master is a picture of several: each is made by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<u32>,
    /// What the page is drawn at, in pixels per inch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colorspace: Option<PageColorspace>,
    /// What the page leaves free stays transparent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub alpha: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop: Option<Crop>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mask: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub knockout: Option<Knockout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsharp: Option<Unsharp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colors: Option<Colors>,
}

/// A layer of a Photoshop file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerShown {
    /// From 1 at the bottom; groups are not counted.
    pub number: u32,
    /// As large as the canvas.
    pub extended: bool,
}

/// A crop that takes away something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Crop {
    Manual(ManualCropOptions),
    Color(AutoColorCropOptions),
    Transparent(AutoTransparentCropOptions),
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Knockout {
    pub corner: Corner,
    pub tolerance: f64,
    pub fill: FillMethod,
}

/// An unsharp mask that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Unsharp {
    pub amount: f64,
    pub radius: f64,
    pub threshold: u8,
    pub monochrome: bool,
}

/// Colour management other than the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Colors {
    Maintain,
    /// The profiles are assets.
    Convert {
        source: Option<AssetId>,
        output: Option<AssetId>,
    },
}

/// `threshold` of an unsharp mask that names none (reference, UnsharpMaskOptions).
const USUAL_THRESHOLD: u8 = 6;

impl Making {
    /// What a job's options ask for, of a master whose asset is made with `existing` so far.
    pub fn asked(options: &ProcessingOptions, existing: Option<&Self>) -> Self {
        Self {
            crop: crop(options, existing.and_then(|existing| existing.crop)),
            mask: options.create_mask,
            knockout: options.knockout_background_options.map(Knockout::from),
            unsharp: options.unsharp_mask_options.and_then(Unsharp::asked),
            colors: colors(options),
            ..Self::default()
        }
    }

    /// Whether an asset that a file replaces is made of this as it would be of the other: what [`Self::asked`] takes from what is
    /// there.
    pub fn goes_over_as(&self, other: &Self) -> bool {
        self.crop == other.crop
    }

    /// Whether the asset shows a piece of its master: it is a page or a layer, whose master is that of another asset.
    pub const fn is_of_piece(&self) -> bool {
        self.page.is_some() || self.is_made_by_itself()
    }

    /// Whether the asset shows a piece of its master that is made without the others, and goes on to show it when it is processed
    /// again: a layer, or a page of a picture.
    pub const fn is_made_by_itself(&self) -> bool {
        self.layer.is_some() || self.leaf.is_some()
    }

    /// The automatic crop that was asked for and gave way to the one that is there.
    pub fn crop_given_up(&self, options: &ProcessingOptions) -> Option<&'static str> {
        match automatic_crop(options)? {
            asked if self.crop == Some(asked) => None,
            Crop::Color(_) => Some("autoColorCropOptions"),
            Crop::Transparent(_) | Crop::Manual(_) => Some("autoTransparentCropOptions"),
        }
    }

    /// Assets that it refers to.
    pub fn profiles(&self) -> impl Iterator<Item = AssetId> {
        let both = match self.colors {
            Some(Colors::Convert { source, output }) => [source, output],
            Some(Colors::Maintain) | None => [None, None],
        };
        both.into_iter().flatten()
    }
}

/// A manual crop always wins, unless it is all zeros, which is none. Otherwise the crop that is there stays until
/// `preserveCrop` is false; only then, or where there is none, an automatic one is heard.
fn crop(options: &ProcessingOptions, existing: Option<Crop>) -> Option<Crop> {
    let manual = options.manual_crop_options.filter(ManualCropOptions::cuts).map(Crop::Manual);
    let kept = kept_crop(options, existing);
    manual.or(kept).or_else(|| automatic_crop(options))
}

/// What an order leaves of the crop that is there.
pub fn kept_crop(options: &ProcessingOptions, existing: Option<Crop>) -> Option<Crop> {
    existing.filter(|_| options.preserve_crop.unwrap_or(true))
}

fn automatic_crop(options: &ProcessingOptions) -> Option<Crop> {
    let color = options.auto_color_crop_options.map(|AutoColorCropOptions { corner, tolerance }| {
        Crop::Color(AutoColorCropOptions { corner, tolerance: rounded(tolerance) })
    });
    let transparent = options.auto_transparent_crop_options.map(|AutoTransparentCropOptions { tolerance }| {
        Crop::Transparent(AutoTransparentCropOptions { tolerance: rounded(tolerance) })
    });
    color.or(transparent)
}

fn colors(options: &ProcessingOptions) -> Option<Colors> {
    let colors = options.color_management_options.as_ref()?;
    let profile = |handle: &Option<String>| handle::parse_asset("", handle.as_deref()?).ok();
    match colors.color_management {
        ColorManagement::Default => None,
        ColorManagement::MaintainOriginal => Some(Colors::Maintain),
        ColorManagement::Convert => Some(Colors::Convert {
            source: profile(&colors.source_profile_handle),
            output: profile(&colors.output_profile_handle),
        }),
    }
}

impl From<KnockoutBackgroundOptions> for Knockout {
    fn from(options: KnockoutBackgroundOptions) -> Self {
        let KnockoutBackgroundOptions { corner, tolerance, fill_method } = options;
        Self { corner, tolerance: rounded(tolerance.unwrap_or(0.0)), fill: fill_method }
    }
}

impl Unsharp {
    /// None where nothing would change.
    pub fn asked(options: UnsharpMaskOptions) -> Option<Self> {
        let UnsharpMaskOptions { amount, radius, threshold, monochrome } = options;
        let (amount, radius) = (rounded(amount.unwrap_or(0.0)), rounded(radius.unwrap_or(0.0)));
        let threshold = threshold.and_then(|threshold| u8::try_from(threshold).ok()).unwrap_or(USUAL_THRESHOLD);
        (amount > 0.0 && radius > 0.0).then_some(Self { amount, radius, threshold, monochrome: monochrome == Some(1) })
    }
}

/// To six places, which come back from the database as they went.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn asked(options: Value, existing: Option<&Making>) -> Making {
        Making::asked(&serde_json::from_value(options).unwrap(), existing)
    }

    fn sides(left: i64) -> Value {
        json!({ "left": left, "right": 0, "top": 0, "bottom": 0 })
    }

    fn manual(left: i64) -> Option<Crop> {
        Some(Crop::Manual(ManualCropOptions { left, right: 0, top: 0, bottom: 0 }))
    }

    #[test]
    fn crops_have_their_order() {
        let existing = Making { crop: manual(5), ..Making::default() };
        let color = json!({ "corner": "UpperLeft", "tolerance": 0.25 });
        let automatic = Some(Crop::Color(AutoColorCropOptions { corner: Corner::UpperLeft, tolerance: 0.25 }));
        let cases = [
            (json!({}), manual(5), None),
            (json!({ "preserveCrop": true }), manual(5), None),
            (json!({ "preserveCrop": false }), None, None),
            (json!({ "preserveCrop": true, "manualCropOptions": sides(7) }), manual(7), manual(7)),
            (json!({ "preserveCrop": false, "manualCropOptions": sides(7) }), manual(7), manual(7)),
            (json!({ "manualCropOptions": sides(0) }), manual(5), None),
            (json!({ "preserveCrop": false, "manualCropOptions": sides(0) }), None, None),
            (json!({ "autoColorCropOptions": color }), manual(5), automatic),
            (json!({ "preserveCrop": false, "autoColorCropOptions": color }), automatic, automatic),
        ];
        for (options, with_existing, without) in cases {
            assert_eq!(asked(options.clone(), Some(&existing)).crop, with_existing, "{options}");
            assert_eq!(asked(options.clone(), None).crop, without, "{options}");
        }
        let options: ProcessingOptions = serde_json::from_value(json!({ "autoColorCropOptions": color })).unwrap();
        assert_eq!(Making::asked(&options, Some(&existing)).crop_given_up(&options), Some("autoColorCropOptions"));
        assert_eq!(Making::asked(&options, None).crop_given_up(&options), None);
    }

    #[test]
    fn what_changes_nothing_is_nothing() {
        let options = json!({
            "createMask": false, "manualCropOptions": sides(0), "unsharpMaskOptions": { "amount": 1.75, "threshold": 2 },
            "colorManagementOptions": { "colorManagement": "Default", "sourceProfileHandle": "" },
        });
        assert_eq!(asked(options, None), Making::default());
        assert_eq!(serde_json::to_string(&Making::default()).unwrap(), "{}");
    }

    #[test]
    fn it_comes_back_from_the_database_as_it_went() {
        let options = json!({
            "createMask": true,
            "knockoutBackgroundOptions": { "corner": "BottomRight", "tolerance": 0.1 + 0.2, "fillMethod": "MatchPixel" },
            "autoTransparentCropOptions": { "tolerance": 1.0 / 3.0 },
            "unsharpMaskOptions": { "amount": 1.75, "radius": 0.2, "threshold": 2, "monochrome": 1 },
            "colorManagementOptions": { "colorManagement": "Convert", "outputProfileHandle": "a|732|13|732" },
        });
        let making = asked(options, None);
        let text = serde_json::to_string(&making).unwrap();
        assert_eq!(serde_json::from_str::<Making>(&text).unwrap(), making);
        assert_eq!(
            text,
            r#"{"crop":{"transparent":{"tolerance":0.333333}},"mask":true,"knockout":{"corner":"BottomRight","tolerance":0.3,"fill":"MatchPixel"},"unsharp":{"amount":1.75,"radius":0.2,"threshold":2,"monochrome":true},"colors":{"convert":{"source":null,"output":732}}}"#
        );
    }
}
