//! The contract's type Asset, from what the store knows.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::metadata::Metadata;
use super::{Services, time_text};
use crate::model::asset::{AssetType, DerivedRole};
use crate::model::handle;
use crate::store::assets::derived::Derived;
use crate::store::assets::query as stored;
use crate::store::companies::Company;

/// Every field is optional: callers choose.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Asset {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asset_handle: Option<String>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub asset_type: Option<String>,
    /// Of asset sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Path with the company root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder_handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_for_publish: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trash_state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ips_image_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modified: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_modify_user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_array: Option<Vec<Metadata>>,
    /// `imageInfo`, `pdfInfo` and so on: the one that belongs to the type.
    #[serde(flatten)]
    pub info: Map<String, Value>,
}

impl Services {
    /// Without its metadata.
    pub(super) fn view(&self, company: &Company, asset: &stored::Asset) -> Asset {
        let mut info = Map::new();
        if asset.asset_type == AssetType::AssetSet {
            let definition = asset.definition.iter().map(|text| ("setDefinition".to_owned(), json!(text)));
            info.insert("assetSetInfo".to_owned(), Value::Object(definition.collect()));
        } else if let Some(element) = info_element(asset.asset_type) {
            info.insert(element.to_owned(), Value::Object(facts(company, asset)));
        }
        Asset {
            asset_handle: Some(handle::asset(asset.id, asset.asset_type)),
            asset_type: Some(asset.asset_type.to_string()),
            sub_type: asset.sub_type.clone(),
            name: Some(asset.name.clone()),
            file_name: Some(asset.file_name.clone()).filter(|name| !name.is_empty()),
            folder: Some(handle::folder_path(&company.root_path, &asset.folder)),
            folder_handle: Some(handle::folder(&company.root_path, &asset.folder)),
            ready_for_publish: Some(asset.marked),
            trash_state: Some(asset.trash_state.to_string()),
            ips_image_url: self.image_url(company, asset),
            created: Some(time_text(asset.created_at)),
            create_user: asset.created_by.clone(),
            last_modified: Some(time_text(asset.modified_at)),
            last_modify_user: asset.modified_by.clone(),
            metadata_array: None,
            info,
        }
    }

    fn image_url(&self, company: &Company, asset: &stored::Asset) -> Option<String> {
        if !asset.asset_type.is_picture() {
            return None;
        }
        let mut url = Url::parse(self.settings().image_server_url.as_deref()?).ok()?;
        url.path_segments_mut().ok()?.pop_if_empty().push(&company.root_path).push(&asset.name);
        Some(url.into())
    }
}

/// The element that describes assets of this type. Other sets than asset sets, views and templates have none.
const fn info_element(asset_type: AssetType) -> Option<&'static str> {
    match asset_type {
        AssetType::Aco => Some("acoInfo"),
        AssetType::AnimatedGif => Some("animatedGifInfo"),
        AssetType::Audio => Some("audioInfo"),
        AssetType::Cabinet => Some("cabinetInfo"),
        AssetType::Css => Some("cssInfo"),
        AssetType::CuePoint => Some("cuePointInfo"),
        AssetType::Excel => Some("excelInfo"),
        AssetType::Flash => Some("flashInfo"),
        AssetType::Font => Some("fontInfo"),
        AssetType::IccProfile => Some("iccProfileInfo"),
        AssetType::Illustrator => Some("illustratorInfo"),
        AssetType::Image => Some("imageInfo"),
        AssetType::InDesign => Some("inDesignInfo"),
        AssetType::Javascript => Some("javascriptInfo"),
        AssetType::MasterVideo => Some("masterVideoInfo"),
        AssetType::Pdf => Some("pdfInfo"),
        AssetType::PDFSettings => Some("pdfSettingsInfo"),
        AssetType::PostScript => Some("postScriptInfo"),
        AssetType::PowerPoint => Some("powerPointInfo"),
        AssetType::PremiereExpressRemix => Some("premiereExpressRemixInfo"),
        AssetType::PsdTemplate => Some("psdInfo"),
        AssetType::Rtf => Some("rtfInfo"),
        AssetType::Svg => Some("svgInfo"),
        AssetType::Video => Some("videoInfo"),
        AssetType::VideoCaption => Some("videoCaptionInfo"),
        AssetType::ViewerSwf => Some("viewerSwfInfo"),
        AssetType::Vignette => Some("vignetteInfo"),
        AssetType::WindowCovering => Some("windowCoveringInfo"),
        AssetType::Word => Some("wordInfo"),
        AssetType::Xml => Some("xmlInfo"),
        AssetType::Xsl => Some("xslInfo"),
        AssetType::Zip => Some("zipInfo"),
        AssetType::AdjustedView
        | AssetType::Asset
        | AssetType::AssetSet
        | AssetType::Catalog
        | AssetType::ColorSwatch
        | AssetType::ImageMap
        | AssetType::ImageSet
        | AssetType::LayerView
        | AssetType::Mask
        | AssetType::RenderScene
        | AssetType::RenderSet
        | AssetType::SpinSet
        | AssetType::Template
        | AssetType::ViewerPreset
        | AssetType::Watermark
        | AssetType::ZoomTarget => None,
    }
}

/// Where the files are. Derived files go by the names they are published under, beside their master.
fn facts(company: &Company, asset: &stored::Asset) -> Map<String, Value> {
    let path = handle::folder_path(&company.root_path, &asset.folder);
    let mut facts = Map::new();
    let mut set = |name: &str, value: Value| facts.insert(name.to_owned(), value);
    set("originalPath", json!(path));
    set("originalFile", json!(asset.file_name));
    set("fileSize", json!(asset.bytes));
    let derived = |role: DerivedRole| asset.derived.iter().find(|file: &&Derived| file.role == role);
    if derived(DerivedRole::Pyramid).is_some() {
        set("optimizedPath", json!(path));
        set("optimizedFile", json!(format!("{}.tif", asset.name)));
    }
    if asset.asset_type == AssetType::Image {
        if derived(DerivedRole::Mask).is_some() {
            set("maskPath", json!(path));
            set("maskFile", json!(format!("mask/{}.tif", asset.name)));
        }
        if let Some((width, height)) = asset.pixels {
            set("width", json!(width));
            set("height", json!(height));
        }
        if let Some(resolution) = asset.facts.resolution {
            set("resolution", json!(resolution));
        }
    }
    facts
}
