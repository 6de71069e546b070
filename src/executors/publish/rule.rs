//! What distinguishes one kind of context from the others, beside where its trees lie: what an asset gives to them, and how
//! its log speaks. Everything else is the same for all of them.

use serde_json::{Map, Value, json};

use crate::model::asset::{AssetType, ContextKind, DerivedRole, LayerFacts};
use crate::model::log::{FileType, LogType};
use crate::store::publishing::{AssetState, MemberState};

/// A kind of context.
#[derive(Debug)]
pub struct Rule {
    pub kind: ContextKind,
    /// Whether files lie in the company's folders under names of their own, which may stand in each other's way.
    pub keeps_folders: bool,
    /// Whether no order can ask for a full publish: then each looks whether the files are still as they were published.
    pub looks_at_all: bool,
    pub types: LogTypes,
    /// What a marked asset gives.
    pub files: fn(&AssetState) -> Vec<Given>,
}

/// How the log of a publish speaks.
#[derive(Debug)]
pub struct LogTypes {
    pub success: LogType,
    pub error: LogType,
    pub warning: LogType,
    /// None where the API has no types for it.
    pub cleanup: Option<CleanupTypes>,
}

/// How it speaks of files that leave. The codes are those of its first and last line.
#[derive(Debug)]
pub struct CleanupTypes {
    pub begin: (LogType, &'static str),
    pub success: LogType,
    pub end: (LogType, &'static str),
}

/// A file that an asset gives to a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Path in the tree. No two assets may give the same one.
    pub file_name: String,
    pub file_type: FileType,
    pub content: Content,
    /// What its line in the manifest says beside the file.
    pub detail: Map<String, Value>,
}

/// Where the bytes come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// The file that was uploaded.
    Master,
    /// What was made from it: made first, where it is missing or stale.
    Made(DerivedRole),
    /// The same, but nothing where there is none.
    IfMade(DerivedRole),
    /// What was made when the master came, and is made by no one else: nothing where there is none.
    Beside(DerivedRole),
    /// Written for this publish.
    Text(String),
    /// There is no file, only the line of the manifest.
    Nothing,
}

impl Given {
    pub fn new(file_name: String, file_type: FileType, content: Content) -> Self {
        Self { file_name, file_type, content, detail: Map::new() }
    }

    /// The pyramid of a picture, `<asset>.tif`.
    pub fn pyramid(asset: &AssetState) -> Self {
        let file_name = format!("{}.tif", asset.name);
        Self::new(file_name, FileType::OptimizedImage, Content::Made(DerivedRole::Pyramid))
    }

    /// The mask of a picture, if it has one, `mask/<asset>.tif`: in a folder of its own, because an asset may have any
    /// name that could be made of the picture's.
    pub fn mask(asset: &AssetState) -> Self {
        Self::new(format!("mask/{}.tif", asset.name), FileType::Mask, Content::IfMade(DerivedRole::Mask))
    }

    /// The master of what is no picture, `content/<asset>.<extension>`.
    pub fn content(asset: &AssetState) -> Self {
        // Always with an extension, so that two assets cannot come to have one name.
        let extension = asset.file_name.rsplit_once('.').map_or("bin", |(_, extension)| extension);
        let file_name = format!("content/{}.{extension}", asset.name);
        Self::new(file_name, FileType::of_master(asset.asset_type), Content::Master)
    }
}

/// The definition of a set, a JSON document for viewers:
///
/// ```text
/// {"set":"mug","id":12,"type":"SpinSet","members":[
///   {"asset":"mug-01","id":3,"type":"Image","file":"mug-01.tif","width":800,"height":600,"row":0,"column":0}]}
/// ```
///
/// Members stand in their order. `file` is where `files` puts the first file of the member, from the root of the tree; a
/// member that gives none to the context has none. `width` and `height` are in pixels, of members that have pixels; `row`
/// and `column` are there in spins with two axes, from 0.
///
/// An asset set has its `definition` too, with an answer at each of its places.
///
/// A template has the size of its canvas, and its members, from the bottom, say how they lie on it:
///
/// ```text
/// {"set":"ad-template","id":9,"type":"Template","width":640,"height":480,"members":[
///   {"asset":"ad_Price","id":8,"type":"Image","file":"ad_Price.tif","width":90,"height":40,"layer":{
///     "left":500,"top":400,"width":90,"height":40,"anchor":"Center","opacity":80,"blendMode":"multiply",
///     "isHidden":false,"isClipped":false,"groups":["Offer"],"text":"Only 9.90","x":545.0,"y":420.0}}]}
/// ```
///
/// `x` and `y` are where the anchor of the layer is.
pub fn definition(set: &AssetState, file_name: String, files: fn(&AssetState) -> Vec<Given>) -> Given {
    let describe = |member: &MemberState| {
        let mut line = describe(member, files);
        if let (AssetType::Template, Some(layer)) = (set.asset_type, &member.asset.layer) {
            line["layer"] = place(&layer.shown(member.asset.pixels.unwrap_or((layer.width, layer.height))));
        }
        line
    };
    let members: Vec<Value> = set.members.iter().map(describe).collect();
    let mut document = json!({ "set": set.name, "id": set.id, "type": set.asset_type });
    if let Some((width, height)) = set.pixels {
        document["width"] = width.into();
        document["height"] = height.into();
    }
    if let Some(definition) = &set.definition {
        document["definition"] = definition.as_str().into();
    }
    document["members"] = members.into();
    Given::new(file_name, FileType::of_master(set.asset_type), Content::Text(format!("{document}\n")))
}

fn place(layer: &LayerFacts) -> Value {
    let (x, y) = layer.anchor_point();
    let mut place = json!(layer);
    place["x"] = x.into();
    place["y"] = y.into();
    // Known to the job that makes it, and of no use to viewers.
    if let Value::Object(place) = &mut place {
        place.remove("name");
        place.remove("cut");
        place.remove("own");
        place.remove("id");
    }
    place
}

fn describe(member: &MemberState, files: fn(&AssetState) -> Vec<Given>) -> Value {
    let MemberState { asset, row, col } = member;
    let mut line = json!({ "asset": asset.name, "id": asset.id, "type": asset.asset_type });
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            line[name] = value;
        }
    };
    set("file", files(asset).into_iter().next().map(|given| given.file_name.into()));
    set("width", asset.pixels.map(|(width, _)| width.into()));
    set("height", asset.pixels.map(|(_, height)| height.into()));
    set("row", row.map(Value::from));
    set("column", col.map(Value::from));
    line
}

/// Sets have members and no master.
pub const fn is_set(asset: &AssetState) -> bool {
    asset.blob.is_empty()
}

/// Videos have a context of their own.
pub const fn is_film(asset_type: AssetType) -> bool {
    matches!(asset_type, AssetType::Video | AssetType::MasterVideo)
}
